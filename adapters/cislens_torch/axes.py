"""Where positions and units go when a call only rearranges values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from cislens_torch.operation import Axes, Call, Description, Window, replaced, tensors_in

SAME = frozenset(
    "to float half bfloat16 double type type_as contiguous clone detach requires_grad cpu cuda alias data real "
    "positive identity retain_grad".split()
)
REARRANGING = frozenset(
    "view reshape flatten unflatten permute transpose t T mT swapaxes swapdims movedim moveaxis squeeze unsqueeze "
    "expand expand_as broadcast_to repeat tile getitem select narrow flip chunk split tensor_split unbind view_as "
    "reshape_as ravel roll repeat_interleave index_select".split()
)
REPEATING = frozenset("repeat tile expand expand_as broadcast_to repeat_interleave".split())
# These name axes only, never sizes, so that they can be asked about a tensor of any size.
PERMUTING = frozenset("permute transpose t T mT swapaxes swapdims movedim moveaxis".split())


@dataclass(frozen=True)
class Trail:
    """Say where the coordinate along one axis is found after a call.

    Parameters
    ----------
    axis
        The one axis along which it varies; None where it varies along none or several.
    values
        The coordinates along that axis.
    """

    axis: int | None
    values: tuple[int, ...]


def rearranged(call: Call) -> Description:
    """Describe a call that only moves values, by making it with coordinates in their place."""
    source, mark = call.marked[0]
    axes: Axes = mark.axes
    if call.argument(0, "input") is not source:
        return Description("other", Axes())
    positions = source.shape[axes.position] if axes.position is not None else 1
    batch = _trail(call, _coordinates(source, axes.batch, call), source)
    place = _trail(call, _coordinates(source, axes.position, call), source)
    kept = Axes(_kept(batch, source.shape[axes.batch] if axes.batch is not None else 0, axes.batch), None)
    if axes.position is None or (positions == 1 and call.function not in PERMUTING):
        same = _same_units(call, source, axes)
        return Description(None if same and kept.batch is not None else "other", kept)
    if place.axis is None:
        return Description("other", kept)
    most = max(positions, 2) if call.function in PERMUTING else positions
    if len(place.values) > most or len(set(place.values)) < len(place.values):
        return Description("flatten", kept)
    return _with_positions(call, source, axes, place, kept.batch)


def _with_positions(call: Call, source: torch.Tensor, axes: Axes, place: Trail, batch: int | None) -> Description:
    moved = Axes(batch, place.axis)
    assert axes.position is not None
    n = source.shape[axes.position]
    steps = {b - a for a, b in zip(place.values, place.values[1:], strict=False)} or {1}
    if len(steps) > 1 or min(steps) < 1 or batch is None:
        return Description("other", moved)
    step = steps.pop()
    start, end = place.values[0], place.values[-1]
    if call.function in PERMUTING or (start, end, step) == (0, n - 1, 1):
        copies = call.function in REPEATING
        return Description(None if _same_units(call, source, axes) else "concatenate" if copies else "permute", moved)
    if not _same_units(call, source, axes, n, len(place.values)):
        return Description("other", moved)
    if step == 1:
        return Description("pad", moved, Window(padding=(-start, end + 1 - n)))
    return Description("pool", moved, Window(stride=step, padding=(-start, 0)))


def _kept(trail: Trail, size: int, before: int | None) -> int | None:
    if size == 1 and before == 0:
        return 0  # a model of a fixed batch of one, which leaves no trail, keeps it first
    whole = trail.axis is not None and trail.values == tuple(range(size))
    return trail.axis if whole else None


def _coordinates(source: torch.Tensor, axis: int | None, call: Call) -> torch.Tensor:
    """Return a tensor like the source that holds each value's place along one axis."""
    shape = list(source.shape)
    if axis is None:
        return torch.zeros(shape, dtype=torch.int64, device=source.device)
    if call.function in PERMUTING:
        shape[axis] = max(shape[axis], 2)
    along = torch.arange(shape[axis], device=source.device)
    return along.reshape([-1 if i == axis else 1 for i in range(len(shape))]).expand(shape).contiguous()


def _made_with(call: Call, source: torch.Tensor, probe: torch.Tensor) -> torch.Tensor:
    args = replaced(call.args, lambda tensor: probe if tensor is source else tensor)
    kwargs = replaced(dict(call.kwargs), lambda tensor: probe if tensor is source else tensor)
    if call.function in ("view", "view_as"):
        # A view of the values may be possible where one of the contiguous coordinates is not.
        shape: Any = args[1].shape if call.function == "view_as" else args[1:]
        return probe.reshape(*shape) if shape else probe
    return next(tensors_in(call.callee(*args, **kwargs)))


def _trail(call: Call, probe: torch.Tensor, source: torch.Tensor) -> Trail:
    result = _made_with(call, source, probe)
    varying = [
        d for d in range(result.ndim) if result.shape[d] > 1 and bool((result != result.narrow(d, 0, 1)).any().item())
    ]
    if len(varying) != 1:
        return Trail(None, ())
    line = result.movedim(varying[0], 0).reshape(result.shape[varying[0]], -1)[:, 0]
    return Trail(varying[0], tuple(line.tolist()))


def _same_units(call: Call, source: torch.Tensor, axes: Axes, positions: int = 1, kept: int = 1) -> bool:
    """Tell whether units are as many as before, and in the same order, where `kept` of `positions` are left."""
    counted = [i for i in range(source.ndim) if i not in (axes.batch, axes.position)]
    sizes = [source.shape[i] for i in counted]
    total = int(torch.Size(sizes).numel())
    spread = [source.shape[i] if i in counted else 1 for i in range(source.ndim)]
    probe = torch.arange(total, device=source.device).reshape(spread).expand(source.shape).contiguous()
    result = _made_with(call, source, probe)
    units = _one_of_each(result)
    if positions * result.numel() != source.numel() * kept:
        return False
    return units.numel() == total and bool((units == torch.arange(total, device=units.device)).all().item())


def _one_of_each(result: torch.Tensor) -> torch.Tensor:
    """Return the values along the axes on which they vary, flattened."""
    for axis in reversed(range(result.ndim)):
        if result.shape[axis] > 0 and bool((result == result.narrow(axis, 0, 1)).all().item()):
            result = result.select(axis, 0)
    return result.flatten()
