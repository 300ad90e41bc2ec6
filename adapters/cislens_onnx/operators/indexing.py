"""Operators that pick values by their place, and numbers that places are worked out from."""

from __future__ import annotations

import torch
from onnx import TensorProto

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators.elementwise import TYPES
from cislens_onnx.operators.registry import operator
from cislens_onnx.operators.shaping import numbers

REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@operator("Slice")
def slice_(
    node: Node,
    x: torch.Tensor,
    starts: torch.Tensor,
    ends: torch.Tensor,
    axes: torch.Tensor | None = None,
    steps: torch.Tensor | None = None,
) -> torch.Tensor:
    """Take a range along some axes; a negative step takes it backwards."""
    chosen = numbers(axes, node, "axes") or list(range(starts.numel()))
    strides = numbers(steps, node, "steps") or [1] * len(chosen)
    taken: list[slice] = [slice(None)] * x.ndim
    backwards = []
    for axis, start, end, step in zip(chosen, starts.tolist(), ends.tolist(), strides, strict=True):
        places = _places(x.shape[axis], start, end, step)
        if step > 0:
            taken[axis] = slice(places.start, places.stop, step)
        else:
            backwards.append(axis)
            # The same places upwards, to be turned around.
            taken[axis] = slice(places[-1], places[0] + 1, -step) if places else slice(0, 0)
    result = x[tuple(taken)]
    return result.flip(backwards) if backwards else result


def _places(size: int, start: int, end: int, step: int) -> range:
    """Return the places of a slice; ONNX counts negative ends from the back, and cuts what lies outside."""
    start, end = (place + size if place < 0 else place for place in (start, end))
    if step > 0:
        return range(min(max(start, 0), size), min(max(end, 0), size), step)
    return range(min(max(start, 0), size - 1), min(max(end, -1), size - 1), step)


@operator("Gather")
def gather(node: Node, x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Take places along an axis; the axes of the places stand in its place."""
    axis = node.setting("axis", 0) % x.ndim
    if indices.ndim == 0:
        return x.select(axis, int(indices))
    places = torch.where(indices < 0, indices + x.shape[axis], indices).to(x.device)
    taken = torch.index_select(x, axis, places.reshape(-1))
    return taken if indices.ndim == 1 else taken.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


@operator("GatherElements")
def gather_elements(node: Node, x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Take for each value of the result its own place along an axis."""
    axis = node.setting("axis", 0)
    return torch.gather(x, axis, torch.where(indices < 0, indices + x.shape[axis], indices).to(x.device))


@operator("GatherND")
def gather_nd(node: Node, x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Take places along several axes at once, within each row of the first `batch_dims` axes."""
    places = indices.to(x.device)
    rows = [
        torch.arange(size, device=x.device).reshape([-1 if i == axis else 1 for i in range(indices.ndim - 1)])
        for axis, size in enumerate(x.shape[: node.setting("batch_dims", 0)])
    ]
    return x[(*rows, *places.unbind(-1))]


@operator("ScatterND")
def scatter_nd(node: Node, x: torch.Tensor, indices: torch.Tensor, updates: torch.Tensor) -> torch.Tensor:
    """Put values, or add them, into places along several axes."""
    how = node.setting("reduction", "none")
    if how not in ("none", "add"):
        raise Uncovered(f"ScatterND with reduction {how}")
    return torch.index_put(x, tuple(indices.to(x.device).unbind(-1)), updates, accumulate=how == "add")


@operator("ScatterElements")
def scatter_elements(node: Node, x: torch.Tensor, indices: torch.Tensor, updates: torch.Tensor) -> torch.Tensor:
    """Put values, or combine them with what is there, each into its own place along an axis."""
    how, axis = node.setting("reduction", "none"), node.setting("axis", 0)
    places = torch.where(indices < 0, indices + x.shape[axis], indices).to(x.device)
    if how == "none":
        return torch.scatter(x, axis, places, updates)
    return torch.scatter_reduce(x, axis, places, updates, REDUCTIONS[how])


@operator("Compress")
def compress(node: Node, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    """Take the places along an axis, or of all values in a row, where a condition holds."""
    axis = node.setting("axis")
    places = torch.nonzero(condition).reshape(-1).to(x.device)
    return torch.index_select(x.reshape(-1) if axis is None else x, axis or 0, places)


@operator("ReverseSequence")
def reverse_sequence(node: Node, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Turn the first positions of each sequence around, as many as its length."""
    rows, positions = node.setting("batch_axis", 1), node.setting("time_axis", 0)
    if all(length == x.shape[positions] for length in lengths.tolist()):
        return x.flip(positions)
    along = [[-1 if i == axis else 1 for i in range(x.ndim)] for axis in (rows, positions)]
    size, place = lengths.reshape(along[0]), torch.arange(x.shape[positions]).reshape(along[1])
    turned = torch.where(place < size, size - 1 - place, place).to(x.device)
    return torch.gather(x, positions, turned.expand(x.shape))


@operator("Range")
def range_(node: Node, start: torch.Tensor, limit: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
    """Return numbers at equal steps."""
    first, last, step = start.item(), limit.item(), delta.item()
    # torch refuses to count away from the limit, where ONNX returns nothing.
    return torch.arange(first, first if (last - first) * step < 0 else last, step, dtype=start.dtype)


@operator("Trilu")
def triangle(node: Node, x: torch.Tensor, diagonal: torch.Tensor | None = None) -> torch.Tensor:
    """Keep the upper or the lower triangle."""
    first = 0 if diagonal is None else int(diagonal)
    return torch.triu(x, first) if node.setting("upper", 1) else torch.tril(x, first)


@operator("OneHot")
def one_hot(node: Node, indices: torch.Tensor, depth: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return one of two values where a place is, and the other elsewhere."""
    count, axis = int(depth.reshape(-1)[0]), node.setting("axis", -1)
    places = torch.arange(count, device=indices.device)
    whole = indices.to(torch.int64)
    hit = torch.where(whole < 0, whole + count, whole).unsqueeze(-1) == places
    result = torch.where(hit, values[1], values[0])
    return result if axis == -1 else result.movedim(-1, axis)


@operator("TopK")
def largest(node: Node, x: torch.Tensor, count: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest (or smallest) values along an axis, and their places: the first, where values are equal."""
    number, axis, upwards = int(count.reshape(-1)[0]), node.setting("axis", -1), bool(node.setting("largest", 1))
    places = torch.argsort(x, dim=axis, descending=upwards, stable=True).narrow(axis, 0, number)
    return torch.topk(x, number, axis, upwards, sorted=True).values, places


@operator("NonZero")
def places_of_values(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return the places of what is not zero, an axis a row."""
    return torch.nonzero(x).T


@operator("EyeLike")
def diagonal_like(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return ones on a diagonal of the input's shape."""
    asked = node.setting("dtype")
    if asked is not None and asked not in TYPES:
        raise Uncovered(f"EyeLike of {TensorProto.DataType.Name(asked)}")
    rows, columns = (torch.arange(size, device=x.device) for size in x.shape)
    return torch.eq(columns, rows[:, None] + node.setting("k", 0)).to(x.dtype if asked is None else TYPES[asked])
