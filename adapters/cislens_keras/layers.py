"""The calls of a Keras model in the framework-neutral words of `Layer`, and what each axis of their values counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.oracle.encoding import Encoding
from cislens.oracle.layer import Layer, LayerKind, name_activations, same_padding, with_receptive_fields
from cislens_keras.graph import Graph, Step, Value, shapes

Axes = tuple[str, ...]  # "position", "base", "unit" or "one" for each axis after the batch
Shape = tuple[int | None, ...]

KINDS: dict[str, LayerKind] = {
    **dict.fromkeys(("Conv1D", "Conv2D", "SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D"), "convolution"),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"), "pool"),
    **dict.fromkeys(
        ("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"), "global_pool"
    ),
    **dict.fromkeys(("BatchNormalization", "LayerNormalization", "RMSNormalization", "Normalization"), "normalisation"),
    **dict.fromkeys(("Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout"), "dropout"),
    **dict.fromkeys(("GaussianNoise", "GaussianDropout", "ActivityRegularization"), "dropout"),
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "Bidirectional", "RNN"), "recurrent"),
    **dict.fromkeys(("MultiHeadAttention", "Attention", "AdditiveAttention", "GroupQueryAttention"), "attention"),
    **dict.fromkeys(("Add", "Average", "Subtract"), "add"),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D", "Crop"), "pad"),
    **dict.fromkeys(("Permute", "Transpose"), "permute"),
    "Multiply": "multiply",
    "Concatenate": "concatenate",
    "Flatten": "flatten",
    "Dense": "dense",
    "Embedding": "embedding",
    "InputLayer": "input",
}
ACTIVATION_LAYERS = {
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "Softmax": "softmax",
}
# Operations of expressions, such as keras.ops.relu(x), that act on each value alone.
ACTIVATION_OPERATIONS = frozenset(
    "Relu Relu6 LeakyRelu Elu Selu Gelu Silu Sigmoid HardSigmoid Softmax Softplus Softsign Tanh "
    "Exp Log Log1p Square Sqrt Absolute".split()
)
RESHAPING = ("Reshape", "Squeeze", "ExpandDims", "Flatten")
HOLD = "HoldUnits"


@dataclass(frozen=True)
class Description:
    """Hold what is known of each call.

    Parameters
    ----------
    layers
        In topological order, receptive fields filled in; units that are held are no layer of their own.
    axes, shapes
        For each call what its axes count and how long they are, the batch left out.
    places
        The layers as if inputs that are held were not there, for the places of outputs on the sequence.
    """

    layers: tuple[Layer, ...]
    axes: Mapping[str, Axes]
    shapes: Mapping[str, Shape]
    places: tuple[Layer, ...]


NOTHING: tuple[Axes, Shape] = ((), ())  # what a step without sources reads


def describe(graph: Graph, feeds: Sequence[Shape], sequence: str, encoding: Encoding) -> Description:
    """Describe the calls of a graph.

    Parameters
    ----------
    feeds
        Shape of each input, batch included.
    sequence, encoding
        Name of the input that takes the DNA, and its form.
    """
    found = {value.step: shape[1:] for value, shape in shapes(graph, feeds).items() if value.output == 0}
    first = {"length": "position", "4": "base", "1": "one"}
    axes: dict[str, Axes] = {}
    layers: list[Layer] = []
    aliases: dict[str, str] = {}
    for step in graph.inputs:
        is_sequence = step.name == sequence
        names = tuple(first[axis] for axis in encoding.layout.split(","))
        axes[step.name] = names if is_sequence else ("unit",) * len(found[step.name])
        kind: LayerKind = "input" if is_sequence else "other"
        units = _units(axes[step.name], found[step.name])
        layers.append(Layer(step.name, kind, units=units, native_kind=step.kind))
    for step in graph.steps:
        sources = [(axes[source.step], found[source.step]) for source in step.sources]
        axes[step.name] = _axes(step, sources, found[step.name])
        if step.kind == HOLD:
            aliases[step.name] = aliases.get(step.sources[0].step, step.sources[0].step)
            continue
        names_read = tuple(dict.fromkeys(aliases.get(s.step, s.step) for s in step.sources))
        layers.append(_layer(step, names_read, sources, (axes[step.name], found[step.name])))
    named = name_activations(layers)
    return Description(with_receptive_fields(named), axes, found, with_receptive_fields(_without_held(named)))


def _without_held(layers: Sequence[Layer]) -> list[Layer]:
    """Return layers that do not name what tells nothing of the sequence among what they read."""
    telling: set[str] = set()
    kept = []
    for layer in layers:
        kept.append(replace(layer, inputs=tuple(name for name in layer.inputs if name in telling)))
        if layer.kind == "input" or kept[-1].inputs:
            telling.add(layer.name)
    return kept


def to_units(values: npt.NDArray[Any], axes: Axes) -> npt.NDArray[Any]:
    """Return values as (n, positions, units), or (n, units) where they have no positions."""
    if "position" not in axes:
        return values.reshape(len(values), -1)
    moved = np.moveaxis(values, 1 + axes.index("position"), 1)
    return np.ascontiguousarray(moved.reshape(*moved.shape[:2], -1))


def inner(operation: Any) -> Any:
    """Return the layer that a TimeDistributed applies at each position, else the layer itself."""
    return operation.layer if type(operation).__name__ == "TimeDistributed" else operation


def fused_activation(operation: Any) -> str | None:
    """Return the name of the nonlinearity that a convolution or dense layer applies itself."""
    if type(inner(operation)).__name__ not in (*_CONVOLUTIONS, "Dense"):
        return None
    return _function_name(inner(operation).activation)


def own_activation(step: Step) -> str | None:
    """Return the name of the nonlinearity that a step is, None where it is something else."""
    operation = inner(step.operation)
    kind = type(operation).__name__
    if kind == "Activation":
        return _function_name(operation.activation) or "linear"
    if kind in ACTIVATION_LAYERS:
        return ACTIVATION_LAYERS[kind]
    is_operation = not hasattr(operation, "trainable_weights")
    return kind.lower() if is_operation and kind in ACTIVATION_OPERATIONS and len(step.sources) == 1 else None


_CONVOLUTIONS = tuple(name for name, kind in KINDS.items() if kind == "convolution")


def _function_name(function: Any) -> str | None:
    name = getattr(function, "__name__", None) or type(function).__name__
    return None if name == "linear" else str(name)


def _kind(step: Step, sources: list[tuple[Axes, Shape]], axes: Axes) -> LayerKind:
    operation = inner(step.operation)
    kind = KINDS.get(type(operation).__name__, "other")
    if own_activation(step) is not None:
        along = getattr(operation, "axis", None)
        mixes = isinstance(along, int) and axes[along - 1 if along > 0 else along] == "position"
        return "other" if mixes and own_activation(step) == "softmax" else "activation"
    source = sources[0][0] if sources else ()
    if kind == "dense" and "position" in source[:-1]:
        return "convolution"  # of width 1: the same at every position
    if kind == "convolution" and ("position" not in source or source[channel_axis(operation, source)] == "position"):
        return "dense"
    if kind == "concatenate" and axes[_axis_of(operation, axes)] == "position":
        return "other"
    if kind == "normalisation" and type(operation).__name__ != "BatchNormalization" and "position" in source:
        over = getattr(operation, "axis", -1)
        listed = over if isinstance(over, list | tuple) else [over]
        if any(source[i - 1 if i > 0 else i] == "position" for i in listed if i is not None):
            return "other"
    if type(operation).__name__ in RESHAPING and _keeps_positions(sources[0], axes):
        return "permute"
    return kind


def _axis_of(operation: Any, axes: Axes) -> int:
    along = int(operation.axis)
    return along - 1 if along > 0 else along


def channel_axis(operation: Any, axes: Axes) -> int:
    """Return which of the axes after the batch holds the channels of a convolution or pooling layer."""
    return 0 if getattr(operation, "data_format", None) == "channels_first" else len(axes) - 1


def _axes(step: Step, sources: list[tuple[Axes, Shape]], shape: Shape) -> Axes:
    operation = inner(step.operation)
    kind = type(operation).__name__
    source, source_shape = sources[0] if sources else NOTHING
    for candidate in sources:  # a constant or a broadcast vector says less than the values with positions
        if len(candidate[0]) > len(source) or ("position" in candidate[0] and "position" not in source):
            source, source_shape = candidate
    if kind == "Permute":
        return tuple(source[i - 1] for i in operation.dims)
    if kind == "Transpose" and operation.axes is not None:
        return tuple(source[i - 1] for i in operation.axes[1:])
    if kind in RESHAPING:
        return _reshaped(source, source_shape, shape)
    if len(shape) == len(source):
        if KINDS.get(kind) in ("convolution", "dense"):
            channels = channel_axis(operation, source)
            return tuple("unit" if i == channels else axis for i, axis in enumerate(source))
        if KINDS.get(kind) == "global_pool":
            return tuple("one" if axis == "position" else axis for axis in source)
        return source
    return ("unit",) if len(shape) <= 1 else ("position", *("unit",) * (len(shape) - 1))


def _reshaped(source: Axes, source_shape: Shape, shape: Shape) -> Axes:
    """Follow axes through a reshape that adds or drops axes of size 1; after any other, positions are lost."""
    kept = [(axis, size) for axis, size in zip(source, source_shape, strict=True) if size != 1]
    if [size for _, size in kept] == [size for size in shape if size != 1]:
        names = iter(axis for axis, _ in kept)
        return tuple("one" if size == 1 else next(names) for size in shape)
    return ("unit",) if len(shape) <= 1 else ("position", *("unit",) * (len(shape) - 1))


def _keeps_positions(source: tuple[Axes, Shape], axes: Axes) -> bool:
    names, sizes = source
    kept = [name for name, size in zip(names, sizes, strict=True) if size != 1]
    return "position" in axes and kept == [name for name in axes if name != "one"]


def _layer(step: Step, names: tuple[str, ...], sources: list[tuple[Axes, Shape]], result: tuple[Axes, Shape]) -> Layer:
    axes, shape = result
    kind = _kind(step, sources, axes)
    operation = inner(step.operation)
    window: dict[str, Any] = {}
    if kind in ("convolution", "pool") and type(operation).__name__ != "Dense" and "position" in sources[0][0]:
        window = _window(operation, *sources[0])
    elif kind == "pad":
        window = {"padding": _padding(operation, axes)}
    window["activation"] = own_activation(step) or fused_activation(step.operation)
    return Layer(step.name, kind, names, _units(axes, shape), native_kind=type(operation).__name__, **window)


def _units(axes: Axes, shape: Shape) -> int | None:
    sizes = [size for axis, size in zip(axes, shape, strict=True) if axis != "position"]
    return None if None in sizes else math.prod(size for size in sizes if size is not None)


def _window(operation: Any, axes: Axes, shape: Shape) -> dict[str, Any]:
    """Return width, step, spacing and padding of a window along the positions."""
    channels = channel_axis(operation, axes)
    spatial = [i for i in range(len(axes)) if i != channels]
    index = spatial.index(axes.index("position"))
    kernel = _at(getattr(operation, "kernel_size", None) or operation.pool_size, index)
    stride = _at(operation.strides, index)
    dilation = _at(getattr(operation, "dilation_rate", 1), index)
    padding = (0, 0)
    if operation.padding == "causal":
        padding = ((kernel - 1) * dilation, 0)
    elif operation.padding == "same":
        length = shape[axes.index("position")]
        padding = same_padding(length or 1000 * stride, kernel, stride, dilation)
    return {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": padding}


def _at(value: Any, index: int) -> int:
    return int(value[index] if isinstance(value, list | tuple) else value)


def _padding(operation: Any, axes: Axes) -> tuple[int, int]:
    """Return the positions that a layer adds at both ends; what it crops is below zero."""
    if type(operation).__name__ == "Crop":
        return (-operation.before, -operation.after) if axes[operation.axis - 1] == "position" else (0, 0)
    amounts = getattr(operation, "padding", None) or operation.cropping
    sign = 1 if hasattr(operation, "padding") else -1
    if isinstance(amounts[0], list | tuple):
        channels = channel_axis(operation, axes)
        spatial = [i for i in range(len(axes)) if i != channels]
        amounts = amounts[spatial.index(axes.index("position"))] if "position" in axes else (0, 0)
    return sign * int(amounts[0]), sign * int(amounts[1])


def held(graph: Graph, name: str) -> Value:
    """Return a call's value after the units that are held of it."""
    for reader in graph.readers[name]:
        if reader.kind == HOLD:
            return held(graph, reader.name)
    return Value(name)
