from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from cislens import Attributions, Explainer, Fitted, Motif, MotifReport, Run, Sequences, SetExplainer, explain, setting
from cislens.driver import mutated
from cislens.errors import CapabilityError, CislensError, PluginError, SequenceError, TargetError
from cislens.oracle import FunctionOracle, OracleOptions

LENGTH = 10
RNG = np.random.default_rng(3)
SEQUENCES = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[RNG.integers(0, 4, (11, LENGTH))])


def two_heads(x):
    return {"a": x[:, :, 0].sum(1), "g": x[:, :, 2].sum(1)}


def oracle(function=two_heads, **options) -> FunctionOracle:
    return FunctionOracle(function, OracleOptions(length=LENGTH, **options), name="toy")


@dataclass(frozen=True)
class Noise(Explainer):
    """Give each position a random number times the prediction."""

    name: ClassVar[str] = "noise"
    scale: float = setting(1.0, "how loud")
    fails_on: str = setting("", "sequence that starts so fails")

    def run(self, oracle, sequences, context):
        for text in sequences.strings():
            if self.fails_on and text.startswith(self.fails_on):
                raise ValueError(f"I do not like {text}")
        oracle.predict(sequences.onehot)
        maps = np.stack([context.rng(i).normal(size=(LENGTH, 4)) for i in range(len(sequences))])
        values = self.scale * context.predictions.T[:, :, None, None] * maps
        return MotifReport(sequences, attributions=Attributions(values))

    def cost(self, n, length, targets):
        return n, 0

    def within(self, predictions):
        return None


def test_a_report_holds_predictions_maps_and_how_it_was_made() -> None:
    report = explain(oracle(), SEQUENCES, Noise(scale=2.0), "g", seed=5)
    np.testing.assert_allclose(report.predictions, SEQUENCES.onehot[None, :, :, 2].sum(2))
    made = report.provenance
    assert (made.explainer, made.seed, made.settings["scale"], report.targets) == ("noise", 5, 2.0, ("g",))
    assert made.model["name"] == "toy"
    assert (made.cost.predictions, made.cost.pullbacks) == (22, 0)
    assert made.cost.seconds > 0
    json.dumps(made.to_json())


def test_block_size_and_order_do_not_change_a_map() -> None:
    whole = explain(oracle(), SEQUENCES, Noise(), "a").attributions.values
    order = RNG.permutation(len(SEQUENCES))
    shuffled = explain(oracle(), SEQUENCES.take(order), Noise(), "a", run=Run(block=3)).attributions.values
    np.testing.assert_array_equal(shuffled, whole[:, order])


def test_another_seed_changes_it() -> None:
    one, two = (explain(oracle(), SEQUENCES, Noise(), "a", seed=s).attributions.values for s in (0, 1))
    assert not np.array_equal(one, two)


def test_an_explainer_of_one_target_is_run_for_each() -> None:
    both = explain(oracle(), SEQUENCES, Noise(), ["g", "a"])
    assert both.targets == ("g", "a")
    for i, target in enumerate("ga"):
        alone = explain(oracle(), SEQUENCES, Noise(), target)
        np.testing.assert_array_equal(both.attributions.values[i], alone.attributions.values[0])
    assert both.provenance.cost.predictions == 11 * 3


def test_one_bad_sequence_is_listed_and_stops_nothing() -> None:
    start = SEQUENCES.strings()[4][:6]
    report = explain(oracle(), SEQUENCES, Noise(fails_on=start), "a", run=Run(block=4))
    assert [drop.id for drop in report.dropped] == ["seq4"]
    assert "I do not like" in report.dropped[0].reason
    assert report.sequences.ids == tuple(name for name in SEQUENCES.ids if name != "seq4")
    whole = explain(oracle(), SEQUENCES, Noise(), "a").attributions.values
    np.testing.assert_array_equal(report.attributions.values, np.delete(whole, 4, axis=1))


def test_an_explainer_that_always_fails_raises_its_own_error() -> None:
    @dataclass(frozen=True)
    class Broken(Noise):
        name: ClassVar[str] = "broken"

        def run(self, oracle, sequences, context):
            raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        explain(oracle(), SEQUENCES, Broken(), "a")


def test_what_is_missing_is_refused_with_its_reason_and_what_would_work() -> None:
    @dataclass(frozen=True)
    class Steep(Noise):
        name: ClassVar[str] = "steep"
        needs: ClassVar[frozenset[str]] = frozenset({"predict", "linearize"})

    with pytest.raises(CapabilityError, match=r"steep needs .*linearize: a Python function.*choose one of .*ism"):
        explain(oracle(), SEQUENCES, Steep(), "a")


def test_several_heads_without_a_target_are_an_error_that_lists_them() -> None:
    with pytest.raises(TargetError, match="a, g"):
        explain(oracle(), SEQUENCES, Noise())


def test_sequences_that_do_not_fit_are_an_error_before_any_work() -> None:
    with pytest.raises(SequenceError, match="takes sequences of 10 bp, got 12"):
        explain(oracle(), Sequences.from_strings(["ACGTACGTACGT"]), Noise(), "a")


def test_no_sequences_are_an_error() -> None:
    with pytest.raises(SequenceError, match="at least one"):
        explain(oracle(), SEQUENCES.take(slice(0, 0)), Noise(), "a")


def test_progress_counts_sequences_to_the_end() -> None:
    seen = []
    explain(oracle(), SEQUENCES, Noise(), "a", run=Run(block=4, progress=lambda d, t: seen.append((d, t))))
    assert seen[0] == (0, 11)
    assert seen[-1] == (11, 11)
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)


