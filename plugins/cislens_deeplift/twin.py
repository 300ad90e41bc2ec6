"""A network in torch that was translated from the layers of an oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from tangermeme.deep_lift_shap import BilinearOp
from torch import nn

Tensor = torch.Tensor


@dataclass(frozen=True, eq=False)
class Translated:
    """Hold a layer's module and the names of the values that it reads."""

    module: nn.Module
    inputs: tuple[str, ...]


class Twin(nn.Module):
    """Run translated layers for one head.

    Parameters
    ----------
    sequence
        Name of the layer that stands for the sequence.
    steps
        By name of the layer, in topological order.
    head, end
        Name of the head, and the step that gives it.
    n_value
        The model's value for the four channels of an N.
    """

    def __init__(self, sequence: str, steps: Mapping[str, Translated], head: str, end: str, n_value: float) -> None:
        super().__init__()
        self.sequence, self.head, self.end, self.n_value = sequence, head, end, n_value
        self.inputs = {name: step.inputs for name, step in steps.items()}
        # Names of layers may hold dots, which names of modules may not.
        self.steps = nn.ModuleList(step.module for step in steps.values())

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the head's tensor for (n, 4, length)."""
        values = {self.sequence: x + self.n_value * (1 - x.sum(1, keepdim=True))}
        for (name, inputs), module in zip(self.inputs.items(), self.steps, strict=True):
            values[name] = module(*(values[source] for source in inputs))
        return {self.head: values[self.end]}


class Sum(nn.Module):
    """Add values up, each times a number."""

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.weights = tuple(weights)

    def forward(self, *values: Tensor) -> Tensor:
        """Return the weighted sum of tensors of one shape."""
        total = values[0] * self.weights[0]
        for weight, value in zip(self.weights[1:], values[1:], strict=True):
            total = total + weight * value
        return total


class Product(nn.Module):
    """Multiply two values, by the rule for products: the multiplier of one is the mean of the other."""

    def __init__(self) -> None:
        super().__init__()
        self.product = BilinearOp("...,...->...")

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the product of two tensors of one shape."""
        product: Tensor = self.product(first, second)
        return product


class Concatenation(nn.Module):
    """Put the units of several values side by side."""

    def forward(self, *values: Tensor) -> Tensor:
        """Return (n, sum of units) or (n, sum of units, positions)."""
        return torch.cat(values, 1)


class PositionsFirst(nn.Module):
    """Swap units and positions."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, positions, units) of x (n, units, positions)."""
        return x.transpose(1, 2)


class OverPositions(nn.Module):
    """Add all positions up."""

    def __init__(self, mean: bool) -> None:
        super().__init__()
        self.mean = mean

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, units) of x (n, units, positions)."""
        return x.mean(2) if self.mean else x.sum(2)


class Reshaped(nn.Module):
    """Give each answer a shape."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, *shape)."""
        return x.reshape(len(x), *self.shape)
