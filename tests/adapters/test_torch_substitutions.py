"""Substitutions that are computed together equal those that are asked one by one."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from cislens import OracleOptions, Sequences, explain  # noqa: E402
from cislens.oracle.substitution import mutants  # noqa: E402
from cislens_ism.ism import substitutions  # noqa: E402
from cislens_torch import TorchOracle  # noqa: E402

pytestmark = pytest.mark.torch
LENGTH = 61


def flat(channels: int, positions: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * positions, 16), nn.ReLU(), nn.Linear(16, 2))


class Residual(nn.Module):
    """A dilated residual trunk; sums in place or not, a view by the batch size, a squeeze of channels."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 8, 9, padding=4)
        self.blocks = nn.ModuleList(nn.Conv1d(8, 8, 3, padding=d, dilation=d) for d in (1, 2, 4))
        self.last = nn.Linear(8 * LENGTH, 2)
        self.in_place = in_place

    def forward(self, x):
        x = functional.gelu(self.first(x))
        for block in self.blocks:
            y = functional.relu(block(x), inplace=self.in_place)
            if self.in_place:
                y += x
                x = y
            else:
                x = x + y
        return self.last(x.view(x.size(0), -1) if self.in_place else x.reshape(x.shape[0], -1))


class Joined(nn.Module):
    """Two branches of different widths, joined along the channels, averaged over the length; two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Conv1d(4, 6, 11, padding="same"), nn.Conv1d(4, 6, 3, padding="same")
        self.mixed = nn.Conv1d(12, 10, 5, stride=2, groups=2)
        self.out = nn.Linear(10, 1)

    def forward(self, x):
        z = torch.cat([torch.exp(self.wide(x) / 4), torch.sigmoid(self.narrow(x))], dim=1)
        z = torch.tanh(self.mixed(z))
        return {"mean": self.out(z.mean(-1)), "profile": z.amax(1)}


MODELS = {
    "plain": lambda: nn.Sequential(nn.Conv1d(4, 8, 7), nn.ReLU(), flat(8, LENGTH - 6)),
    "pooled": lambda: nn.Sequential(
        nn.Conv1d(4, 8, 7, padding=3),
        nn.BatchNorm1d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool1d(3, 2, 1),
        nn.Conv1d(8, 6, 4, stride=2),
        nn.ReLU(),
        nn.AvgPool1d(2),
        nn.Dropout(0.5),
        flat(6, 7),
    ),
    "residual": lambda: Residual(in_place=False),
    "in place": lambda: Residual(in_place=True),
    "joined": Joined,
    "wide": lambda: nn.Sequential(
        nn.Conv1d(4, 8, 31, padding=15), nn.ReLU(), nn.Conv1d(8, 8, 31), nn.ReLU(), flat(8, 31)
    ),
}


def build(name: str) -> nn.Module:
    torch.manual_seed(3)
    model = MODELS[name]()
    for child in model.modules():
        if isinstance(child, nn.BatchNorm1d):
            child.running_mean.normal_()
            child.running_var.uniform_(0.5, 2)
    return model


def sequences(n: int = 3) -> np.ndarray:
    x = np.eye(4, dtype=np.uint8)[np.random.default_rng(4).integers(0, 4, (n, LENGTH))]
    x[1, 20:23] = 0  # N
    return x


def both_ways(oracle: TorchOracle, x: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    sites = substitutions(x)
    parts = [outputs for _, outputs in oracle.substitutions(x, sites)]
    together = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return together, oracle.predict(mutants(x, sites))


@pytest.mark.parametrize("name", [name for name in MODELS if name != "wide"])
def test_substitutions_computed_together_equal_those_asked_one_by_one(name: str) -> None:
    oracle = TorchOracle(build(name), OracleOptions(length=LENGTH, precision="float64"))
    together, alone = both_ways(oracle, sequences())
    assert oracle._sharing is not None
    assert oracle._sharing.refused == {}, "this model's substitutions can be followed"
    for head, expected in alone.items():
        np.testing.assert_allclose(together[head], expected, rtol=1e-9, atol=1e-12)  # rounding of float64


def test_a_model_that_sees_everything_everywhere_is_asked_one_by_one() -> None:
    oracle = TorchOracle(build("wide"), OracleOptions(length=LENGTH))
    together, alone = both_ways(oracle, sequences())
    assert "multiplications" in oracle._sharing.refused[LENGTH]
    np.testing.assert_array_equal(together["output"], alone["output"])


class Odd(nn.Module):
    """Changes a position by index in place, which cannot be followed."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.rest = nn.Conv1d(4, 8, 7, padding=3), flat(8, LENGTH)

    def forward(self, x):
        x = self.first(x)
        x[:, :, 5] = 0
        return self.rest(x)


def test_a_model_that_cannot_be_followed_is_asked_one_by_one() -> None:
    torch.manual_seed(0)
    oracle = TorchOracle(Odd(), OracleOptions(length=LENGTH))
    together, alone = both_ways(oracle, sequences())
    assert "works in place" in oracle._sharing.refused[LENGTH]
    np.testing.assert_array_equal(together["output"], alone["output"])


def test_an_answer_that_does_not_agree_is_never_taken(monkeypatch) -> None:
    from cislens_torch import substitution

    def wrong(value, values, changed_at, start, width):
        return read(value, values, changed_at + 1, start, width)

    read = substitution.read_window
    monkeypatch.setattr(substitution, "read_window", wrong)
    oracle = TorchOracle(build("plain"), OracleOptions(length=LENGTH))
    together, alone = both_ways(oracle, sequences())
    assert "otherwise" in oracle._sharing.refused[LENGTH]
    np.testing.assert_array_equal(together["output"], alone["output"])


def test_ism_counts_and_values_are_the_same_either_way(monkeypatch) -> None:
    data = Sequences.from_onehot(sequences())
    shared = explain(TorchOracle(build("pooled"), OracleOptions(length=LENGTH)), data, "ism", "output/1")
    monkeypatch.setattr(TorchOracle, "_substitutions", lambda *_: None)
    alone = explain(TorchOracle(build("pooled"), OracleOptions(length=LENGTH)), data, "ism", "output/1")
    assert shared.provenance.cost.predictions == alone.provenance.cost.predictions
    largest = np.abs(alone.attributions.values).max()
    assert np.abs(shared.attributions.values - alone.attributions.values).max() <= 1e-5 * largest


def test_base_order_and_interventions_are_respected() -> None:
    x = sequences()
    options = OracleOptions(length=LENGTH, base_order="GATC", precision="float64")
    oracle = TorchOracle(build("plain"), options)
    for one in (oracle, oracle.intervene({"0": {2: 1.5}})):
        together, alone = both_ways(one, x)
        np.testing.assert_allclose(together["output"], alone["output"], rtol=1e-9, atol=1e-12)


def test_running_out_of_memory_halves_what_is_computed_at_once() -> None:
    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = build("plain")

        def forward(self, x):
            if x.size(0) > 60:
                raise MemoryError("too many")
            return self.inner(x)

    oracle = TorchOracle(Small(), OracleOptions(length=LENGTH, batch_size=32, precision="float64"))
    with pytest.warns(ResourceWarning, match="halved"):
        together, alone = both_ways(oracle, sequences(2))
    assert oracle._sharing.refused == {}
    np.testing.assert_allclose(together["output"], alone["output"], rtol=1e-9, atol=1e-12)
