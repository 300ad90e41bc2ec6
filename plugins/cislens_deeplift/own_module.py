"""A torch model as a network on (n, 4, length), and the average of a network over both strands."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from cislens.oracle.head import Head
from cislens_torch import TorchOracle
from cislens_torch.tensors import encode

Tensor = torch.Tensor


class OwnModule(nn.Module):
    """Answer with a torch model itself, its modules among this one's so that rules can be hooked to them.

    Parameters
    ----------
    oracle
        The model.
    """

    def __init__(self, oracle: TorchOracle) -> None:
        super().__init__()
        self.oracle = oracle
        self.module = watched(oracle)
        self.device = str(oracle.placement.device)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the heads' tensors for (n, 4, length)."""
        encoded = encode(x.transpose(1, 2), self.oracle.encoding, self.oracle.placement.dtype)
        answers = self.oracle.run(encoded).values()
        return {head.name: answer for head, answer in zip(self.oracle.heads, answers, strict=True)}


class BothStrands(nn.Module):
    """Average a network's answers over both strands, as `ReverseComplementAverage` does.

    Parameters
    ----------
    network
        Answers for one strand.
    heads
        Its heads, which say where positions and strands lie.
    """

    def __init__(self, network: nn.Module, heads: Iterable[Head]) -> None:
        super().__init__()
        self.network = network
        self.turned = {
            head.name: [1 + i for i, axis in enumerate(head.axes) if axis in ("position", "strand")] for head in heads
        }

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the heads' tensors for (n, 4, length)."""
        given, turned = self.network(x), self.network(x.flip(1, 2))
        return {name: (given[name] + turned[name].flip(self.turned[name])) / 2 for name in given}


def watched(oracle: TorchOracle) -> nn.Module:
    """Return the module whose operations the oracle shows: of a compiled one, what it was compiled from."""
    module: nn.Module = getattr(oracle.module, "_orig_mod", oracle.module)
    return module
