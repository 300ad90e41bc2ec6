"""The reference models' networks; all take float (n, 4, length) and give (n, outputs)."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from cislens.errors import CislensError

POOLED = 40  # bp that the standard CNN takes the maximum over


def standard_cnn(length: int, outputs: int, filters: int, width: int) -> nn.Module:
    """Return the standard CNN of ARGMINN's supplement C.2.

    Raises
    ------
    CislensError
        If the sequences are too short for one window of 40 bp.
    """
    windows = (length - width + 1 - 2 * 4) // POOLED
    if windows < 1:
        raise CislensError(f"standard_cnn needs sequences of {width + 7 + POOLED} bp at least, got {length}")
    layers: list[tuple[str, nn.Module]] = []
    for number, (inputs, wide) in enumerate([(4, width), (filters, 5), (filters, 5)], 1):
        layers += [
            (f"convolution{number}", nn.Conv1d(inputs, filters, wide)),
            (f"relu{number}", nn.ReLU()),
            (f"normalisation{number}", nn.BatchNorm1d(filters)),
        ]
    layers += [("pool", nn.MaxPool1d(POOLED)), ("flatten", nn.Flatten())]
    for number, (inputs, units) in enumerate([(filters * windows, 10), (10, 5)], 4):
        layers += [
            (f"dense{number}", nn.Linear(inputs, units)),
            (f"relu{number}", nn.ReLU()),
            (f"normalisation{number}", nn.BatchNorm1d(units)),
        ]
    return nn.Sequential(OrderedDict([*layers, ("output", nn.Linear(5, outputs))]))


class ResidualBlock(nn.Module):
    """Add to the input what two convolutions of 3, the first dilated, make of it."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 3, padding="same", dilation=dilation),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 3, padding="same"),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, channels, length) from the same shape."""
        changed: torch.Tensor = self.body(x)
        return x + changed


def residual_network(length: int, outputs: int, channels: int, width: int, pool: int, blocks: int) -> nn.Module:
    """Return a dilated residual network that takes the maximum over positions."""
    _require_length("residual_network", length, max(width, pool))
    body = [ResidualBlock(channels, 2**number) for number in range(blocks)]
    return nn.Sequential(
        OrderedDict(
            [
                ("convolution", nn.Conv1d(4, channels, width, padding="same")),
                ("pool", nn.MaxPool1d(pool)),
                *((f"block{number}", block) for number, block in enumerate(body, 1)),
                ("normalisation", nn.BatchNorm1d(channels)),
                ("relu", nn.ReLU()),
                ("maximum", nn.AdaptiveMaxPool1d(1)),
                ("flatten", nn.Flatten()),
                ("dense", nn.Linear(channels, channels)),
                ("dense_relu", nn.ReLU()),
                ("output", nn.Linear(channels, outputs)),
            ]
        )
    )


def basset_like(length: int, outputs: int, filters: int, hidden: int, dropout: float) -> nn.Module:
    """Return three convolutions with pooling and a dense layer."""
    layers: list[tuple[str, nn.Module]] = []
    left, inputs = length, 4
    for number, (width, pool) in enumerate([(19, 3), (11, 4), (7, 4)], 1):
        layers += [
            (f"convolution{number}", nn.Conv1d(inputs, filters, width, padding="same")),
            (f"normalisation{number}", nn.BatchNorm1d(filters)),
            (f"relu{number}", nn.ReLU()),
            (f"pool{number}", nn.MaxPool1d(pool)),
        ]
        left, inputs = left // pool, filters
    _require_length("basset_like", length, 3 * 4 * 4)
    layers += [
        ("flatten", nn.Flatten()),
        ("dense", nn.Linear(left * filters, hidden)),
        ("dense_normalisation", nn.BatchNorm1d(hidden)),
        ("dense_relu", nn.ReLU()),
        ("dropout", nn.Dropout(dropout)),
        ("output", nn.Linear(hidden, outputs)),
    ]
    return nn.Sequential(OrderedDict(layers))


class DilatedLayer(nn.Module):
    """Add to the input the ReLU of its dilated convolution."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(channels, channels, 3, padding="same", dilation=dilation)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, channels, length) from the same shape."""
        added: torch.Tensor = self.relu(self.convolution(x))
        return x + added


def bpnet_like(length: int, outputs: int, channels: int, width: int, layers: int) -> nn.Module:
    """Return BPNet's body with a mean over positions and a dense layer."""
    _require_length("bpnet_like", length, width)
    body = [DilatedLayer(channels, 2**number) for number in range(1, layers + 1)]
    return nn.Sequential(
        OrderedDict(
            [
                ("convolution", nn.Conv1d(4, channels, width, padding="same")),
                ("relu", nn.ReLU()),
                *((f"dilated{number}", layer) for number, layer in enumerate(body, 1)),
                ("mean", nn.AdaptiveAvgPool1d(1)),
                ("flatten", nn.Flatten()),
                ("output", nn.Linear(channels, outputs)),
            ]
        )
    )


def _require_length(name: str, length: int, least: int) -> None:
    if length < least:
        raise CislensError(f"{name} needs sequences of {least} bp at least, got {length}")
