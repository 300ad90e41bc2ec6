from __future__ import annotations

import itertools

import numpy as np
import pytest

from cislens import CislensError, Run, Sequences, explain
from cislens.testing import ConvPoolToy, LinearToy, MotifToy
from cislens_gradients import InputXGradient, IntegratedGradients, Saliency, SmoothGrad
from cislens_gradients import gradients as shared
from cislens_gradients.gradients import corrected

RNG = np.random.default_rng(6)
WEIGHTS = RNG.normal(size=(12, 4))
CENTRED = WEIGHTS - WEIGHTS.mean(1, keepdims=True)
LINEAR = LinearToy(WEIGHTS)
SEQUENCES = LINEAR.examples(5, RNG)
MOTIF = MotifToy(RNG.normal(size=(5, 4)), 20, "sum", "tanh", midpoint=4.0, slope=0.3)


def maps(toy, sequences, explainer, target=None):
    return explain(toy, sequences, explainer, target).attributions.values


def test_uncorrected_saliency_of_a_linear_oracle_is_its_weights() -> None:
    for values in maps(LINEAR, SEQUENCES, Saliency(correct=False))[0]:
        np.testing.assert_allclose(values, WEIGHTS, rtol=1e-12)


def test_corrected_saliency_of_a_linear_oracle_is_its_weights_less_their_mean() -> None:
    report = explain(LINEAR, SEQUENCES, Saliency())
    np.testing.assert_allclose(report.attributions.values[0], np.broadcast_to(CENTRED, (5, 12, 4)), atol=1e-12)
    assert report.attributions.gauge == "uniform"


def test_saliency_agrees_with_finite_differences_on_the_network() -> None:
    toy = ConvPoolToy(40)
    x = toy.examples(1, RNG)
    values = maps(toy, x, Saliency(correct=False), "together")[0, 0]
    step = 1e-6 * np.eye(160).reshape(160, 40, 4)
    target = toy.select("together")
    slope = (target.predict(x.onehot + step) - target.predict(x.onehot - step))[:, 0] / 2e-6
    np.testing.assert_allclose(values.ravel(), slope, atol=1e-8)


def test_input_x_gradient_is_the_weight_of_the_own_base() -> None:
    for correct, weights in ((False, WEIGHTS), (True, CENTRED)):
        report = explain(LINEAR, SEQUENCES, InputXGradient(correct=correct))
        np.testing.assert_allclose(report.attributions.values[0], weights * SEQUENCES.onehot, atol=1e-12)
        np.testing.assert_allclose(report.projected()[0], (weights * SEQUENCES.onehot).sum(-1), atol=1e-12)


def test_integrated_gradients_of_a_linear_oracle_are_its_weights_in_the_references_gauge() -> None:
    # From a uniform reference the gauge is the mean over the bases, whatever the steps.
    np.testing.assert_allclose(
        maps(LINEAR, SEQUENCES, IntegratedGradients(steps=1)), np.broadcast_to(CENTRED, (1, 5, 12, 4)), atol=1e-12
    )


@pytest.mark.parametrize("correct", [True, False])
@pytest.mark.parametrize("reference", ["uniform", "dinucleotide"])
def test_integrated_gradients_of_a_linear_oracle_are_complete(reference, correct) -> None:
    explainer = IntegratedGradients(steps=3, reference=reference, shuffles=4, correct=correct)
    report = explain(LINEAR, SEQUENCES, explainer)
    assert np.abs(report.validity.measures["convergence delta"]).max() < 1e-6


def test_integrated_gradients_add_up_to_the_change_from_the_reference() -> None:
    sequences = MOTIF.examples(6, RNG)
    report = explain(MOTIF, sequences, IntegratedGradients(steps=400))
    change = report.predictions[0] - MOTIF.predict(np.full(sequences.onehot.shape, 0.25))["value"]
    delta = report.validity.measures["convergence delta"][0]
    np.testing.assert_allclose(report.projected()[0].sum(-1) - change, delta, atol=1e-12)
    np.testing.assert_allclose(delta, 0, atol=1e-4)  # the midpoint rule's error at 400 steps


