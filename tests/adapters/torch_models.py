"""Small torch models of the forms that genomics uses, with weights drawn from a fixed seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

LENGTH = 64


def sequences(n: int = 5, length: int = LENGTH, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.eye(4, dtype=np.uint8)[np.random.default_rng(seed).integers(0, 4, (n, length))]


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    """Return the module with weights and batch statistics from a seed, without touching torch's own generator."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if not tensor.is_floating_point():
                continue
            values = rng.normal(scale=0.4, size=tuple(tensor.shape))
            if name.endswith("running_var"):
                values = np.abs(values) + 0.5
            tensor.copy_(torch.from_numpy(values))
    return module


def plain(length: int = LENGTH) -> nn.Module:
    """Convolution, normalisation, ReLU in place, pooling, dense: as most published models."""
    return seeded(
        nn.Sequential(
            nn.Conv1d(4, 8, 7),
            nn.BatchNorm1d(8),
            nn.ReLU(inplace=True),
            nn.MaxPool1d(3),
            nn.Conv1d(8, 6, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Linear(6 * ((length - 6) // 3), 2),
        )
    )


class Residual(nn.Module):
    """A dilated residual trunk with functional operations, and a profile and a count head, as in BPNet."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 8, 5, padding=2)
        self.trunk = nn.ModuleList([nn.Conv1d(8, 8, 3, padding="same", dilation=2**i) for i in range(3)])
        self.profile = nn.Conv1d(8, 1, 5, padding=2)
        self.total = nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        x = F.relu(self.first(x))
        for layer in self.trunk:
            x = x + F.relu(layer(x))
        return {"profile": self.profile(x), "counts": self.total(x.mean(-1))}


class Pooled(nn.Module):
    """Blocks of padded pooling with a shortcut, a strided convolution and a crop."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(4, 6, 5, padding="same")
        self.pool = nn.MaxPool1d(3, stride=2, padding=1)
        self.inner = nn.Conv1d(6, 6, 3, padding=1)
        self.norm = nn.BatchNorm1d(6)
        self.strided = nn.Conv1d(12, 5, 4, stride=2, padding=1)
        self.last = nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(F.gelu(self.stem(x)))
        x = torch.cat([x, self.norm(self.inner(x)).exp()], dim=1)
        x = self.strided(F.pad(x, (1, 2)))[:, :, 2:-1]
        return self.last(x.amax(2))


class Units(nn.Module):
    """Independent units in grouped convolutions over copies of the sequence, as in ExplaiNN."""

    def __init__(self, units: int = 5) -> None:
        super().__init__()
        self.units = units
        self.filters = nn.Conv1d(4 * units, units, 7, groups=units)
        self.pool = nn.MaxPool1d(4)
        self.inner = nn.Conv1d(units * ((LENGTH - 6) // 4), units * 3, 1, groups=units)
        self.outer = nn.Conv1d(units * 3, units, 1, groups=units)
        self.final = nn.Linear(units, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.exp(0.2 * self.filters(x.repeat(1, self.units, 1)))
        x = self.pool(x).flatten(1).unsqueeze(-1)
        return self.final(F.relu(self.outer(F.relu(self.inner(x)))).squeeze(-1))


class Recurrent(nn.Module):
    """Convolution, LSTM, self-attention: position-first models that take (n, length, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(4, 8)
        self.lstm = nn.LSTM(8, 6, batch_first=True, bidirectional=True)
        self.attention = nn.MultiheadAttention(12, 2, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.last = nn.Linear(12, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, _ = self.lstm(torch.tanh(self.embed(x)))
        x = self.norm(x + self.attention(x, x, x)[0])
        return torch.sigmoid(self.last(x.mean(1)))


class WithControl(nn.Module):
    """A model that also reads a control track, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 4, 5)
        self.last = nn.Linear(5, 1)

    def forward(self, x: torch.Tensor, control: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat([self.first(x).amax(-1), control], 1))


def image(base: str = "rows") -> nn.Module:
    """Two-dimensional convolutions over (4, length) as an image, or over bases as channels."""
    first = nn.Conv2d(1, 6, (4, 7)) if base == "rows" else nn.Conv2d(4, 6, (1, 7))
    return seeded(
        nn.Sequential(
            first,
            nn.ReLU(),
            nn.MaxPool2d((1, 2)),
            nn.Conv2d(6, 5, (1, 3)),
            nn.Flatten(),
            nn.Linear(5 * 27, 1),
            nn.Sigmoid(),
        )
    )
