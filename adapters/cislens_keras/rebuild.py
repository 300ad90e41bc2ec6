"""Copies of a Keras model with something changed; the user's model and its layers are left as they are."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import OracleError
from cislens.oracle.layer import POSITIONWISE, WINDOWED, Layer
from cislens_keras.graph import Graph, Step, Value, run
from cislens_keras.layers import Description, inner
from cislens_keras.own_layers import Crop, HoldUnits
from cislens_keras.runtime import keras

Array = npt.NDArray[Any]
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Changes:
    """Say what a copy has otherwise.

    Parameters
    ----------
    dtype
        Number type of everything.
    holds
        For a step, {unit: value} of its output and the axis of the units, the batch being 0.
    weights
        For a step, the arrays it has instead of its own, in their order.
    linear
        Steps that leave their nonlinearity out.
    """

    dtype: str | None = None
    holds: Mapping[str, tuple[Mapping[int, float], int]] = field(default_factory=dict)
    weights: Mapping[str, Sequence[Array]] = field(default_factory=dict)
    linear: frozenset[str] = frozenset()


def rebuilt(graph: Graph, shapes: Sequence[Shape], changes: Changes, name: str) -> Any:
    """Return a functional model with the same calls on copies of the layers.

    Parameters
    ----------
    shapes
        Of each input, batch included.
    """
    with _python_random_left_alone():
        inputs = [
            keras.Input(batch_shape=shape, dtype=changes.dtype or step.operation.dtype, name=step.name)
            for step, shape in zip(graph.inputs, shapes, strict=True)
        ]

        def call(step: Step, values: Mapping[Value, Any]) -> Any:
            args, kwargs = step.arguments(values)
            if step.name in changes.linear and not hasattr(inner(step.operation), "activation"):
                return values[step.sources[0]]
            settings = {"activation": "linear"} if step.name in changes.linear else {}
            results = keras.tree.flatten(copied_call(step, args, kwargs, changes, **settings))
            if step.name in changes.holds:
                units, axis = changes.holds[step.name]
                results[0] = HoldUnits(units, axis, name=f"{step.name}_held")(results[0])
            return results

        values = run(graph, inputs, graph.outputs, call)
        outputs = [values[value] for value in graph.outputs]
        return keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0], name=keras_name(name))


def keras_name(name: str) -> str:
    """Return a name that Keras and TensorFlow allow for a model."""
    kept = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)
    return f"m{kept}" if kept[:1] in "_" else kept


@contextmanager
def _python_random_left_alone() -> Iterator[None]:
    """Restore the state of Python's random module, from which Keras draws the seeds of new layers."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def copied_call(step: Step, args: tuple[Any, ...], kwargs: dict[str, Any], changes: Changes, **settings: Any) -> Any:
    """Call a copy of a step's layer, with its weights and some settings changed."""
    copy = copied(step, changes.dtype, **settings)
    result = copy(*args, **kwargs)
    arrays = changes.weights.get(step.name)
    if arrays is None and isinstance(step.operation, keras.layers.Layer):
        arrays = step.operation.get_weights()
    if arrays:
        copy.set_weights(list(arrays))
    return result


def copied(step: Step, dtype: str | None = None, **settings: Any) -> Any:
    """Return a copy of a step's layer under the step's name, without weights.

    Raises
    ------
    OracleError
        If the layer's class cannot be made from its own configuration.
    """
    operation = step.operation
    if isinstance(operation, keras.layers.Lambda):
        # Its configuration would hold bytecode; the function itself is at hand.
        copy = keras.layers.Lambda(operation.function, operation._output_shape, name=step.name, dtype=dtype)
        copy.arguments = operation.arguments
        return copy
    try:
        config = _neutral(operation.get_config(), dtype)
        if isinstance(operation, keras.layers.Layer):
            config["name"] = step.name
            if dtype is not None:
                config["dtype"] = dtype
        inside = config["layer"]["config"] if inner(operation) is not operation else config
        inside.update(settings)
        with keras.saving.custom_object_scope(_functions(operation)):
            return type(operation).from_config(config)
    except (TypeError, ValueError, NotImplementedError, KeyError) as error:
        raise OracleError(
            f"layer {step.name!r} ({step.kind}) must be made again from its own get_config() for this, but that fails "
            f"with {type(error).__name__}: {error}"
        ) from error


def _neutral(config: Any, dtype: str | None) -> Any:
    """Return a configuration with another number type, and with initial values that cost nothing."""
    if isinstance(config, list | tuple):
        return type(config)(_neutral(part, dtype) for part in config) if type(config) in (list, tuple) else config
    if not isinstance(config, Mapping):
        return config
    changed: dict[str, Any] = {}
    for key, value in config.items():
        if str(key).endswith("_initializer") and value is not None:
            changed[key] = "zeros"
        elif key == "dtype" and dtype is not None:
            changed[key] = dtype
        else:
            changed[key] = _neutral(value, dtype)
    return changed


