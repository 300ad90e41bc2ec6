"""On toys, explainers find the exact answer where theory says they must, and miss it where theory says they must."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cislens import Sequences, explain
from cislens.gauges import to_gauge
from cislens.testing import (
    ConvPoolToy,
    LogicToy,
    MotifToy,
    NoisyToy,
    SymmetricToy,
    Toy,
    bundled_toys,
    dead_unit,
    synonymous_mixture,
)
from cislens.testing.toys import MOTIF, PARTNER, bundled_linear, bundled_motif, bundled_pairwise
from cislens_gradients import IntegratedGradients, Saliency
from cislens_ism import Ism

RNG = np.random.default_rng(51)
PWMS = (MOTIF, PARTNER)
TOYS = bundled_toys()
BOTH = ("first", "second")


def named(toys):
    return pytest.mark.parametrize("toy", toys, ids=lambda toy: toy.name)


def targets(toy: Toy) -> list[str] | None:
    """All that a toy answers with."""
    return ["together", "either"] if toy.heads[0].width == 2 else None


def maps(toy: Toy, sequences: Sequences, explainer) -> np.ndarray:
    return explain(toy, sequences, explainer, targets(toy)).attributions.values


def in_wild_type_gauge(values: np.ndarray, sequences: Sequences) -> np.ndarray:
    return to_gauge(values, "wild-type", reference=sequences.onehot)[0]


def own_contributions(values: np.ndarray, sequences: Sequences) -> np.ndarray:
    """What the sequences' own bases contribute over the mean of the four, (n, length), of one target."""
    return (to_gauge(values[0], "uniform")[0] * sequences.onehot).sum(-1)


def at_sites(toy: Toy, sequences: Sequences, motif: str) -> np.ndarray:
    """Which positions (n, length) an instance of a motif covers."""
    truth = toy.truth(sequences)
    return replace(truth, instances=truth.instances[truth.instances["motif"] == motif]).covered()


def planted(*held: tuple[str, ...]) -> Sequences:
    """Poly-A with the full site of "first" at 5 and of "second" at 20, where they are held."""
    onehot = np.tile(np.eye(4, dtype=np.uint8)[0], (len(held), 40, 1))
    for row, names in zip(onehot, held, strict=True):
        for name, start, pwm in zip(BOTH, (5, 20), PWMS, strict=True):
            if name in names:
                row[start : start + 8] = np.eye(4)[pwm.argmax(1)]
    return Sequences.from_onehot(onehot)


# ---- where they must be right ----------------------------------------------------------------------------------


@named(TOYS)
def test_ism_is_the_exact_effect_of_every_substitution(toy) -> None:
    sequences = toy.examples(5, RNG)
    exact = in_wild_type_gauge(toy.attribution(sequences), sequences)
    np.testing.assert_allclose(maps(toy, sequences, Ism()), exact, atol=1e-12)


@named([bundled_linear(), bundled_pairwise()])
def test_saliency_is_exact_where_the_answer_is_linear_in_each_position(toy) -> None:
    sequences = toy.examples(5, RNG)
    exact = in_wild_type_gauge(toy.attribution(sequences), sequences)
    np.testing.assert_allclose(in_wild_type_gauge(maps(toy, sequences, Saliency()), sequences), exact, atol=1e-12)


def test_saliency_and_integrated_gradients_of_a_linear_toy_are_its_map() -> None:
    toy = bundled_linear()
    sequences = toy.examples(5, RNG)
    for explainer in (Saliency(), IntegratedGradients(steps=1)):
        np.testing.assert_allclose(maps(toy, sequences, explainer), toy.attribution(sequences), atol=1e-12)


def test_integrated_gradients_share_pairwise_terms_between_both_positions() -> None:
    toy = bundled_pairwise()
    sequences = toy.examples(5, RNG)
    # From a uniform reference, in the zero-sum gauge, half a gradient of each pair is met on the way.
    wanted = toy.additive + np.tensordot(sequences.onehot.astype(float), toy.pairwise, 2) / 2
    np.testing.assert_allclose(maps(toy, sequences, IntegratedGradients(steps=1))[0], wanted, atol=1e-10)