def test_the_error_of_the_midpoint_rule_falls_with_the_square_of_the_steps() -> None:
    sequences = MOTIF.examples(6, RNG)
    deltas = [
        np.abs(explain(MOTIF, sequences, IntegratedGradients(steps=s)).validity.measures["convergence delta"]).max()
        for s in (64, 128, 256)
    ]
    for coarse, fine in itertools.pairwise(deltas):
        assert 3.5 < coarse / fine < 4.5


@pytest.mark.parametrize("reference", ["uniform", "dinucleotide"])
def test_the_correction_does_not_change_what_own_bases_contribute_along_a_way(reference) -> None:
    sequences = MOTIF.examples(4, RNG)
    one, two = (
        explain(MOTIF, sequences, IntegratedGradients(steps=8, reference=reference, shuffles=3, correct=c)).projected()
        for c in (True, False)
    )
    np.testing.assert_allclose(one, two, atol=1e-12)


def test_shuffled_references_keep_the_bases_and_add_up_on_average() -> None:
    sequences = LINEAR.examples(3, RNG)
    explainer = IntegratedGradients(steps=2, reference="dinucleotide", shuffles=20)
    report = explain(LINEAR, sequences, explainer)
    references = explainer._references(sequences.onehot[0], np.random.default_rng(0))
    np.testing.assert_array_equal(references.sum(1), np.tile(sequences.onehot[0].sum(0), (20, 1)))
    assert report.attributions.gauge == "reference"
    # Seeds draw other references, the same seed the same.
    again, other = (explain(LINEAR, sequences, explainer, seed=s).attributions.values for s in (0, 1))
    np.testing.assert_array_equal(again, report.attributions.values)
    assert not np.array_equal(other, again)


@pytest.mark.parametrize("correct", [True, False])
def test_smoothgrad_of_a_linear_oracle_is_its_weights_and_without_noise_floor(correct) -> None:
    report = explain(LINEAR, SEQUENCES, SmoothGrad(samples=4, noise=1.0, correct=correct))
    wanted = CENTRED if correct else WEIGHTS
    np.testing.assert_allclose(report.attributions.values[0], np.broadcast_to(wanted, (5, 12, 4)), atol=1e-12)
    np.testing.assert_allclose(report.validity.measures["noise floor"], 0, atol=1e-6)  # the root of float64's rounding


def test_the_noise_floor_of_smoothgrad_is_what_seeds_differ_by() -> None:
    sequences = MOTIF.examples(2, RNG)
    runs = [explain(MOTIF, sequences, SmoothGrad(samples=16, noise=0.3, correct=False), seed=s) for s in range(40)]
    spread = np.stack([run.attributions.values for run in runs]).std(0, ddof=1)[0].mean((1, 2))
    floor = np.mean([run.validity.measures["noise floor"][0] for run in runs], axis=0)
    np.testing.assert_allclose(floor, spread, rtol=0.2)  # 40 seeds give a spread to about 0.11, averaged over a map


def test_smoothgrad_with_little_noise_is_saliency() -> None:
    sequences = MOTIF.examples(3, RNG)
    smooth, plain = maps(MOTIF, sequences, SmoothGrad(samples=4, noise=1e-6)), maps(MOTIF, sequences, Saliency())
    np.testing.assert_allclose(smooth, plain, atol=1e-4 * np.abs(plain).max())


@pytest.mark.parametrize(
    "explainer",
    [Saliency(), InputXGradient(), IntegratedGradients(steps=4, reference="dinucleotide"), SmoothGrad(samples=4)],
    ids=lambda explainer: explainer.name,
)
def test_several_targets_equal_one_by_one(explainer) -> None:
    toy = ConvPoolToy(40)
    sequences = toy.examples(3, RNG)
    both = maps(toy, sequences, explainer, ["together", "either"])
    for t, target in enumerate(("together", "either")):
        np.testing.assert_allclose(both[t], maps(toy, sequences, explainer, target)[0], atol=1e-12)


