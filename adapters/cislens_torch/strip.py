"""Make calls without padding, so that every position sees only the sequence it is given.

Without padding a tensor holds fewer positions than in the whole model. Its place says which: of a residual sum the
longer branch is cut where the shorter one has no positions left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from cislens.errors import CapabilityError
from cislens_torch.operation import Call, Operation, replaced

JOINING = frozenset({"add", "multiply", "concatenate"})


@dataclass(frozen=True)
class Place:
    """Say where the first position of a stripped tensor lies.

    Parameters
    ----------
    start
        Its index among the positions that the whole model has there, in bp, from the start of the window.
    step
        bp between neighbouring positions.
    """

    start: int = 0
    step: int = 1


ORIGIN = Place()


@dataclass(frozen=True)
class Stripped:
    """What padding is left away for.

    Parameters
    ----------
    needed
        Calls that the layer depends on; others answer with zeros.
    offset
        Where the layer's first window starts in the whole model, in bp: it decides the phase of strides.
    name
        The layer, for errors.
    """

    needed: frozenset[int]
    offset: int
    name: str


def common_place(call: Call) -> Place:
    """Return the place of what a call reads, for calls that keep positions as they are."""
    place: Place = call.marked[0][1].place
    return place


def stripped(call: Call, operation: Operation, task: Stripped, form: Any) -> tuple[Any, Place]:
    """Make one call without padding; return its result and place."""
    if operation.call not in task.needed:
        return _blank(form, operation, call.marked[0][0]), ORIGIN
    kind = operation.does.kind
    place = common_place(call)
    if kind in JOINING:
        return _aligned(call, operation, task)
    if kind == "pad":
        before = operation.does.window.padding[0] * place.step
        return _unpadded(call, operation, task), Place(place.start + before, place.step)
    if kind == "pool" and operation.does.window.axis is None:
        return _strided(call, operation, task)
    if kind in ("convolution", "pool") and operation.does.window.axis is not None:
        return _windowed(call, operation, task)
    return call.run(), place


def _blank(form: Any, operation: Operation, like: torch.Tensor) -> Any:
    """Return zeros of the form that a call's result has in the whole model."""
    if isinstance(form, list):
        return tuple(_blank(part, operation, like) for part in form)
    if form is None:
        return None
    shape, dtype = form
    sizes = list(shape)
    if operation.does.axes.batch is not None and operation.does.axes.batch < len(sizes):
        sizes[operation.does.axes.batch] = like.shape[0]
    return torch.zeros(sizes, dtype=dtype, device=like.device)


def _in_phase(source: torch.Tensor, place: Place, operation: Operation, task: Stripped) -> tuple[torch.Tensor, int]:
    """Cut positions at the start until the first window lies on the grid of the whole model's strides."""
    window = operation.does.window
    assert operation.does.axes.position is not None
    first = task.offset + place.start + window.padding[0] * place.step
    cut = 0
    while (first + cut * place.step) % (window.stride * place.step):
        cut += 1
        assert cut < window.stride
    return source.narrow(operation.does.axes.position, cut, source.shape[operation.does.axes.position] - cut), cut


def _windowed(call: Call, operation: Operation, task: Stripped) -> tuple[Any, Place]:
    if call.function.startswith("adaptive"):
        raise _fixed(task)
    window = operation.does.window
    source, mark = call.marked[0]
    cut_source, cut = _in_phase(source, mark.place, operation, task)
    # Arguments by name follow; the input itself may be one of them.
    args: list[Any] = [cut_source, *call.args[1:]]
    kwargs = {name: value for name, value in call.kwargs.items() if name != "input"}
    at = 4 if operation.does.kind == "convolution" else 3
    given = args[at] if len(args) > at else kwargs.get("padding", 0)
    axes = source.ndim - 2 if operation.does.kind == "convolution" else int(call.function.split("pool")[1][0])
    assert window.axis is not None
    if given == "same":
        args[0] = torch.nn.functional.pad(cut_source, _same_elsewhere(call, window.axis))
        given = 0
    if not isinstance(given, str):
        widths = list(given) if isinstance(given, tuple | list) else [given]
        widths = widths * axes if len(widths) == 1 else widths
        widths[window.axis] = 0
        given = tuple(widths)
    if len(args) > at:
        args[at] = given
    elif "padding" in kwargs or any(operation.does.window.padding):
        kwargs["padding"] = given
    _without_ceiling(call, args, kwargs)
    start = mark.place.start + (cut + window.padding[0]) * mark.place.step
    return call.callee(*args, **kwargs), Place(start, mark.place.step * window.stride)


