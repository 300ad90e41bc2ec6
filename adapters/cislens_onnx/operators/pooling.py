"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators.convolution import CONVOLUTIONS, for_axes, paddings, per_axis, widths
from cislens_onnx.operators.registry import operator

MAXIMA = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
AVERAGES = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
WHOLE_AVERAGES = (functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d, functional.adaptive_avg_pool3d)
WHOLE_MAXIMA = (functional.adaptive_max_pool1d, functional.adaptive_max_pool2d, functional.adaptive_max_pool3d)


class Windows:
    """Where the windows of a pooling lie.

    Parameters
    ----------
    node
        The pooling.
    sizes
        Of its input, on the spatial axes.
    """

    def __init__(self, node: Node, sizes: Sequence[int]) -> None:
        axes = len(sizes)
        self.kernel: tuple[int, ...] = tuple(node.setting("kernel_shape"))
        self.strides, self.dilations = per_axis(node, "strides", axes), per_axis(node, "dilations", axes)
        self.pads = paddings(node, sizes, self.kernel)
        self.ceiling = bool(node.setting("ceil_mode", 0))
        self.beyond = [self._beyond(axis, size) for axis, size in enumerate(sizes)]

    def _beyond(self, axis: int, size: int) -> int:
        """Return by how much the last window reaches over the padded input: a window that is cut off still counts."""
        reach, stride = (self.kernel[axis] - 1) * self.dilations[axis] + 1, self.strides[axis]
        before, after = self.pads[axis]
        last: int = -(-(size + before + after - reach) // stride) if self.ceiling else 0
        if last * stride >= size + before:
            last -= 1  # a window that would start behind the input
        return max(last * stride + reach - size - before - after, 0)

    @property
    def padding(self) -> int | tuple[int, ...] | None:
        """As torch's pooling takes it; None where torch cannot pad so itself."""
        spans = zip(self.kernel, self.dilations, strict=True)
        most = [((width - 1) * dilation + 1) // 2 for width, dilation in spans]
        even = all(before == after <= limit for (before, after), limit in zip(self.pads, most, strict=True))
        return tuple(before for before, _ in self.pads) if even else None

    @property
    def widths(self) -> list[int]:
        """As `pad` takes them, so that every window lies within the padded input."""
        pairs = zip(self.pads, self.beyond, strict=True)
        return widths([(before, after + more) for (before, after), more in pairs])

    def padded(self, x: torch.Tensor, value: float = 0.0) -> torch.Tensor:
        """Return the input with all that windows reach over."""
        return functional.pad(x, self.widths, value=value) if any(self.widths) else x


@operator("MaxPool")
def largest(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return the largest value of each window."""
    if len(node.outputs) > 1:
        raise Uncovered("MaxPool with indices")
    windows = Windows(node, x.shape[2:])
    function = for_axes(node, MAXIMA, x.ndim - 2)
    padding, ceiling = windows.padding, windows.ceiling
    if padding is None:
        x, padding, ceiling = windows.padded(x, float("-inf")), 0, False
    answer: torch.Tensor = function(x, windows.kernel, windows.strides, padding, windows.dilations, ceiling)
    return answer


@operator("AveragePool")
def average(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return the mean of each window, with or without the padding in it."""
    windows = Windows(node, x.shape[2:])
    with_padding = bool(node.setting("count_include_pad", 0))
    padding = windows.padding
    if padding is not None and set(windows.dilations) == {1}:
        function = for_axes(node, AVERAGES, x.ndim - 2)
        answer: torch.Tensor = function(x, windows.kernel, windows.strides, padding, windows.ceiling, with_padding)
        return answer
    means = _mean(node, windows.padded(x), windows)
    if not any(windows.beyond if with_padding else windows.widths):
        return means
    # The share of a window that counts is the mean, in the same windows, of ones where values count.
    sizes = [size + sum(pads) if with_padding else size for size, pads in zip(x.shape[2:], windows.pads, strict=True)]
    counted = torch.ones(1, 1, *sizes, dtype=x.dtype, device=x.device)
    behind = widths([(0, more) for more in windows.beyond])
    padded = functional.pad(counted, behind) if with_padding else windows.padded(counted)
    return torch.div(means, _mean(node, padded, windows))


def _mean(node: Node, x: torch.Tensor, windows: Windows) -> torch.Tensor:
    axes, channels = len(windows.kernel), x.shape[1]
    if set(windows.dilations) == {1}:
        answer: torch.Tensor = for_axes(node, AVERAGES, axes)(x, windows.kernel, windows.strides)
        return answer
    # torch's pooling spreads no windows, its convolution does.
    size = torch.Size(windows.kernel).numel()
    weight = torch.full((channels, 1, *windows.kernel), 1 / size, dtype=x.dtype, device=x.device)
    function = for_axes(node, CONVOLUTIONS, axes)
    spread: torch.Tensor = function(x, weight, None, windows.strides, 0, windows.dilations, channels)
    return spread


@operator("LpPool")
def norm(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return the p-norm of each window."""
    # torch's own takes powers of the values as they are, ONNX of their sizes.
    windows, p = Windows(node, x.shape[2:]), node.setting("p", 2)
    means = _mean(node, windows.padded(torch.pow(torch.abs(x), p)), windows)
    sums = torch.mul(means, torch.Size(windows.kernel).numel())
    return torch.pow(sums, 1 / p)


@operator("GlobalAveragePool")
def whole_average(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return the mean over all positions."""
    answer: torch.Tensor = for_axes(node, WHOLE_AVERAGES, x.ndim - 2)(x, 1)
    return answer


@operator("GlobalMaxPool")
def whole_maximum(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return the largest value over all positions."""
    answer: torch.Tensor = for_axes(node, WHOLE_MAXIMA, x.ndim - 2)(x, 1)
    return answer


@operator("GlobalLpPool")
def whole_norm(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return the p-norm over all positions."""
    answer: torch.Tensor = torch.linalg.vector_norm(x, node.setting("p", 2), tuple(range(2, x.ndim)), keepdim=True)
    return answer
