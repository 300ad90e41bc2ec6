"""Convolutions and matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators.registry import operator

CONVOLUTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)
TRANSPOSED = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)


def for_axes(node: Node, functions: Sequence[Any], axes: int) -> Any:
    """Return the one of three functions that works on so many spatial axes.

    Raises
    ------
    Uncovered
        If there is none.
    """
    if not 1 <= axes <= len(functions):
        raise Uncovered(f"{node.operator} over {axes} spatial axes")
    return functions[axes - 1]


def per_axis(node: Node, name: str, axes: int, default: int = 1) -> tuple[int, ...]:
    """Return a setting with one number for each spatial axis."""
    return tuple(node.setting(name) or [default] * axes)


def paddings(node: Node, sizes: Sequence[int], kernel: Sequence[int]) -> list[tuple[int, int]]:
    """Return how many values a sliding window's input is padded with before and after, for each spatial axis.

    Parameters
    ----------
    node
        A convolution or pooling; its `auto_pad` may ask for as many results as inputs over stride.
    sizes, kernel
        Of the input and the window, on the spatial axes.

    Raises
    ------
    Uncovered
        If `auto_pad` is none that ONNX knows.
    """
    axes = len(sizes)
    manner = node.setting("auto_pad", "NOTSET")
    if manner == "VALID":
        return [(0, 0)] * axes
    if manner == "NOTSET":
        pads = per_axis(node, "pads", 2 * axes, 0)
        return list(zip(pads[:axes], pads[axes:], strict=True))
    strides, dilations = per_axis(node, "strides", axes), per_axis(node, "dilations", axes)
    totals = [
        max((-(-size // stride) - 1) * stride + (width - 1) * dilation + 1 - size, 0)
        for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True)
    ]
    return [shared(node, total) for total in totals]


def shared(node: Node, total: int) -> tuple[int, int]:
    """Return how padding that keeps the size is shared between both ends; an odd one is at the end that is named.

    Raises
    ------
    Uncovered
        If `auto_pad` names no end.
    """
    less, more = total // 2, total - total // 2
    match node.setting("auto_pad"):
        case "SAME_UPPER":
            return less, more
        case "SAME_LOWER":
            return more, less
        case manner:
            raise Uncovered(f"{node.operator} with auto_pad {manner}")


def widths(pads: Sequence[tuple[int, int]]) -> list[int]:
    """Return paddings of the spatial axes in torch's order, the last axis first."""
    return [width for pair in reversed(pads) for width in pair]


@operator("Conv")
def convolution(node: Node, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Slide filters along the spatial axes."""
    axes = weight.ndim - 2
    function = for_axes(node, CONVOLUTIONS, axes)
    pads = paddings(node, x.shape[2:], weight.shape[2:])
    if any(before != after for before, after in pads):
        x, pads = functional.pad(x, widths(pads)), [(0, 0)] * axes
    padding = tuple(before for before, _ in pads)
    strides, dilations = per_axis(node, "strides", axes), per_axis(node, "dilations", axes)
    answer: torch.Tensor = function(x, weight, bias, strides, padding, dilations, node.setting("group", 1))
    return answer


@operator("ConvTranspose")
def transposed_convolution(
    node: Node, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Spread values with filters along the spatial axes."""
    axes = weight.ndim - 2
    function = for_axes(node, TRANSPOSED, axes)
    strides, dilations = per_axis(node, "strides", axes), per_axis(node, "dilations", axes)
    extra = per_axis(node, "output_padding", axes, 0)
    pads = _cut(node, x.shape[2:], weight.shape[2:])
    even = all(before == after for before, after in pads)
    padding = tuple(before if even else 0 for before, _ in pads)
    answer: torch.Tensor = function(x, weight, bias, strides, padding, extra, node.setting("group", 1), dilations)
    return answer if even else functional.pad(answer, [-width for width in widths(pads)])


def _cut(node: Node, sizes: Sequence[int], kernel: Sequence[int]) -> list[tuple[int, int]]:
    """Return how many values of a transposed convolution are cut off at both ends, for each spatial axis."""
    axes = len(sizes)
    wanted, manner = node.setting("output_shape"), node.setting("auto_pad", "NOTSET")
    if not wanted and manner in ("NOTSET", "VALID"):
        return paddings(node, sizes, kernel)
    if wanted and manner == "NOTSET":
        raise Uncovered(f"{node.operator} with output_shape and without auto_pad")
    strides, dilations = per_axis(node, "strides", axes), per_axis(node, "dilations", axes)
    extra = per_axis(node, "output_padding", axes, 0)
    wanted = wanted or [size * stride for size, stride in zip(sizes, strides, strict=True)]
    totals = [
        stride * (size - 1) + more + (width - 1) * dilation + 1 - goal
        for size, stride, more, width, dilation, goal in zip(
            sizes, strides, extra, kernel, dilations, wanted[-axes:], strict=True
        )
    ]
    if min(totals) < 0:
        raise Uncovered(f"{node.operator} to more positions than it reaches")
    return [shared(node, total) for total in totals]


@operator("Gemm")
def general_product(node: Node, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
    """Multiply two matrices, one or both transposed, and add a third."""
    a = a.T if node.setting("transA", 0) else a
    weight = b if node.setting("transB", 0) else b.T
    alpha, beta = node.setting("alpha", 1.0), node.setting("beta", 1.0)
    weight = weight if alpha == 1 else alpha * weight
    c = c if c is None or beta == 1 else beta * c
    if c is None or c.numel() in (1, *c.shape[-1:]):
        return functional.linear(a, weight, None if c is None else c.reshape(-1).expand(weight.shape[0]))
    return torch.add(functional.linear(a, weight), c)


@operator("MatMul")
def product(_node: Node, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Multiply (stacks of) matrices."""
    return torch.matmul(a, b)


@operator("Einsum")
def summed_product(node: Node, *factors: torch.Tensor) -> torch.Tensor:
    """Multiply and sum over the axes that an equation names."""
    return torch.einsum(node.setting("equation"), *factors)
