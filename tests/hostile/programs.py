"""TorchScript programs that reach beyond themselves; torch compiles them from their source in this file."""

from __future__ import annotations

import torch
from torch import nn


class Writing(nn.Module):
    """Write what it is given to a file."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.ops.aten.save(x, self.target)
        return x.sum(2)


class Reading(nn.Module):
    """Read a file of the machine."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(2) + torch.from_file("/etc/hostname", False, 1, dtype=torch.uint8)


class Printing(nn.Module):
    """Write to the terminal."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print(x.sum())
        return x.sum(2)


class Summing(nn.Module):
    """Compute alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(2)
