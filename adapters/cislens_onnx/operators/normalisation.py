"""Normalisation, and dropout, which in inference passes values through."""

from __future__ import annotations

import torch
from torch.nn import functional

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators.registry import operator


@operator("BatchNormalization")
def by_running_statistics(
    node: Node,
    x: torch.Tensor,
    scale: torch.Tensor,
    offset: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
) -> torch.Tensor:
    """Normalise channels by a mean and variance from training."""
    # Before operator set 14 it is the further outputs that mean training.
    if node.setting("training_mode", 0) or len(node.outputs) > 1:
        raise Uncovered("BatchNormalization in training mode")
    return functional.batch_norm(x, mean, variance, scale, offset, False, 0.0, node.setting("epsilon", 1e-5))


@operator("LayerNormalization")
def over_last_axes(
    node: Node, x: torch.Tensor, scale: torch.Tensor, offset: torch.Tensor | None = None
) -> torch.Tensor | tuple[torch.Tensor, ...]:
    """Normalise over the last axes by their own mean and variance."""
    axis, epsilon = node.setting("axis", -1) % x.ndim, node.setting("epsilon", 1e-5)
    shape = x.shape[axis:]
    offset = None if offset is None else _over(node, offset, shape)
    answer = functional.layer_norm(x, list(shape), _over(node, scale, shape), offset, epsilon)
    if len(node.outputs) == 1:
        return answer
    variance, mean = torch.var_mean(x, tuple(range(axis, x.ndim)), correction=0, keepdim=True)
    return answer, mean, torch.rsqrt(variance + epsilon)


@operator("RMSNormalization")
def by_root_mean_square(node: Node, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Divide by the root of the mean square over the last axes."""
    shape, epsilon = x.shape[node.setting("axis", -1) % x.ndim :], node.setting("epsilon", 1e-5)
    if scale.ndim > len(shape):
        # torch's exporter writes ones of the input's number of axes where a model has no scale.
        return torch.mul(functional.rms_norm(x, list(shape), None, epsilon), scale)
    return functional.rms_norm(x, list(shape), scale.expand(shape), epsilon)


def _over(node: Node, array: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Return a scale or offset for each value that is normalised with the others."""
    if array.ndim > len(shape):
        raise Uncovered(f"{node.operator} with a scale or offset over more axes than it normalises")
    return array.expand(shape)


@operator("InstanceNormalization")
def over_positions(node: Node, x: torch.Tensor, scale: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Normalise each channel of each sequence by its own mean and variance."""
    return torch.group_norm(x, x.shape[1], scale, offset, node.setting("epsilon", 1e-5), False)


@operator("GroupNormalization")
def over_groups(node: Node, x: torch.Tensor, scale: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Normalise each group of channels of each sequence by its own mean and variance."""
    groups = node.setting("num_groups")
    if node.opset < 21:
        # Scale and offset were given for each group, since then for each channel.
        scale, offset = (array.repeat_interleave(x.shape[1] // groups) for array in (scale, offset))
    return torch.group_norm(x, groups, scale, offset, node.setting("epsilon", 1e-5), False)


@operator("LpNormalization")
def by_norm(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Divide by the 1- or 2-norm along an axis; zeros stay zeros."""
    smallest = torch.finfo(x.dtype).tiny
    return functional.normalize(x, node.setting("p", 2), node.setting("axis", -1), eps=smallest)


@operator("MeanVarianceNormalization")
def over_chosen_axes(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Subtract the mean and divide by the standard deviation over chosen axes."""
    axes = tuple(node.setting("axes", [0, 2, 3]))
    deviation, mean = torch.std_mean(x, axes, correction=0, keepdim=True)
    return (x - mean) / (deviation + 1e-9)


@operator("LRN")
def by_neighbouring_channels(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Divide by a power of the mean square over neighbouring channels."""
    size, bias = node.setting("size"), node.setting("bias", 1.0)
    return functional.local_response_norm(x, size, node.setting("alpha", 1e-4), node.setting("beta", 0.75), bias)


@operator("Dropout")
def dropout(
    node: Node, x: torch.Tensor, _ratio: torch.Tensor | None = None, training: torch.Tensor | None = None
) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
    """Pass values through, as dropout does in inference."""
    if training is not None and training.tolist():
        raise Uncovered("Dropout in training mode")
    answer = functional.dropout(x, training=False)
    return answer if len(node.outputs) == 1 else (answer, torch.ones_like(x, dtype=torch.bool))
