"""Which modules have a rule, and modules for the functions that have none in torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from tangermeme.deep_lift_shap import BilinearOp
from tangermeme.deep_lift_shap import _maxpool as share_of_maxima
from tangermeme.deep_lift_shap import _nonlinear as rescale
from torch import nn

Tensor = torch.Tensor


class Exponential(nn.Module):
    """Apply the exponential function."""

    def forward(self, x: Tensor) -> Tensor:
        """Return exp(x)."""
        return torch.exp(x)


class Logarithm(nn.Module):
    """Apply the natural logarithm."""

    def forward(self, x: Tensor) -> Tensor:
        """Return log(x)."""
        return torch.log(x)


class Clip(nn.Module):
    """Hold values between two bounds."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        """Return x between the bounds."""
        return x.clamp(self.low, self.high)


class Largest(nn.MaxPool1d):
    """Take the maximum over all positions."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, input: Tensor) -> Tensor:
        """Return (n, channels, 1) of an input (n, channels, positions)."""
        self.kernel_size = self.stride = input.shape[-1]
        largest = super().forward(input)
        assert isinstance(largest, Tensor)
        return largest


# The rescale rule is right for every function of one number; tangermeme lists some of torch's.
OF_ONE_NUMBER: tuple[type[nn.Module], ...] = (
    *(nn.ReLU, nn.ReLU6, nn.RReLU, nn.LeakyReLU, nn.PReLU, nn.Threshold),
    *(nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish),
    *(nn.Sigmoid, nn.LogSigmoid, nn.Hardsigmoid, nn.Tanh, nn.Hardtanh, nn.Softsign, nn.Softplus),
    *(nn.Softshrink, nn.Hardshrink, nn.Tanhshrink, Exponential, Logarithm, Clip),
)
OF_SEVERAL: tuple[type[nn.Module], ...] = (
    *(nn.MaxPool1d, nn.MaxPool2d, Largest, nn.Softmax, nn.GLU, nn.LayerNorm, nn.RMSNorm, BilinearOp),
)
COVERED = frozenset((*OF_ONE_NUMBER, *OF_SEVERAL))


def further_rules(of_one_number: Iterable[type[nn.Module]]) -> dict[type[nn.Module], Callable[..., Any]]:
    """Return the rules to add to tangermeme's own, with those of further modules that are functions of one number."""
    return {**dict.fromkeys((*OF_ONE_NUMBER, *of_one_number), rescale), Largest: share_of_maxima}