@pytest.mark.parametrize("explainer", [IntegratedGradients(steps=8), SmoothGrad(samples=8)], ids=lambda e: e.name)
def test_noise_and_references_leave_n_alone(explainer) -> None:
    onehot = MOTIF.examples(2, RNG).onehot.copy()
    onehot[:, 2:5] = 0
    asked = []

    class Watched(MotifToy):
        def _linearize(self, x):
            asked.append(x)
            return super()._linearize(x)

    explain(Watched(MOTIF.pwm, 20, "sum", "tanh", 4.0, 0.3), Sequences.from_onehot(onehot), explainer)
    assert asked
    for x in asked:
        np.testing.assert_array_equal(x[:, 2:5], 0)


@pytest.mark.parametrize("explainer", [IntegratedGradients(steps=9), SmoothGrad(samples=9)], ids=lambda e: e.name)
def test_small_chunks_do_not_change_a_map(explainer, monkeypatch) -> None:
    sequences = MOTIF.examples(2, RNG)
    whole = maps(MOTIF, sequences, explainer)
    monkeypatch.setattr(shared, "CHUNK_BYTES", 1)
    np.testing.assert_allclose(maps(MOTIF, sequences, explainer), whole, atol=1e-12)


def test_the_correction_takes_the_mean_over_the_bases_away() -> None:
    gradient = RNG.normal(size=(2, 3, 7, 4))
    np.testing.assert_allclose(corrected(gradient).mean(-1), 0, atol=1e-12)
    np.testing.assert_allclose(np.diff(corrected(gradient), axis=-1), np.diff(gradient, axis=-1), atol=1e-12)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: IntegratedGradients(steps=0), "steps and shuffles of at least 1, got 0"),
        (lambda: IntegratedGradients(shuffles=0), "steps and shuffles of at least 1, got 50 and 0"),
        (lambda: SmoothGrad(samples=1), "at least 2 samples"),
        (lambda: SmoothGrad(noise=0), "noise above 0, got 50 and 0"),
        (lambda: SmoothGrad(noise=float("nan")), "noise above 0, got 50 and nan"),
        (lambda: IntegratedGradients(reference="zeros"), "uniform or dinucleotide, got 'zeros'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, sentence) -> None:
    with pytest.raises(CislensError, match=sentence):
        make()


@pytest.mark.parametrize("targets", [["together"], ["together", "either"]])
@pytest.mark.parametrize(
    "explainer", [IntegratedGradients(), IntegratedGradients(reference="dinucleotide", shuffles=2), SmoothGrad()]
)
def test_a_budget_is_kept_also_by_several_targets_at_once(explainer, targets) -> None:
    toy = ConvPoolToy(40)
    report = explain(toy, toy.examples(2, RNG), explainer, targets, run=Run(budget=90))
    cost = report.provenance.cost
    assert cost.predictions + cost.pullbacks - 2 <= 2 * 90


def test_work_done_while_the_batch_size_is_measured_is_not_counted(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("CISLENS_CACHE", str(tmp_path))
    toy = LinearToy(WEIGHTS)
    sequences = toy.examples(2500, RNG)
    cost = explain(toy, sequences, Saliency(), run=Run(block=2500)).provenance.cost
    assert (cost.predictions, cost.pullbacks) == (5000, 2500)


def test_integrated_gradients_warn_where_their_steps_are_too_few() -> None:
    sequences = MOTIF.examples(4, np.random.default_rng(2))
    (sentence,) = explain(MOTIF, sequences, IntegratedGradients(steps=1)).validity.warnings
    assert "more steps than 1" in sentence
    assert not explain(MOTIF, sequences, IntegratedGradients(steps=400)).validity.warnings
