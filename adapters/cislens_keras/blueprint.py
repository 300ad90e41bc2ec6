"""Build a published architecture as a functional Keras model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cislens.architecture.blueprint import SEQUENCE, THRESHOLD, Blueprint, BlueprintHead, Step
from cislens_keras.runtime import keras

layers: Any = keras.layers
ZEROS = {"kernel_initializer": "zeros"}  # which the file's values replace


@keras.saving.register_keras_serializable(package="cislens")  # type: ignore[untyped-decorator]  # keras ships no types
def threshold(x: Any) -> Any:
    """Return x where it is above zero and 1e-6 elsewhere, as networks of torch7 do."""
    return keras.ops.where(x > 0, x, keras.ops.cast(THRESHOLD, x.dtype))


def build_model(blueprint: Blueprint) -> Any:
    """Return the model of a blueprint; its layers have the names of the steps, and it answers with a list of heads."""
    sequence = keras.Input((blueprint.length, 4), name=SEQUENCE)
    values = {SEQUENCE: sequence}
    for step in blueprint.steps:
        values[step.name] = CALLS[step.kind](step, *(values[name] for name in step.inputs))
    heads = [_arranged(values[head.step], head) for head in blueprint.heads]
    return keras.Model(sequence, heads if len(heads) > 1 else heads[0], name=blueprint.name)


def _arranged(value: Any, head: BlueprintHead) -> Any:
    """Return a profile (n, positions, channels) with the axes that its head wants."""
    if head.axes == ("position",):
        return layers.Reshape((value.shape[1],), name=f"{head.step}_squeezed")(value)
    turned = len(head.axes) == 2 and head.axes[1] == "position"
    return layers.Permute((2, 1), name=f"{head.step}_turned")(value) if turned else value


def _called(layer: Any, step: Step, value: Any) -> Any:
    """Call a layer and give it the weights of its step."""
    result = layer(value)
    kernel = step.arrays["kernel"]
    # Keras counts the units last; a convolution's kernel starts with the width, as a unit's does here.
    turned = kernel.T if kernel.ndim == 2 else kernel.transpose(1, 2, 0)
    layer.set_weights([turned, step.arrays["bias"]])
    return result


def _convolution(step: Step, value: Any) -> Any:
    units, width, _ = step.kernel_shape
    before, after = step.padding
    reach = (width - 1) * step.dilation
    same = step.padding != (0, 0) and step.padding == (reach // 2, reach - reach // 2)
    if before + after and not same:
        value = layers.ZeroPadding1D((before, after), name=f"{step.name}_padded")(value)
    padding = "same" if same else "valid"
    settings = {"dilation_rate": step.dilation, "padding": padding, "name": step.name, **ZEROS}
    return _called(layers.Conv1D(units, width, **settings), step, value)


def _dense(step: Step, value: Any) -> Any:
    return _called(layers.Dense(step.channels, name=step.name, **ZEROS), step, value)


def _grouped_dense(step: Step, value: Any) -> Any:
    """Apply one product for all groups; TensorFlow has no gradient of grouped convolutions on a CPU."""
    units, inputs = step.channels // step.groups, step.kernel_shape[1]
    value = layers.Reshape((step.groups, inputs), name=f"{step.name}_groups")(value)
    shape = (step.groups, units)
    layer = layers.EinsumDense("ngi,giu->ngu", shape, bias_axes="gu", name=step.name, **ZEROS)
    result = layer(value)
    kernel = step.arrays["kernel"].reshape(step.groups, units, inputs).transpose(0, 2, 1)
    layer.set_weights([kernel, step.arrays["bias"].reshape(shape)])
    return layers.Reshape((step.channels,), name=f"{step.name}_flat")(result)


def _normalisation(step: Step, value: Any) -> Any:
    layer = layers.BatchNormalization(epsilon=step.epsilon, name=step.name)
    result = layer(value)
    layer.set_weights([step.arrays[name] for name in ("scale", "offset", "mean", "variance")])
    return result


def _flatten(step: Step, value: Any) -> Any:
    if step.order == "channels":
        value = layers.Permute((2, 1), name=f"{step.name}_turned")(value)
    return layers.Flatten(name=step.name)(value)


def _global_pool(step: Step, value: Any) -> Any:
    pool = layers.GlobalAveragePooling1D if step.function == "mean" else layers.GlobalMaxPooling1D
    return pool(name=step.name)(value)


ACTIVATIONS: dict[str, Any] = {"relu": "relu", "threshold": threshold, "exp": "exponential", "sigmoid": "sigmoid"}
CALLS: dict[str, Callable[..., Any]] = {
    "convolution": _convolution,
    "dense": _dense,
    "grouped_dense": _grouped_dense,
    "normalisation": _normalisation,
    "activation": lambda step, value: layers.Activation(ACTIVATIONS[step.function], name=step.name)(value),
    "pool": lambda step, value: layers.MaxPooling1D(step.width, name=step.name)(value),
    "global_pool": _global_pool,
    "crop": lambda step, value: layers.Cropping1D(step.padding, name=step.name)(value),
    "add": lambda step, first, second: layers.Add(name=step.name)([first, second]),
    "flatten": _flatten,
}
