"""Blocks that fail whole, fits of several targets, and budgets of several targets at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from cislens import Attributions, Explainer, Fitted, MotifReport, Run, SetExplainer, explain, setting
from cislens.errors import CislensError
from cislens.testing import ConvPoolToy

TOY = ConvPoolToy(40)
SEQUENCES = TOY.examples(5, np.random.default_rng(0))


@dataclass(frozen=True)
class Choosy(Explainer):
    """Fail on some sequences."""

    name: ClassVar[str] = "choosy"
    bad: tuple[str, ...] = setting((), "ids that fail")

    def run(self, oracle, sequences, context):
        if bad := [name for name in sequences.ids if name in self.bad]:
            raise ValueError(f"{bad[0]} is bad")
        return MotifReport(sequences, attributions=Attributions(sequences.onehot[None].astype(float)))

    def cost(self, n, length, targets):
        return 0, 0


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(
    ("bad", "block"), [(("seq4",), 2), (("seq0",), 1), (("seq2", "seq3"), 2), (("seq0", "seq4"), 1), (("seq1",), 64)]
)
def test_a_bad_sequence_stops_nothing_wherever_blocks_are_cut(tmp_path: Path, bad, block, stored) -> None:
    store = tmp_path / "out.zarr" if stored else None
    report = explain(TOY, SEQUENCES, Choosy(bad), "either", run=Run(block=block, store=store))
    assert [drop.id for drop in report.dropped] == list(bad)
    assert all("is bad" in drop.reason for drop in report.dropped)
    good = [i for i, name in enumerate(SEQUENCES.ids) if name not in bad]
    assert report.sequences.ids == tuple(SEQUENCES.ids[i] for i in good)
    np.testing.assert_array_equal(report.attributions.values[0], SEQUENCES.onehot[good])


def test_where_every_sequence_fails_the_error_is_raised() -> None:
    with pytest.raises(ValueError, match="seq0 is bad"):
        explain(TOY, SEQUENCES, Choosy(SEQUENCES.ids), "either")
    with pytest.raises(CislensError, match="no sequence could be explained.*seq0 is bad"):
        explain(TOY, SEQUENCES, Choosy(SEQUENCES.ids), "either", run=Run(block=1))
    with pytest.raises(ValueError, match="seq0 is bad"):
        explain(TOY, SEQUENCES.take(slice(0, 1)), Choosy(SEQUENCES.ids), "either")


@dataclass(frozen=True)
class Constant(Fitted):
    value: float

    def run(self, oracle, sequences, context):
        assert len(oracle.targets) == 1
        values = np.full((1, *sequences.onehot.shape), self.value)
        return MotifReport(sequences, attributions=Attributions(values))

    def save(self, folder: Path) -> None:
        (folder / "value.json").write_text(repr(self.value))

    @classmethod
    def load(cls, folder: Path) -> Constant:
        return cls(float((folder / "value.json").read_text()))


@dataclass(frozen=True)
class MeanValue(SetExplainer):
    """Learn the mean prediction of one target."""

    name: ClassVar[str] = "mean_value"
    fitted: ClassVar[type[Fitted]] = Constant

    def fit(self, oracle, training, context):
        (mean,) = oracle.predict(training.onehot).mean(0)
        return Constant(float(mean))

    def cost(self, n, length, targets):
        return n, 0


@pytest.mark.parametrize("stored", [False, True])
def test_an_explainer_of_one_target_is_fitted_for_each_and_the_fits_are_counted(tmp_path: Path, stored) -> None:
    store = tmp_path / "out.zarr" if stored else None
    report = explain(TOY, SEQUENCES, MeanValue(), ["together", "either"], run=Run(block=2, store=store))
    means = TOY.predict(SEQUENCES)["expression"].mean(0)
    np.testing.assert_allclose(report.attributions.values[:, :, 0, 0], np.repeat(means[:, None], 5, axis=1))
    assert report.provenance.cost.predictions == 2 * 5 + 5  # each fit, and the sequences themselves


@dataclass(frozen=True)
class PerTarget(Choosy):
    """Ask a prediction a round, and a pullback a round and target."""

    name: ClassVar[str] = "per_target"
    many_targets: ClassVar[bool] = True
    rounds: int = setting(100, "rounds")

    def run(self, oracle, sequences, context):
        values = np.zeros((len(oracle.targets), *sequences.onehot.shape))
        return MotifReport(sequences, attributions=Attributions(values))

    def cost(self, n, length, targets):
        return n * self.rounds, n * self.rounds * targets

    def within(self, predictions):
        return PerTarget(rounds=predictions // 2) if predictions >= 4 else None


@pytest.mark.parametrize(("targets", "most"), [(["either"], 15), (["either", "together"], 10)])
def test_a_budget_holds_for_all_targets_together(targets, most) -> None:
    report = explain(TOY, SEQUENCES, PerTarget(), targets, run=Run(budget=30))
    rounds = report.provenance.settings["rounds"]
    assert 0.6 * most <= rounds <= most


def test_a_budget_that_no_settings_meet_is_refused() -> None:
    with pytest.raises(CislensError, match="per_target asks 300 .* cannot do with 5"):
        explain(TOY, SEQUENCES, PerTarget(), ["either", "together"], run=Run(budget=5))