def _same_elsewhere(call: Call, axis: int) -> list[int]:
    """Return the widths of padding="same" on the spatial axes that hold no positions, last axis first."""
    weight, dilation = call.argument(1, "weight"), call.argument(5, "dilation", 1)
    widths: list[int] = []
    for other in reversed(range(weight.ndim - 2)):
        spacing = dilation[other if len(dilation) > 1 else 0] if isinstance(dilation, tuple | list) else dilation
        reach = 0 if other == axis else spacing * (weight.shape[2 + other] - 1)
        widths += [reach // 2, reach - reach // 2]
    return widths


def _without_ceiling(call: Call, args: list[Any], kwargs: dict[str, Any]) -> None:
    at = {"max": 5, "avg": 4, "lp_": 4}.get(call.function[:3])
    if kwargs.get("ceil_mode"):
        kwargs["ceil_mode"] = False
    elif at is not None and len(args) > at:
        args[at] = False


def _strided(call: Call, operation: Operation, task: Stripped) -> tuple[Any, Place]:
    """Take every second (third, ...) position, as a slice with a step does."""
    window = operation.does.window
    source, mark = call.marked[0]
    cut_source, cut = _in_phase(source, mark.place, operation, task)
    axis = operation.does.axes.position
    assert axis is not None
    if source.ndim != len(operation.shape):
        raise _fixed(task)
    taken = torch.arange(0, cut_source.shape[axis], window.stride, device=source.device)
    start = mark.place.start + (cut + window.padding[0]) * mark.place.step
    return cut_source.index_select(axis, taken), Place(start, mark.place.step * window.stride)


def _unpadded(call: Call, operation: Operation, task: Stripped) -> torch.Tensor:
    """Leave padding, or a cut, of positions away; other axes are padded as they are."""
    source, _ = call.marked[0]
    axis = operation.does.axes.position
    assert axis is not None
    if call.function in ("pad", "constant_pad_nd"):
        widths = list(call.argument(1, "pad"))
        at = 2 * (source.ndim - 1 - axis)
        widths[at : at + 2] = [0] * len(widths[at : at + 2])
        if not any(widths):
            return source
        named = {name: value for name, value in call.kwargs.items() if name not in ("input", "pad")}
        padded: torch.Tensor = call.callee(source, widths, *call.args[2:], **named)
        return padded
    if source.ndim != len(operation.shape):
        raise _fixed(task)
    return source


def _aligned(call: Call, operation: Operation, task: Stripped) -> tuple[Any, Place]:
    """Cut the operands to the positions that all of them have."""
    axis = operation.does.axes.position
    places = {id(tensor): mark.place for tensor, mark in call.marked}
    if axis is None:
        return call.run(), common_place(call)
    if call.function == "stack":
        raise _fixed(task)
    ndim = len(operation.shape)

    def own_axis(tensor: torch.Tensor) -> int:
        return axis - (0 if call.function in ("cat", "concat", "concatenate") else ndim - tensor.ndim)

    starts = {key: place.start for key, place in places.items()}
    latest = max(starts.values())
    step = common_place(call).step
    ends = [tensor.shape[own_axis(tensor)] - (latest - starts[id(tensor)]) // step for tensor, _ in call.marked]

    def cut(tensor: torch.Tensor) -> torch.Tensor:
        own = own_axis(tensor)
        if id(tensor) in places:
            return tensor.narrow(own, (latest - starts[id(tensor)]) // step, min(ends))
        if own >= 0 and tensor.shape[own] > 1:
            raise CapabilityError(
                f"layer {task.name!r} must depend on its window alone, but it reads values for absolute positions "
                f"({call.function}): use the whole model"
            )
        return tensor

    return call.callee(*replaced(call.args, cut), **replaced(dict(call.kwargs), cut)), Place(latest, step)


def _fixed(task: Stripped) -> CapabilityError:
    return CapabilityError(
        f"layer {task.name!r} must work on windows of its receptive field, but its model cuts or stacks positions "
        "in a way that only fits the whole sequence: use the whole model"
    )