KINKED = tuple(toy.name for toy in TOYS if isinstance(toy, ConvPoolToy) or "max" in toy.name)


@named([toy for toy in TOYS if not isinstance(toy, NoisyToy)])
def test_integrated_gradients_add_up_to_what_is_to_be_explained(toy) -> None:
    sequences = toy.examples(4, RNG)
    # The midpoint rule misses by the square of the step where an answer is smooth, and by the step where it has kinks.
    steps, tolerance = (1000, 1e-2) if toy.name in KINKED else (300, 1e-3)
    report = explain(toy, sequences, IntegratedGradients(steps=steps), targets(toy))
    reference = toy.select(targets(toy)).predict(np.full((1, *sequences.onehot.shape[1:]), 0.25))[0]
    explained = report.predictions - reference[:, None]
    miss = np.abs(report.projected().sum(-1) - explained)
    assert miss.max() <= tolerance * np.abs(explained).max()


@named([SymmetricToy(PARTNER, 40, "sum", midpoint=8.0, slope=0.3), SymmetricToy(PARTNER, 40, "max", midpoint=8.0)])
@pytest.mark.parametrize("explainer", [Ism(), Saliency(), IntegratedGradients(steps=8)], ids=lambda e: e.name)
def test_maps_of_a_symmetric_toy_turn_with_the_strand(toy, explainer) -> None:
    sequences = toy.examples(6, RNG)
    turned = Sequences.from_onehot(sequences.onehot[:, ::-1, ::-1])
    values = maps(toy, turned, explainer)
    np.testing.assert_allclose(values[:, :, ::-1, ::-1], maps(toy, sequences, explainer), atol=1e-12)


def test_a_dead_unit_leaves_no_trace_in_any_map() -> None:
    toy = dead_unit()
    sequences = toy.examples(5, RNG)
    lives = toy.intervene({"conv2": {1: 0.0}})
    for explainer in (Ism(), Saliency(), IntegratedGradients(steps=8)):
        np.testing.assert_array_equal(maps(toy, sequences, explainer), maps(lives, sequences, explainer))


# ---- two motifs ------------------------------------------------------------------------------------------------


def test_ism_of_and_shows_both_motifs() -> None:
    toy = LogicToy(PWMS, 40, "and")
    sequences = planted(BOTH)
    contributions = own_contributions(maps(toy, sequences, Ism()), sequences)
    for motif in BOTH:
        assert (contributions[at_sites(toy, sequences, motif)] > 0.05).all()


def test_ism_of_and_not_shows_the_repressor_negative() -> None:
    toy = LogicToy(PWMS, 40, "and not")
    sequences = planted(BOTH)
    effects = maps(toy, sequences, Ism())
    repressor, activator = (at_sites(toy, sequences, motif) for motif in ("second", "first"))
    contributions = own_contributions(effects, sequences)
    assert (contributions[repressor] < -0.02).all()
    # Repressed as it is, the activator shows next to nothing, and far more where it stands alone.
    repressed = np.abs(contributions[activator]).max()
    assert repressed < 0.1 * np.abs(contributions[repressor]).min()
    alone = planted(("first",))
    shown = own_contributions(maps(toy, alone, Ism()), alone)[at_sites(toy, alone, "first")]
    assert shown.min() > 10 * repressed


# ---- where they must be wrong ----------------------------------------------------------------------------------


def test_ism_of_or_is_blind_to_motifs_that_stand_in_for_each_other() -> None:
    toy = LogicToy(PWMS, 40, "or")
    both, first, neither = (planted(held) for held in (BOTH, ("first",), ()))
    value = {name: toy.predict(s)["value"][0] for name, s in (("both", both), ("first", first), ("neither", neither))}
    assert value["first"] > 0.98  # either is sufficient,
    assert value["neither"] < 0.02  # and one must be there,
    shown = np.abs(maps(toy, both, Ism())).max()
    assert shown < 0.01  # but next to nothing is lost with one base of one of them
    assert shown < 0.05 * np.abs(maps(toy, first, Ism())).max()


