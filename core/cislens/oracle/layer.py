"""The layers of an oracle as a graph that names no framework, and receptive fields along it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

LayerKind = Literal[
    "input",
    "convolution",
    "pool",
    "dense",
    "normalisation",
    "activation",
    "dropout",
    "flatten",
    "add",
    "multiply",
    "concatenate",
    "global_pool",
    "pad",
    "permute",
    "recurrent",
    "attention",
    "embedding",
    "other",
]

# Kinds in which a unit looks at one position of each of its inputs.
POSITIONWISE = frozenset({"normalisation", "activation", "dropout", "add", "multiply", "concatenate", "permute"})
# Kinds that look through a window.
WINDOWED = frozenset({"convolution", "pool"})


@dataclass(frozen=True)
class Layer:
    """Describe one layer of a model.

    Parameters
    ----------
    name
        How `activations`, `weights` and the rest name it.
    kind
        What it does, in the framework-neutral words of `LayerKind`.
    inputs
        Names of the layers it reads; several for a residual sum or a concatenation.
    units
        Number of channels (or dense units) it gives.
    kernel, stride, dilation
        Width, step and spacing of its window, in positions of its input; 1 without a window.
    padding
        Zeros set before and after its input.
    activation
        Nonlinearity applied to its values, fused or as the one layer that follows.
    receptive_field
        Input bp that one unit sees; None where it sees the whole sequence.
    step
        Input bp between neighbouring positions (the receptive field's stride); None with it.
    offset
        Input bp at which the window of position 0 starts (negative inside padding); None with it.
    native_kind
        The framework's own name of the layer's type.
    """

    name: str
    kind: LayerKind
    inputs: tuple[str, ...] = ()
    units: int | None = None
    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    padding: tuple[int, int] = (0, 0)
    activation: str | None = None
    receptive_field: int | None = None
    step: int | None = None
    offset: int | None = None
    native_kind: str = ""


def with_receptive_fields(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Fill in receptive field, step and offset of layers given in topological order.

    A window of width k, stride s and dilation d over an input of field r and step j has field
    r + (k - 1) d j and step s j (Araujo et al. 2019, 10.23915/distill.00021). A layer with several inputs sees
    the union of their windows. Layers that mix positions freely (dense after flatten, global pooling, recurrence,
    attention, anything unknown) see the whole sequence.
    """
    done: dict[str, Layer] = {}
    for layer in layers:
        done[layer.name] = _filled(layer, done)
    return tuple(done.values())


def _filled(layer: Layer, done: Mapping[str, Layer]) -> Layer:
    if layer.kind == "input":
        return replace(layer, receptive_field=1, step=1, offset=0)
    sources = [done[name] for name in layer.inputs if name in done]
    fields = [(s.receptive_field, s.step, s.offset) for s in sources]
    local = layer.kind in WINDOWED or layer.kind in POSITIONWISE or layer.kind == "pad"
    if not local or not fields or any(part is None for field in fields for part in field):
        return replace(layer, receptive_field=None, step=None, offset=None)
    steps = {field[1] for field in fields}
    if len(steps) > 1:
        return replace(layer, receptive_field=None, step=None, offset=None)
    step = steps.pop()
    start = min(field[2] for field in fields)  # type: ignore[type-var]
    end = max(field[2] + field[0] for field in fields)  # type: ignore[operator]
    assert step is not None
    assert start is not None
    reach = (layer.kernel - 1) * layer.dilation * step
    return replace(
        layer,
        receptive_field=end - start + reach,
        step=step * layer.stride,
        offset=start - layer.padding[0] * step,
    )


def same_padding(length: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return the zeros before and after that TensorFlow's padding="same" adds to `length` positions."""
    reach = (kernel - 1) * dilation + 1
    total = max((math.ceil(length / stride) - 1) * stride + reach - length, 0)
    return total // 2, total - total // 2


def name_activations(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Give each layer the nonlinearity that alone follows it, where it has none fused.

    A layer is given the function of an activation layer that is its only reader; then a pre-activation is that
    layer's own value in every framework.
    """
    listed = tuple(layers)
    readers: dict[str, list[Layer]] = {}
    for layer in listed:
        for name in layer.inputs:
            readers.setdefault(name, []).append(layer)
    named = []
    for layer in listed:
        following = readers.get(layer.name, [])
        alone = len(following) == 1 and following[0].kind == "activation"
        if layer.activation is None and layer.kind not in ("input", "activation") and alone:
            layer = replace(layer, activation=following[0].activation)
        named.append(layer)
    return tuple(named)
