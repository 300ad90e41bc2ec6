"""Every nonlinearity that rules hooked to modules would miss is found by name, and explained rightly or refused."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tangermeme")

import torch.nn.functional as F  # noqa: E402
from tests.plugins.test_deeplift import LENGTH, SEQUENCES, delta, seeded  # noqa: E402
from torch import nn  # noqa: E402

from cislens import explain, open_oracle  # noqa: E402
from cislens.errors import CapabilityError  # noqa: E402
from cislens_deeplift import DeepLiftShap  # noqa: E402
from cislens_deeplift.preflight import listed, uncovered  # noqa: E402

pytestmark = pytest.mark.torch
UNITS, INNER = 6, LENGTH - 4


class Between(nn.Module):
    """A convolution, what is to be examined, and a dense layer."""

    def __init__(self, middle=None, function=None, units: int = UNITS, positions: int = INNER) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, UNITS, 5)
        self.middle = middle if middle is not None else nn.Identity()
        self.function = function
        self.last = nn.Linear(units * positions, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.middle(self.first(x))
        y = y if self.function is None else self.function(y)
        return self.last(y.flatten(1))


class Gated(nn.Module):
    """A product of two branches."""

    def __init__(self) -> None:
        super().__init__()
        self.value, self.gate = nn.Conv1d(UNITS, UNITS, 3, padding=1), nn.Conv1d(UNITS, UNITS, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.value(x) * torch.sigmoid(self.gate(x))


class Attending(nn.Module):
    """Attention of positions to one another."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(UNITS, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.transpose(1, 2)
        return self.attention(y, y, y, need_weights=False)[0].transpose(1, 2)


class Recurrent(nn.Module):
    """An LSTM along the positions."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(UNITS, UNITS, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x.transpose(1, 2))[0].transpose(1, 2)


class Reused(nn.Module):
    """One ReLU in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.relu, self.inner = nn.ReLU(), nn.Conv1d(UNITS, UNITS, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.inner(self.relu(x)))


class OwnReLU(nn.ReLU):
    """A ReLU of the user's own class."""


class OwnExponential(nn.Module):
    """A function of one number, as a module."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(x)


class Transposing(nn.Module):
    """A function of one number that moves its values elsewhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(x.transpose(1, 2))


def softmaxed_over_positions(y: torch.Tensor) -> torch.Tensor:
    return y * torch.softmax(y.sum(1, keepdim=True), -1)