def test_what_is_left_of_a_redundant_motif_is_what_the_other_leaves_unsaid() -> None:
    toy = LogicToy(PWMS, 40, "or")
    sequences = planted(BOTH)
    x = sequences.onehot.astype(float)
    p, q = (toy.presence(scanner.score(x)) for scanner in toy.scanners)
    lost = toy.presence(toy.scanners[0].substituted(x)) - p[:, None, None]
    at_first = at_sites(toy, sequences, "first")
    shown = maps(toy, sequences, Ism())[0]
    # Of p + q - p q; that a change of the first motif's site touches the second's score hardly matters.
    np.testing.assert_allclose(shown[at_first], (lost * (1 - q))[at_first], rtol=0.01, atol=1e-12)


def test_integrated_gradients_credit_motifs_that_stand_in_for_each_other() -> None:
    toy = LogicToy(PWMS, 40, "or")
    sequences = planted(BOTH)
    report = explain(toy, sequences, IntegratedGradients(steps=100))
    for motif in BOTH:
        share = report.projected()[0][at_sites(toy, sequences, motif)].sum() / report.projected().sum()
        assert share > 0.25


def test_ism_of_a_mixture_is_blind_where_the_unit_sees_both() -> None:
    toy = synonymous_mixture()
    apart = Sequences.from_strings(["A" * 4 + "TGACTCA" + "A" * 9 + "GATAAGG" + "A" * 11])
    assert toy.truth(apart).explanations(0, "necessary") == (frozenset({0, 1}),)
    effects = maps(toy, apart, Ism())[0, 0]
    stronger = np.abs(effects).max(1).argmax()
    weaker = slice(20, 27) if stronger < 12 else slice(4, 11)
    np.testing.assert_array_equal(effects[weaker].min(), 0)  # breaking the weaker one changes nothing at all


def test_saliency_vanishes_on_a_saturated_motif_that_ism_shows() -> None:
    toy = MotifToy(MOTIF, 40, midpoint=11.5, slope=20.0)  # between a full site (13.1) and any with a base off
    sequences = toy.examples(6, RNG)
    site = at_sites(toy, sequences, "motif")
    np.testing.assert_allclose(toy.predict(sequences)["value"], 1, atol=1e-6)
    flat = maps(toy, sequences, Saliency())[0]
    assert np.abs(flat[site]).max() < 1e-6
    effects = maps(toy, sequences, Ism())[0]
    lost = effects[site][sequences.onehot[site] == 0]
    np.testing.assert_allclose(lost, -1, atol=0.01)


def test_saliency_shrinks_as_the_curve_saturates_by_the_stated_slope() -> None:
    for midpoint in (13.1, 11.0, 9.0):
        toy = MotifToy(MOTIF, 40, midpoint=midpoint, slope=2.0)
        sequences = toy.examples(4, RNG)
        value = toy.respond(toy.score(sequences.onehot))
        gradient = maps(toy, sequences, Saliency())[0]
        start = toy.sites(sequences)[:, 0]
        centred = MOTIF - MOTIF.mean(1, keepdims=True)
        for i in range(4):
            wanted = 2.0 * value[i] * (1 - value[i]) * centred
            np.testing.assert_allclose(gradient[i, start[i] : start[i] + 8], wanted, atol=1e-12)


def test_what_noise_adds_ism_shows_and_gradients_do_not() -> None:
    toy = NoisyToy(bundled_motif(), deviation=0.1)
    sequences = toy.examples(6, RNG)
    exact = toy.toy.attribution(sequences)
    np.testing.assert_array_equal(maps(toy, sequences, Saliency()), maps(toy.toy, sequences, Saliency()))
    added = (maps(toy, sequences, Ism()) - exact)[0][sequences.onehot == 0]
    # Each effect has the noise of two answers, one of which all effects of a sequence share.
    np.testing.assert_allclose((added.reshape(6, -1)).std(1).mean(), 0.1, rtol=0.15)


def test_integrated_gradients_of_a_noisy_toy_miss_by_its_noise() -> None:
    noisy = NoisyToy(MotifToy(MOTIF, 40, "sum", "tanh", 8.0, 0.2), 0.3)
    sequences = noisy.examples(6, RNG)
    delta = explain(noisy, sequences, IntegratedGradients(steps=300)).validity.measures["convergence delta"][0]
    np.testing.assert_allclose(delta, -noisy.noise(sequences.onehot)["value"], atol=1e-3)
