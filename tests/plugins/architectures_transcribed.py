"""The published layer tables, written as they are found in the wild, with few filters and random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class Lambda(nn.Sequential):
    """A function as a module, as converters from torch7 write it."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def flat() -> Lambda:
    return Lambda(lambda x: x.reshape(x.size(0), -1))


def linear(*sizes: int) -> nn.Sequential:
    """A linear layer as the converters nest it."""
    return nn.Sequential(Lambda(lambda x: x), nn.Linear(*sizes))


def randomised(module: nn.Module) -> nn.Module:
    """Give a module weights at which neither its activations nor its averages are all alike."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.2)
            elif tensor.is_floating_point():
                fan_in = max(tensor[0].numel(), 1) if tensor.ndim > 1 else 4
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * (1.5 / fan_in) ** 0.5)
    return module.eval()


def deepsea(filters: tuple[int, int, int] = (12, 16, 20), features: int = 9) -> nn.Sequential:
    a, b, c = filters
    return nn.Sequential(
        nn.Conv2d(4, a, (1, 8), (1, 1)),
        nn.Threshold(0, 1e-06),
        nn.MaxPool2d((1, 4), (1, 4)),
        nn.Dropout(0.2),
        nn.Conv2d(a, b, (1, 8), (1, 1)),
        nn.Threshold(0, 1e-06),
        nn.MaxPool2d((1, 4), (1, 4)),
        nn.Dropout(0.2),
        nn.Conv2d(b, c, (1, 8), (1, 1)),
        nn.Threshold(0, 1e-06),
        nn.Dropout(0.5),
        flat(),
        linear(53 * c, 15),
        nn.Threshold(0, 1e-06),
        linear(15, features),
        nn.Sigmoid(),
    )


class Beluga(nn.Module):
    """ExPecto's chromatin model."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Sequential(
                nn.Conv2d(4, 8, (1, 8)),
                nn.ReLU(),
                nn.Conv2d(8, 9, (1, 8)),
                nn.ReLU(),
                nn.Dropout(0.2),
                nn.MaxPool2d((1, 4), (1, 4)),
                nn.Conv2d(9, 10, (1, 8)),
                nn.ReLU(),
                nn.Conv2d(10, 10, (1, 8)),
                nn.ReLU(),
                nn.Dropout(0.2),
                nn.MaxPool2d((1, 4), (1, 4)),
                nn.Conv2d(10, 12, (1, 8)),
                nn.ReLU(),
                nn.Conv2d(12, 12, (1, 8)),
                nn.ReLU(),
            ),
            nn.Sequential(nn.Dropout(0.5), flat(), linear(106 * 12, 21), nn.ReLU(), linear(21, 20)),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


def basset() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(4, 12, (19, 1)),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.MaxPool2d((3, 1), (3, 1)),
        nn.Conv2d(12, 10, (11, 1)),
        nn.BatchNorm2d(10),
        nn.ReLU(),
        nn.MaxPool2d((4, 1), (4, 1)),
        nn.Conv2d(10, 10, (7, 1)),
        nn.BatchNorm2d(10),
        nn.ReLU(),
        nn.MaxPool2d((4, 1), (4, 1)),
        flat(),
        linear(100, 30),
        nn.BatchNorm1d(30, 1e-05, 0.1, True),
        nn.ReLU(),
        nn.Dropout(0.3),
        linear(30, 25),
        nn.BatchNorm1d(25, 1e-05, 0.1, True),
        nn.ReLU(),
        nn.Dropout(0.3),
        linear(25, 6),
        nn.Sigmoid(),
    )


class DeepStarr(nn.Module):
    """A port to PyTorch: one last layer of two units, or a layer for each activity."""

    def __init__(self, joined: bool) -> None:
        super().__init__()
        sizes, widths, hidden = (4, 10, 6, 7, 8), (7, 3, 5, 3), (8 * 15, 12, 11)
        for i, width in enumerate(widths, 1):
            setattr(self, f"conv{i}", nn.Conv1d(sizes[i - 1], sizes[i], width, padding=width // 2))
            setattr(self, f"bn{i}", nn.BatchNorm1d(sizes[i]))
        for i in (1, 2):
            setattr(self, f"fc{i}", nn.Linear(hidden[i - 1], hidden[i]))
            setattr(self, f"bn{4 + i}", nn.BatchNorm1d(hidden[i]))
        self.joined = joined
        if joined:
            self.fc3 = nn.Linear(11, 2)
        else:
            self.dev, self.hk = nn.Linear(11, 1), nn.Linear(11, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i in range(1, 5):
            block: Any = (getattr(self, f"conv{i}"), getattr(self, f"bn{i}"))
            x = nn.functional.max_pool1d(torch.relu(block[1](block[0](x))), 2)
        x = x.flatten(1)
        x = torch.relu(self.bn5(self.fc1(x)))
        x = torch.relu(self.bn6(self.fc2(x)))
        return self.fc3(x) if self.joined else torch.cat([self.dev(x), self.hk(x)], 1)


class Exponential(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(x)


class Unsqueeze(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unsqueeze(-1)


class ExplaiNN(nn.Module):
    """ExplaiNN with any number of hidden layers a unit."""

    def __init__(self, hidden: int, units: int = 6, length: int = 120, width: int = 9) -> None:
        super().__init__()
        self.units = units
        first = [nn.Conv1d(4 * units, units, width, groups=units), nn.BatchNorm1d(units), Exponential()]
        pooled = [nn.MaxPool1d(7, 7), nn.Flatten(), Unsqueeze()]
        positions = (length - width + 1) // 7

        def own(before: int, after: int) -> list[nn.Module]:
            convolution = nn.Conv1d(before * units, after * units, 1, groups=units)
            return [convolution, nn.BatchNorm1d(after * units), nn.ReLU()]

        if hidden == 0:
            self.linears = nn.Sequential(*first, nn.MaxPool1d(length - width + 1), nn.Flatten())
        elif hidden == 1:
            self.linears = nn.Sequential(*first, *pooled, *own(positions, 1), nn.Flatten())
        elif hidden == 2:
            layers = [*own(positions, 5), nn.Dropout(0.3), *own(5, 1)]
            self.linears = nn.Sequential(*first, *pooled, *layers, nn.Flatten())
        else:
            self.linears = nn.Sequential(*first, *pooled, *own(positions, 5))
            middle = [nn.Sequential(nn.Dropout(0.3), *own(5, 5)) for _ in range(hidden - 2)]
            self.linears_bg = nn.ModuleList(middle)
            self.last_linear = nn.Sequential(nn.Dropout(0.3), *own(5, 1), nn.Flatten())
        self.final = nn.Linear(units, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linears(x.repeat(1, self.units, 1))
        if hasattr(self, "last_linear"):
            for part in self.linears_bg:
                x = part(x)
            x = self.last_linear(x)
        return self.final(x)