def test_a_budget_too_small_is_refused() -> None:
    with pytest.raises(CislensError, match="raise the budget"):
        explain(oracle(), SEQUENCES, Noise(), ["a", "g"], run=Run(budget=1))


def test_a_budget_shrinks_the_settings_of_an_explainer_that_can() -> None:
    @dataclass(frozen=True)
    class Loud(Noise):
        name: ClassVar[str] = "loud"
        rounds: int = setting(10, "rounds")

        def cost(self, n, length, targets):
            return n * self.rounds, 0

        def within(self, predictions):
            return Loud(rounds=predictions)

    report = explain(oracle(), SEQUENCES, Loud(), ["a", "g"], run=Run(budget=8))
    assert report.provenance.settings["rounds"] == 4


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda r: MotifReport(r.sequences.take(slice(1, None))), "the sequences it was given"),
        (
            lambda r: MotifReport(r.sequences, attributions=Attributions(np.zeros((2, len(r.sequences), LENGTH, 4)))),
            "1 targets, got 2",
        ),
        (lambda r: MotifReport(r.sequences, motifs=(Motif("m", np.full((3, 4), 0.25)),)), "gives motifs"),
    ],
)
def test_an_explainer_that_breaks_its_promise_is_told_so(change, sentence) -> None:
    @dataclass(frozen=True)
    class Liar(Noise):
        name: ClassVar[str] = "liar"

        def run(self, oracle, sequences, context):
            return change(super().run(oracle, sequences, context))

    with pytest.raises(PluginError, match=sentence):
        explain(oracle(), SEQUENCES, Liar(), "a")


def test_a_saturated_probability_warns_and_names_the_logit() -> None:
    squashed = oracle(lambda x: 1 / (1 + np.exp(-4 * (x[:, :, 0].sum(1)))))
    (sentence,) = explain(squashed, SEQUENCES, Noise()).validity.warnings
    assert "output:logit" in sentence
    assert not explain(squashed, SEQUENCES, Noise(), "output:logit").validity.warnings


def test_a_model_scope_explainer_is_run_once_without_sequences() -> None:
    @dataclass(frozen=True)
    class Filters(Noise):
        name: ClassVar[str] = "filters"
        scope: ClassVar[str] = "model"
        emits: ClassVar[tuple[str, ...]] = ("motifs",)

        def run(self, oracle, sequences, context):
            return MotifReport(sequences, motifs=(Motif("m", np.eye(4)),))

    report = explain(oracle(), SEQUENCES, Filters(), "a")
    assert [motif.consensus() for motif in report.motifs] == ["ACGT"]
    assert len(report.sequences) == 0


def test_a_principal_component_is_fitted_and_recorded() -> None:
    profile = oracle(lambda x: x[:, :, 2] * np.arange(LENGTH), axes={"output": ("position",)})
    report = explain(profile, SEQUENCES, Noise(), "output:pc1")
    (target,) = report.provenance.targets
    assert len(target["component"]["direction"]) == LENGTH
    assert "11 sequences" in target["fitted_on"]
    again = explain(profile, SEQUENCES, Noise(), "output:pc1", run=Run(block=2))
    np.testing.assert_array_equal(report.predictions, again.predictions)


@dataclass(frozen=True)
class MeanMap(Fitted):
    frequencies: np.ndarray = field(default_factory=lambda: np.zeros((LENGTH, 4)))

    def run(self, oracle, sequences, context):
        values = np.broadcast_to(self.frequencies, (len(oracle.targets), *sequences.onehot.shape)).copy()
        return MotifReport(sequences, attributions=Attributions(values))

    def save(self, folder):
        np.save(folder / "frequencies.npy", self.frequencies)

    @classmethod
    def load(cls, folder):
        return cls(np.load(folder / "frequencies.npy"))


FITS = []


@dataclass(frozen=True)
class Learner(SetExplainer):
    """Learn base frequencies."""

    name: ClassVar[str] = "learner"
    fitted: ClassVar[type[Fitted]] = MeanMap
    many_targets: ClassVar[bool] = True

    def fit(self, oracle, training, context):
        FITS.append(len(training))
        return MeanMap(training.onehot.mean(0))

    def cost(self, n, length, targets):
        return 0, 0


def test_a_set_explainer_is_fitted_once_on_the_whole_and_applied_in_blocks() -> None:
    FITS.clear()
    report = explain(oracle(), SEQUENCES, Learner(), ["a", "g"], run=Run(block=3))
    assert FITS == [11]
    np.testing.assert_allclose(report.attributions.values[1, 5], SEQUENCES.onehot.mean(0))


def test_a_set_explainer_is_fitted_on_its_training_set_where_one_is_given() -> None:
    FITS.clear()
    explain(oracle(), SEQUENCES, Learner(), "a", run=Run(training=SEQUENCES.take(slice(0, 4))))
    assert FITS == [4]


def test_mutants_differ_in_the_stated_share_of_bases_and_leave_n_alone() -> None:
    x = np.repeat(SEQUENCES.onehot[:1], 2000, axis=0)
    x[:, 3] = 0
    changed = mutated(x, 0.1, np.random.default_rng(0))
    assert (changed.sum(-1) == x.sum(-1)).all()
    share = (changed != x).any(-1)[:, np.arange(LENGTH) != 3].mean()
    assert abs(share - 0.1) < 4 * np.sqrt(0.1 * 0.9 / (2000 * 9))  # four standard errors