# A name, the model, what the preflight says of it, and where it ends: explained by a twin or refused.
TRAPS = {
    "F.relu": (Between(function=F.relu), "relu calls relu as a function", "twin"),
    "torch.relu": (Between(function=torch.relu), "relu calls relu as a function", "twin"),
    "Tensor.relu": (Between(function=lambda y: y.relu()), "relu calls relu as a function", "twin"),
    "clamp": (Between(function=lambda y: y.clamp(min=0)), "clamp calls clamp as a function", "refused"),
    "torch.sigmoid": (Between(function=torch.sigmoid), "sigmoid calls sigmoid as a function", "twin"),
    "F.gelu": (Between(function=F.gelu), "gelu calls gelu as a function", "twin"),
    "F.gelu by tanh": (Between(function=lambda y: F.gelu(y, approximate="tanh")), "gelu calls gelu", "twin"),
    "softmax of units": (Between(function=lambda y: y.softmax(1)), "softmax calls softmax as a function", "twin"),
    "softmax of positions": (Between(function=softmaxed_over_positions), "softmax calls softmax", "refused"),
    "F.max_pool1d": (Between(function=lambda y: F.max_pool1d(y, 2), positions=INNER // 2), "max_pool1d calls", "twin"),
    "maximum over positions": (Between(function=lambda y: y.amax(-1), positions=1), "amax calls amax", "twin"),
    "torch.max": (Between(function=lambda y: torch.max(y, -1).values, positions=1), "max calls max", "twin"),
    "maximum over units": (Between(function=lambda y: y.amax(1), units=1), "amax calls amax as a function", "refused"),
    "adaptive maximum": (Between(nn.AdaptiveMaxPool1d(1), positions=1), "middle is a AdaptiveMaxPool1d", "twin"),
    "square": (Between(function=lambda y: y * y), "mul calls mul as a function", "refused"),
    "power": (Between(function=lambda y: y**2), "pow calls pow as a function", "refused"),
    "where": (Between(function=lambda y: torch.where(y > 0, y, 0.1 * y)), "where calls where", "refused"),
    "reciprocal": (Between(function=lambda y: 1 / (3 + y.sigmoid())), "sigmoid calls sigmoid", "refused"),
    "gate": (Between(Gated()), "middle.mul calls mul as a function", "twin"),
    "attention": (Between(Attending()), "middle.attention is a MultiheadAttention, which has no rule", "refused"),
    "LSTM": (Between(Recurrent()), "middle.lstm is a LSTM, which has no rule", "refused"),
    "instance norm": (Between(nn.InstanceNorm1d(UNITS)), "middle is a InstanceNorm1d, which has no rule", "refused"),
    "ReLU in place": (Between(nn.ReLU(inplace=True)), "middle is a ReLU that works in place", "twin"),
    "transposing": (Between(Transposing()), "middle is a Transposing, which has no rule", "twin"),
}


@pytest.mark.parametrize("name", TRAPS)
def test_a_planted_trap_is_found_by_name(name: str) -> None:
    model, said, _ = TRAPS[name]
    assert said in listed(uncovered(open_oracle(seeded(model), length=LENGTH)))


@pytest.mark.parametrize("name", TRAPS)
def test_a_planted_trap_is_refused_by_name_or_explained_completely_through_a_twin(name: str) -> None:
    model, said, end = TRAPS[name]
    oracle = open_oracle(seeded(model), length=LENGTH)
    if end == "refused":
        with pytest.raises(CapabilityError) as refusal:
            explain(oracle, SEQUENCES, DeepLiftShap())
        assert said in str(refusal.value)
        return
    report = explain(oracle, SEQUENCES, DeepLiftShap())
    assert delta(report) < 1e-4 * max(1, np.abs(report.projected().sum(-1)).max())
    assert report.validity.summary == {"torch twin": 1}


COVERED = {
    "ReLU of one's own": Between(OwnReLU()),
    "exponential of one's own": Between(OwnExponential()),
    "ReLU in two places": Between(Reused()),
    "maximal pooling": Between(nn.MaxPool1d(3, 2), positions=(INNER - 3) // 2 + 1),
    "SiLU": Between(nn.SiLU()),
    "Hardtanh": Between(nn.Hardtanh(-0.5, 0.5)),
    "softmax": Between(nn.Softmax(-1)),
    "layer norm": Between(nn.LayerNorm(INNER)),
    "GLU": Between(nn.GLU(1), units=UNITS // 2),
    "scaling": Between(nn.ReLU(), function=lambda y: y * 2.5 / 3 - 1),
    "slices": Between(nn.ReLU(), function=lambda y: y[:, :, 2:-2], positions=INNER - 4),
    "averages": Between(nn.AvgPool1d(2), function=lambda y: y.mean(-1), positions=1),
}


@pytest.mark.parametrize("name", COVERED)
def test_what_the_rules_cover_is_explained_completely_by_the_module_itself(name: str) -> None:
    report = explain(open_oracle(seeded(COVERED[name]), length=LENGTH), SEQUENCES, DeepLiftShap())
    assert delta(report) < 1e-4 * max(1, np.abs(report.projected().sum(-1)).max())
    assert report.validity.summary == {"torch twin": 0}
    assert not report.validity.warnings


def test_a_module_with_a_backward_hook_of_its_own_is_found() -> None:
    model = seeded(Between(nn.ReLU()))
    handle = model.middle.register_full_backward_hook(lambda *_: None)
    assert "backward hook" in listed(uncovered(open_oracle(model, length=LENGTH)))
    handle.remove()


@pytest.mark.parametrize("name", ["clamp", "LSTM", "square"])
def test_a_trap_is_only_warned_of_where_that_is_asked_for(name: str) -> None:
    model, said, _ = TRAPS[name]
    report = explain(open_oracle(seeded(model), length=LENGTH), SEQUENCES, DeepLiftShap(preflight="warn"))
    warned, *further = report.validity.warnings
    assert said in warned
    assert any("contributions miss" in warning for warning in further)