def _functions(operation: Any) -> dict[str, Any]:
    """Return the functions of the user's own that a layer applies, by name, so that it can be made again."""
    found = [getattr(inner(operation), key, None) for key in ("activation", "recurrent_activation")]
    return {str(f.__name__): f for f in found if callable(f) and hasattr(f, "__name__")}


# ---- the network up to one layer, on its receptive field -----------------------------------------------


class Window:
    """Rebuild the way from the sequence to one position of one layer, without padding.

    Position 0 of each value counts as some position of the whole model's value; `starts` keeps which. Where values of
    different start or length meet, as in a residual sum, they are cropped to what they share.
    """

    def __init__(self, graph: Graph, description: Description, sequence: str) -> None:
        self.graph = graph
        self.axes = description.axes
        self.layers = {layer.name: layer for layer in description.layers}
        self.sequence = sequence
        self.starts: dict[Value, int] = {}
        self.crops = 0

    def model(self, layer: Layer, shape: Shape, wanted: Value, linear: bool) -> Any:
        """Return the model from one window to the units of `wanted`, the layer's fused nonlinearity left out."""
        assert layer.offset is not None
        with _python_random_left_alone():
            feeds = [
                keras.Input(batch_shape=shape, dtype=step.operation.dtype, name=step.name)
                if step.name == self.sequence
                else None
                for step in self.graph.inputs
            ]
            self.starts = {Value(self.sequence): layer.offset}
            settings = {"activation": "linear"} if linear else {}

            def call(step: Step, values: Mapping[Value, Any]) -> Any:
                return self._call(step, values, settings if step.name == layer.name else {})

            result = run(self.graph, feeds, [wanted], call)[wanted]
            first = -self.starts[wanted]
            result = self._cropped(result, wanted.step, first, self._length(result, wanted.step) - first - 1)
            units = keras.layers.Flatten(name="units")(result)
            inputs = next(feed for feed in feeds if feed is not None)
            return keras.Model(inputs, units, name=keras_name(f"{layer.name}_window"))

    def _call(self, step: Step, values: Mapping[Value, Any], settings: dict[str, Any]) -> Any:
        layer = self.layers.get(step.name)
        own = {source: values[source] for source in step.sources}
        result = Value(step.name)
        first = step.sources[0]
        if layer is not None and layer.kind == "pad":
            self.starts[result] = self.starts[first] + layer.padding[0]
            return own[first]
        if layer is not None and layer.kind in WINDOWED:
            begins = self.starts[first] + layer.padding[0]
            surplus = -begins % layer.stride
            own[first] = self._cropped(own[first], first.step, surplus, 0)
            self.starts[result] = (begins + surplus) // layer.stride
            if hasattr(inner(step.operation), "padding"):
                settings = {"padding": "valid", **settings}
        else:
            assert layer is None or layer.kind in POSITIONWISE
            self.starts[result] = self._aligned(own)
            if step.kind == "Reshape":  # its target names the length of the whole sequence
                sizes = list(step.operation.target_shape)
                sizes[self.axes[step.name].index("position")] = -1
                settings = {"target_shape": sizes, **settings}
        args, kwargs = step.arguments(own)
        return copied_call(step, args, kwargs, Changes(), **settings)

    def _aligned(self, own: dict[Value, Any]) -> int:
        """Crop values that meet to the positions they share, and return the first of these."""
        start = max(self.starts[value] for value in own)
        left = {value: start - self.starts[value] for value in own}
        length = min(self._length(tensor, value.step) - left[value] for value, tensor in own.items())
        for value, tensor in own.items():
            right = self._length(tensor, value.step) - left[value] - length
            own[value] = self._cropped(tensor, value.step, left[value], right)
        return start

    def _length(self, tensor: Any, name: str) -> int:
        return int(tensor.shape[1 + self.axes[name].index("position")])

    def _cropped(self, tensor: Any, name: str, before: int, after: int) -> Any:
        if before == after == 0:
            return tensor
        self.crops += 1
        axis = 1 + self.axes[name].index("position")
        return Crop(before, after, axis, name=f"crop{self.crops}_{name}")(tensor)


def shuffled(arrays: Sequence[Array], rng: np.random.Generator) -> list[Array]:
    """Return each array with its values in random places."""
    return [rng.permutation(array.ravel()).reshape(array.shape) for array in arrays]
