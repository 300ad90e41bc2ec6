"""The explainer as it is run: reports, warnings, what fails, and what changes nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from cislens import CislensError, FunctionOracle, OracleOptions, Run, Sequences, explain
from cislens.report.store import ReportStore
from cislens.testing import ConvPoolToy, LinearToy, MotifToy, NoisyToy, PairwiseToy
from cislens_squid import Squid

pytestmark = pytest.mark.torch
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(12, 4))
QUICK = {"library": 400, "nodes": 8, "noise": "gaussian", "noise_order": 0, "patience": 10}


def quick(**settings) -> Squid:
    return Squid(**{**QUICK, **settings})


def sequences(n: int = 2, length: int = 12, seed: int = 1) -> Sequences:
    return Sequences.from_onehot(np.eye(4, dtype=np.uint8)[np.random.default_rng(seed).integers(0, 4, (n, length))])


@pytest.mark.parametrize("settings", [{}, {"surrogate": "ridge"}, {"gp_map": "pairwise"}, {"nonlinearity": "linear"}])
def test_the_map_of_a_linear_oracle_is_its_weights_in_the_targets_unit(settings) -> None:
    toy = LinearToy(WEIGHTS)
    given = sequences()
    report = explain(toy, given, quick(library=1500, **settings))
    np.testing.assert_allclose(report.attributions.values, toy.attribution(given), atol=0.08 * np.abs(WEIGHTS).max())
    assert (report.validity.measures["r2_mode"] > 0.99).all()
    assert (report.validity.measures["correlation_with_single_mutants"] > 0.99).all()
    assert report.validity.warnings == ()


@pytest.mark.parametrize("gauge", ["uniform", "empirical", "wild-type"])
def test_a_gauge_is_stated_and_moves_constants_alone(gauge) -> None:
    toy, given = LinearToy(WEIGHTS), sequences(1)
    report = explain(toy, given, quick(gauge=gauge))
    uniform = explain(toy, given, quick())
    assert report.attributions.gauge == gauge
    apart = report.attributions.values - uniform.attributions.values
    np.testing.assert_allclose(apart - apart.mean(-1, keepdims=True), 0, atol=1e-9)
    if gauge == "wild-type":
        np.testing.assert_allclose(report.projected(), 0, atol=1e-12)
        np.testing.assert_allclose((report.standard_errors * given.onehot).sum(-1), 0, atol=1e-12)


def test_bases_outside_the_window_and_n_are_zero() -> None:
    given = sequences(2)
    onehot = given.onehot.copy()
    onehot[0, 5] = 0
    report = explain(LinearToy(WEIGHTS), Sequences.from_onehot(onehot), quick(window="3-8"))
    outside = np.ones(12, bool)
    outside[3:8] = False
    for part in (report.attributions.values, report.standard_errors):
        assert not part[:, :, outside].any()
        assert not part[0, 0, 5].any()
        assert part[0, 1, 5].any()


def test_a_report_holds_errors_the_curve_with_the_data_behind_it_and_measures_of_each_target() -> None:
    toy = ConvPoolToy(24)
    given = toy.examples(2, np.random.default_rng(3))
    report = explain(toy, given, quick(), ["together", "either"])
    targets = ["expression/together", "expression/either"]
    shape = (2, 2, 24, 4)
    assert report.attributions.values.shape == report.standard_errors.shape == shape
    assert np.isfinite(report.standard_errors).all()
    curves = report.curves
    assert set(curves["kind"]) == {"surrogate", "held out", "wild type"}
    for (target, name), part in curves.groupby(["target", "sequence"]):
        assert target in targets
        drawn = part[part["kind"] == "surrogate"]
        assert (drawn["lower"] <= drawn["value"]).all()
        assert (drawn["value"] <= drawn["upper"]).all()
        assert (np.diff(drawn["value"]) >= -1e-9).all()
        wild = part[part["kind"] == "wild type"]["value"].item()
        i, t = given.ids.index(str(name)), targets.index(str(target))
        assert wild == pytest.approx(report.predictions[t, i], abs=1e-6)
    assert {len(values) for values in report.validity.measures.values()} == {2}
    assert report.interactions is None


def test_pair_terms_are_those_of_a_pairwise_oracle() -> None:
    rng = np.random.default_rng(4)
    terms = np.zeros((8, 4, 8, 4))
    terms[2, :, 5, :] = 3 * rng.normal(size=(4, 4))
    toy = PairwiseToy(rng.normal(size=(8, 4)), terms + terms.transpose(2, 3, 0, 1))
    squid = quick(library=3000, rate=0.3, gp_map="pairwise", nonlinearity="linear", interactions=16)
    table = explain(toy, sequences(1, 8), squid).interactions
    assert len(table) == 16
    strongest = table.head(8)
    assert (strongest["position_1"] == 2).all()
    assert (strongest["position_2"] == 5).all()
    for row in strongest.itertuples():
        assert row.value == pytest.approx(
            toy.pairwise[2, "ACGT".index(row.base_1), 5, "ACGT".index(row.base_2)], abs=0.1
        )
    assert len(explain(toy, sequences(1, 8), quick(gp_map="neighbour", interactions=0)).interactions) == 0


def test_noise_on_the_answers_is_told_apart_from_the_map_and_less_of_it_is_in_the_map_than_in_ism() -> None:
    toy = NoisyToy(LinearToy(WEIGHTS), deviation=0.5)
    given = sequences(1)
    truth = toy.toy.attribution(given)
    squid = explain(toy, given, quick(library=3000)).attributions.values
    ism = explain(toy, given, "ism").attributions.values
    ism = ism - ism.mean(-1, keepdims=True)
    assert np.abs(squid - truth).mean() < 0.5 * np.abs(ism - truth).mean()


def test_a_saturated_motif_is_read_where_single_mutants_show_little() -> None:
    pwm = np.random.default_rng(5).normal(size=(6, 4)) * 2
    toy = MotifToy(pwm, 16, midpoint=float(pwm.max(1).sum()) - 8, slope=1.0)
    given = toy.examples(1, np.random.default_rng(6))
    report = explain(toy, given, Squid(library=4000, nodes=10, rate=0.15, noise="gaussian"))
    start, end = toy.sites(given)[0]
    inside = np.abs(report.attributions.values[0, 0, start:end]).mean()
    outside = np.abs(np.delete(report.attributions.values[0, 0], slice(start, end), 0)).mean()
    assert inside > 5 * outside


# ---- what changes nothing -------------------------------------------------------------------------------


def test_neither_order_nor_blocks_nor_neighbours_nor_other_targets_change_a_report() -> None:
    toy = ConvPoolToy(24)
    given = toy.examples(3, np.random.default_rng(7))
    whole = explain(toy, given, quick(), ["together", "either"])
    turned = explain(toy, given.take([2, 0, 1]), quick(), "either", run=Run(block=1))
    np.testing.assert_array_equal(turned.attributions.values[0], whole.attributions.values[1, [2, 0, 1]])
    np.testing.assert_array_equal(turned.standard_errors[0], whole.standard_errors[1, [2, 0, 1]])
    for name, values in turned.validity.measures.items():
        np.testing.assert_array_equal(values[0], whole.validity.measures[name][1, [2, 0, 1]])
    one = whole.curves.query("target == 'expression/either'").sort_values(
        ["sequence", "kind", "latent"], ignore_index=True
    )
    other = turned.curves.sort_values(["sequence", "kind", "latent"], ignore_index=True)
    np.testing.assert_array_equal(one["value"], other["value"])
    assert not np.array_equal(
        explain(toy, given, quick(), "either", seed=1).attributions.values[0], whole.attributions.values[1]
    )


def test_many_targets_share_one_library() -> None:
    toy = ConvPoolToy(24)
    given = toy.examples(2, np.random.default_rng(8))
    for targets in ("either", ["together", "either"]):
        cost = explain(toy, given, quick(), targets).provenance.cost
        assert cost.predictions == 2 + 2 * (400 + 3 * 24)
        assert cost.pullbacks == 0


def test_progress_rises_to_the_end() -> None:
    seen: list[float] = []
    explain(LinearToy(WEIGHTS), sequences(2), quick(), run=Run(progress=lambda done, total: seen.append(done / total)))
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) > 5


def test_a_budget_makes_the_library_smaller() -> None:
    report = explain(LinearToy(WEIGHTS), sequences(1), Squid(nodes=5), run=Run(budget=1500))
    assert report.provenance.settings["library"] == 1500 - 3 * 12
    with pytest.raises(CislensError, match="cannot do with 900"):
        explain(LinearToy(WEIGHTS), sequences(1), Squid(), run=Run(budget=900))


@pytest.mark.parametrize("noise", ["cauchy", "skewed_t"])
def test_a_report_whose_noise_has_no_mean_is_stored_and_read(noise, tmp_path: Path) -> None:
    path = tmp_path / "report.zarr"
    given = sequences(2)
    stored = explain(LinearToy(WEIGHTS), given, quick(noise=noise, gp_map="neighbour"), run=Run(store=path))
    read = ReportStore.open(path, "r").read("squid")
    np.testing.assert_array_equal(read.standard_errors, stored.standard_errors)
    assert len(read.curves) == len(stored.curves) > 0
    assert len(read.interactions) == len(stored.interactions) > 0
    if noise == "cauchy":
        assert np.isnan(read.validity.measures["r2_mean"]).all()


# ---- what fails, and what is said of it -----------------------------------------------------------------


def hidden(x: np.ndarray) -> np.ndarray:
    """Answers to sequences that begin with A alone; whatever else is mutated."""
    return np.where(x[:, 0, 0] == 1, (x * WEIGHTS).sum((1, 2)), 0.0)


def test_a_sequence_that_fails_is_listed_and_stops_nothing() -> None:
    oracle = FunctionOracle(hidden, OracleOptions(length=12))
    onehot = sequences(3).onehot.copy()
    onehot[:, 0] = np.eye(4, dtype=np.uint8)[[0, 2, 0]]
    report = explain(oracle, Sequences.from_onehot(onehot, ids=["a", "b", "c"]), quick(window="1-12"))
    assert report.sequences.ids == ("a", "c")
    (dropped,) = report.dropped
    assert dropped.id == "b"
    assert "the oracle answers 0 whatever is mutated" in dropped.reason
    alone = explain(oracle, Sequences.from_onehot(onehot[[0, 2]], ids=["a", "c"]), quick(window="1-12"))
    np.testing.assert_array_equal(report.attributions.values, alone.attributions.values)


def test_without_torch_the_error_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(CislensError, match=r"squid needs torch, .*: pip install 'cislens\[torch\]'"):
        explain(LinearToy(WEIGHTS), sequences(1), quick())


def test_an_oracle_that_does_not_vary_is_told() -> None:
    oracle = FunctionOracle(lambda x: np.full(len(x), 0.25), OracleOptions(length=12))
    with pytest.raises(CislensError, match="answers 0.25 whatever is mutated, so that there is nothing to fit"):
        explain(oracle, sequences(2), quick())


def test_poor_fits_are_warned_of_by_name() -> None:
    def scrambled(x: np.ndarray) -> np.ndarray:
        return np.sin(1e4 * (x * WEIGHTS).sum((1, 2)))

    oracle = FunctionOracle(scrambled, OracleOptions(length=12))
    report = explain(oracle, sequences(8), quick(rate=0.4), run=Run(block=8))
    (warning,) = (sentence for sentence in report.validity.warnings if "surrogate" in sentence)
    assert f"where r2_mode is below 0.5, as of {report.sequences.ids[0]}: do not read" in warning


def test_a_library_of_all_single_mutants_says_that_nothing_can_be_held_out() -> None:
    report = explain(
        LinearToy(np.random.default_rng(9).normal(size=(40, 4))),
        sequences(1, 40),
        Squid(mutagenesis="singles", nodes=5),
    )
    assert "each substitution is in one variant of all single mutants" in report.validity.warnings[0]


def test_a_library_of_all_double_mutants_without_noise_is_fitted() -> None:
    report = explain(LinearToy(WEIGHTS), sequences(1), Squid(mutagenesis="doubles", nodes=5, patience=10))
    assert report.validity.measures["r2_mode"].item() > 0.99


@pytest.mark.parametrize("window", ["0-3", "5-6"])
def test_a_window_of_a_few_bases_is_explained(window: str) -> None:
    report = explain(LinearToy(WEIGHTS), sequences(1), quick(window=window, gp_map="pairwise"))
    assert report.validity.measures["r2_mode"].item() > 0.9


def test_a_window_beyond_the_sequence_is_told_before_anything_is_predicted() -> None:
    toy = LinearToy(WEIGHTS)
    with pytest.raises(CislensError, match="must lie within the 12 bp of the sequence, got 8-20"):
        explain(toy, sequences(1), quick(window="8-20"))
    assert toy.counts.predictions == 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"library": 49}, "library must be at least 50, got 49"),
        ({"rate": 0.0}, "rate must lie above 0 and at most at 1, got 0"),
        ({"rate": float("nan")}, "rate must lie above 0"),
        ({"window": "10"}, "is written START-END, such as 100-140, got '10'"),
        ({"window": "10-10"}, "window must end after it starts, got '10-10'"),
        ({"window": "10-4"}, "window must end after it starts"),
        ({"penalty": -1.0}, "penalty must not be negative, got -1"),
        ({"penalty": float("nan")}, "penalty must not be negative, got nan"),
        ({"nodes": 0}, "nodes must be at least 1, got 0"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"noise_order": -1}, "noise_order must be at least 0"),
        ({"interactions": -1}, "interactions must be at least 0"),
        ({"substitutions": 0}, "substitutions must be at least 1"),
        ({"noise": "poisson"}, "squid's noise must be one of 'skewed_t', .*, got 'poisson'"),
        ({"mutagenesis": "saturation"}, "squid's mutagenesis must be one of 'poisson'"),
        ({"gauge": "none"}, "squid's gauge must be one of"),
        ({"gp_map": "additiv"}, "gp_map must be additive, neighbour or pairwise, .* got 'additiv'"),
        ({"gp_map": "file.py:build", "surrogate": "ridge"}, "but for surrogate=ridge, FILE.py:FACTORY"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, sentence: str) -> None:
    with pytest.raises(CislensError, match=sentence):
        Squid(**settings)


def test_pair_terms_are_given_by_maps_that_have_them() -> None:
    assert "interactions" in Squid(gp_map="pairwise").fills
    assert "interactions" not in Squid().fills
    assert set(Squid().fills) < set(Squid.emits)


def test_an_interrupt_ends_a_run() -> None:
    def interrupt(done: float, total: float) -> None:
        if done > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explain(LinearToy(WEIGHTS), sequences(2), quick(), run=Run(progress=interrupt))


MAP = """
from torch import nn
class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(4 * width, 1)
    def forward(self, x):
        return self.linear(x.flatten(1))[:, 0]
"""


def test_a_map_of_a_file_gives_the_weights_of_a_linear_oracle(tmp_path: Path) -> None:
    (tmp_path / "maps.py").write_text(MAP)
    toy, given = LinearToy(WEIGHTS), sequences(1)
    report = explain(toy, given, quick(library=800, gp_map=f"{tmp_path / 'maps.py'}:Net"))
    ours, truth = report.attributions.values.ravel(), toy.attribution(given).ravel()
    assert np.corrcoef(ours, truth)[0, 1] > 0.99
    assert np.isnan(report.standard_errors).all()
