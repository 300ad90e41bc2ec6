"""A network as the one scalar that a target names, every nonlinearity of the target a module that has a rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from cislens.oracle.head import Head
from cislens.reduction import SATURATION, reduce
from cislens.target import Target
from cislens_deeplift.rules import Clip, Exponential, Largest, Logarithm, further_rules

Tensor = torch.Tensor


class Scalar(nn.Module):
    """Answer with one target of a network, (n, 1), for sequences (n, 4, length), and remember the answers.

    Parameters
    ----------
    network
        Takes (n, 4, length) and gives each head's tensor by name.
    target, head
        What is explained of it.
    of_one_number
        Classes of the network's modules, beside those of torch, that apply a function of one number.
    """

    def __init__(
        self, network: nn.Module, target: Target, head: Head, of_one_number: Iterable[type[nn.Module]] = ()
    ) -> None:
        super().__init__()
        self.network = network
        self.target, self.head = target, head
        self.functions = RuledFunctions()
        self.rules = further_rules(of_one_number)
        self.answered: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return the target's values as a column."""
        value = reduce(self.target, self.head, self.network(x)[self.head.name], self.functions)
        self.answered.append(value.detach())
        column: Tensor = value[:, None]
        return column


class RuledFunctions(nn.Module):
    """The functions that reductions need, as modules that the rules know.

    Sequences and their references are the two halves of a batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.exp, self.log = Exponential(), Logarithm()
        self.bounded = Clip(SATURATION, 1 - SATURATION)
        self.pool = Largest()

    def clip(self, y: Tensor, low: float, high: float) -> Tensor:
        """Return y between the bounds."""
        assert (low, high) == (self.bounded.low, self.bounded.high)
        bounded: Tensor = self.bounded(y)
        return bounded

    def largest(self, y: Tensor) -> Tensor:
        """Return the maximum along the last axis, kept."""
        largest: Tensor = self.pool(y.reshape(-1, 1, y.shape[-1]))
        return largest.reshape(*y.shape[:-1], 1)

    def constant(self, y: Tensor) -> Tensor:
        """Return y without its gradient.

        A single number is a shift that cancels out, but only where a sequence and its reference have the same one do
        the rules see it cancel.
        """
        y = y.detach()
        return torch.maximum(*y.chunk(2)).repeat(2, *[1] * (y.ndim - 1)) if y.shape[-1] == 1 else y

    def like(self, values: Any, y: Tensor) -> Tensor:
        """Return values as a tensor of y's type, where y is."""
        return torch.as_tensor(values, dtype=y.dtype, device=y.device)
