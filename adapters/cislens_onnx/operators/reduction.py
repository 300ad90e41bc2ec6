"""Operators that sum over axes, or along one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators.registry import Operator, operator

# Given values, axes and whether these are kept with size 1.
Reduction = Callable[[torch.Tensor, tuple[int, ...], bool], torch.Tensor]


def _sum(x: torch.Tensor, axes: tuple[int, ...], keep: bool) -> torch.Tensor:
    # torch would sum integers into wider ones.
    return torch.sum(x, axes, keep) if x.is_floating_point() else torch.sum(x, axes, keep, dtype=x.dtype)


def _mean(x: torch.Tensor, axes: tuple[int, ...], keep: bool) -> torch.Tensor:
    if not x.is_floating_point():
        raise Uncovered("ReduceMean of integers")
    return torch.mean(x, axes, keep)


def _product(x: torch.Tensor, axes: tuple[int, ...], keep: bool) -> torch.Tensor:
    for axis in sorted(axes, reverse=True):
        x = torch.prod(x, axis, keep, dtype=x.dtype)
    return x


def _norm(x: torch.Tensor, axes: tuple[int, ...], keep: bool) -> torch.Tensor:
    # Its gradient is zero at zero, where that of a square root is none.
    norms: torch.Tensor = torch.linalg.vector_norm(x, 2, axes, keepdim=True)
    return norms if keep else norms.squeeze(axes)


REDUCTIONS: dict[str, Reduction] = {
    "ReduceSum": _sum,
    "ReduceMean": _mean,
    "ReduceProd": _product,
    "ReduceMax": torch.amax,
    "ReduceMin": torch.amin,
    "ReduceL1": lambda x, axes, keep: _sum(torch.abs(x), axes, keep),
    "ReduceL2": _norm,
    "ReduceLogSum": lambda x, axes, keep: torch.log(_sum(x, axes, keep)),
    "ReduceLogSumExp": torch.logsumexp,
    "ReduceSumSquare": lambda x, axes, keep: _sum(torch.square(x), axes, keep),
}


def _reduced(reduction: Reduction) -> Operator:
    def reduced(node: Node, x: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
        listed = axes.tolist() if axes is not None else node.setting("axes", [])
        if not listed and node.setting("noop_with_empty_axes", 0):
            # Each value alone is still squared, say: it is reduced over an axis of its own.
            return reduction(x.unsqueeze(-1), (x.ndim,), False)
        chosen = tuple(sorted(axis % x.ndim for axis in listed)) or tuple(range(x.ndim))
        return reduction(x, chosen, bool(node.setting("keepdims", 1)))

    return reduced


for name, reduction in REDUCTIONS.items():
    operator(name)(_reduced(reduction))


@operator("ArgMax", "ArgMin")
def place_of_extreme(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return where along an axis the largest, or smallest, value is: the first such, or the last."""
    axis = node.setting("axis", 0) % x.ndim
    function: Callable[..., torch.Tensor] = torch.argmax if node.operator == "ArgMax" else torch.argmin
    keep = bool(node.setting("keepdims", 1))
    if node.setting("select_last_index", 0):
        return torch.sub(x.shape[axis] - 1, function(x.flip(axis), axis, keep))
    return function(x, axis, keep)


@operator("CumSum", "CumProd")
def accumulated(node: Node, x: torch.Tensor, axis: torch.Tensor) -> torch.Tensor:
    """Add, or multiply, values up along an axis, from its start or its end, each with itself or without."""
    along = axis.reshape(-1).tolist()[0] % x.ndim
    backwards = node.setting("reverse", 0)
    x = x.flip(along) if backwards else x
    neutral, function = (0, torch.cumsum) if node.operator == "CumSum" else (1, torch.cumprod)
    if node.setting("exclusive", 0):
        shifted = [0] * (2 * (x.ndim - 1 - along)) + [1, -1]
        x = functional.pad(x, shifted, value=neutral)
    answer = function(x, along, dtype=x.dtype)
    return answer.flip(along) if backwards else answer


def _over_one_axis(node: Node, x: torch.Tensor, function: Callable[[torch.Tensor, int], torch.Tensor]) -> torch.Tensor:
    """Call a function along the axis that a node names; before operator set 13, along it and all behind it as one."""
    axis = node.setting("axis", -1 if node.opset >= 13 else 1) % x.ndim
    if node.opset >= 13 or torch.Size(x.shape[axis + 1 :]).numel() == 1:
        return function(x, axis)
    return function(x.flatten(axis), axis).reshape(x.shape)


@operator("Softmax")
def softmax(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return exponentials that sum to one along an axis."""
    return _over_one_axis(node, x, functional.softmax)


@operator("LogSoftmax")
def log_softmax(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return logarithms of exponentials that sum to one along an axis."""
    return _over_one_axis(node, x, functional.log_softmax)


@operator("Hardmax")
def hardmax(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return one where the first largest value along an axis is, else zero."""
    return _over_one_axis(node, x, _first_largest)


def _first_largest(x: torch.Tensor, axis: int) -> torch.Tensor:
    zeros = torch.zeros(x.shape, dtype=x.dtype, device=x.device)
    return zeros.scatter(axis, torch.argmax(x, axis, keepdim=True), 1)
