"""Toys whose answer joins two things, reads two strands, or has noise: each against its formula, done by hand."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cislens.errors import CislensError
from cislens.sequences import Sequences
from cislens.testing import (
    ConvPoolToy,
    LinearToy,
    LogicToy,
    MotifToy,
    NoisyToy,
    PairwiseToy,
    SpacingToy,
    SymmetricToy,
)
from cislens.testing.toys import MOTIF, PARTNER, bundled_motif
from cislens.testing.toys.toy import random_onehot

RNG = np.random.default_rng(21)
PWMS = (MOTIF, PARTNER)


def window_scores(pwm: np.ndarray, text: str) -> list[float]:
    return [
        sum(pwm[k]["ACGT".index(text[start + k])] for k in range(len(pwm))) for start in range(len(text) - len(pwm) + 1)
    ]


def by_hand(logic: str, text: str, midpoint: float, slope: float) -> float:
    p, q = (
        1 / (1 + math.exp(-slope * (math.log(sum(map(math.exp, window_scores(pwm, text)))) - midpoint))) for pwm in PWMS
    )
    return {"and": p * q, "or": 1 - (1 - p) * (1 - q), "and not": p * (1 - q)}[logic]


# ---- logic ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("logic", ["and", "or", "and not"])
def test_two_motifs_are_joined_as_independent_events(logic) -> None:
    toy = LogicToy(PWMS, 30, logic, midpoint=7.0, slope=0.6)
    sequences = toy.holding([(), ("first",), ("second",), ("first", "second")] * 3, RNG)
    wanted = [by_hand(logic, text, 7.0, 0.6) for text in sequences.strings()]
    np.testing.assert_allclose(toy.predict(sequences)["value"], wanted, rtol=1e-12)


@pytest.mark.parametrize(("logic", "table"), [("and", (0, 0, 0, 1)), ("or", (0, 1, 1, 1)), ("and not", (0, 1, 0, 0))])
def test_the_answer_follows_the_truth_table(logic, table) -> None:
    toy = LogicToy(PWMS, 40, logic)
    sequences = toy.holding([(), ("first",), ("second",), ("first", "second")], np.random.default_rng(1))
    np.testing.assert_array_equal(toy.predict(sequences)["value"] > 0.5, np.array(table, bool))


def test_an_unknown_logic_is_refused() -> None:
    with pytest.raises(CislensError, match="one of 'and', 'or', 'and not', got 'xor'"):
        LogicToy(PWMS, 40, "xor")


# ---- spacing ----------------------------------------------------------------------------------------------------


def test_a_spacing_toy_sums_over_all_pairs_in_order() -> None:
    toy = SpacingToy(PWMS, 26, preferred=3, tolerance=1.5)
    sequences = toy.spaced(np.array([0, 1, 3, 6]), RNG)
    for text, value in zip(sequences.strings(), toy.predict(sequences)["value"], strict=True):
        first, second = (window_scores(pwm, text) for pwm in PWMS)
        total = sum(
            math.exp(first[i] + second[j] - ((j - i - 8 - 3) / 1.5) ** 2 / 2)
            for i, j in product(range(len(first)), range(len(second)))
            if j >= i + 8
        )
        np.testing.assert_allclose(value, 1 / (1 + math.exp(-0.5 * (math.log(total) - 20))), rtol=1e-12)


def test_the_answer_falls_with_the_distance_from_the_preferred_spacing() -> None:
    toy = SpacingToy(PWMS, 40, preferred=5, tolerance=1.5)
    gaps = np.arange(20)
    texts = ["TGACTCAG" + "A" * gap + "GGAAGTGA" for gap in gaps]
    values = toy.predict(Sequences.from_strings([text.ljust(40, "A") for text in texts]))["value"]
    np.testing.assert_allclose(values, toy.response(gaps), atol=0.02)  # what one site and poly-A still score
    assert values.argmax() == 5
    assert (np.diff(values[:6]) > 0).all()
    assert (np.diff(values[5:12]) < 0).all()
    assert toy.spacings == tuple(gaps[values > 0.5])


def test_motifs_in_the_other_order_are_no_pair() -> None:
    toy = SpacingToy(PWMS, 40)
    texts = ["TGACTCAG" + "A" * 5 + "GGAAGTGA", "GGAAGTGA" + "A" * 5 + "TGACTCAG"]
    right, other = toy.predict(Sequences.from_strings([text.ljust(40, "A") for text in texts]))["value"]
    assert right > 0.9
    assert other < 0.05


def test_motifs_too_weak_for_any_spacing_are_refused() -> None:
    with pytest.raises(CislensError, match="must score above 20.0 together, got 10 at most"):
        SpacingToy((np.eye(4)[[0] * 5], np.eye(4)[[1] * 5]), 40)


# ---- pairwise terms ----------------------------------------------------------------------------------------------


def random_terms(length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    terms = rng.normal(size=(length, 4, length, 4))
    terms[np.arange(length), :, np.arange(length)] = 0
    return rng.normal(size=(length, 4)), terms + terms.transpose(2, 3, 0, 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_terms_in_any_gauge_give_the_answer_that_they_say(seed, length) -> None:
    rng = np.random.default_rng(seed)
    theta, terms = random_terms(length, rng)
    bases = rng.integers(0, 4, length)
    wanted = 1.5 + sum(theta[i, bases[i]] for i in range(length))
    wanted += sum(terms[i, bases[i], j, bases[j]] for j in range(length) for i in range(j))
    toy = PairwiseToy(theta, terms, constant=1.5)
    np.testing.assert_allclose(toy.predict(np.eye(4)[bases][None])["value"], wanted, atol=1e-10)


def test_known_terms_are_in_the_zero_sum_gauge() -> None:
    toy = PairwiseToy(*random_terms(5, RNG))
    np.testing.assert_allclose(toy.additive.sum(1), 0, atol=1e-12)
    np.testing.assert_allclose(toy.pairwise.sum(3), 0, atol=1e-12)
    np.testing.assert_allclose(toy.pairwise.sum(1), 0, atol=1e-12)
    x = np.stack([np.eye(4)[list(bases)] for bases in product(range(4), repeat=5)])
    values = toy.predict(x)["value"]
    # In this gauge terms are means over all sequences that hold their bases, less what fewer bases say.
    np.testing.assert_allclose(toy.constant, values.mean(), atol=1e-12)
    held = x[:, 2, 3] == 1
    np.testing.assert_allclose(toy.additive[2, 3], values[held].mean() - toy.constant, atol=1e-12)
    both = held & (x[:, 4, 0] == 1)
    less = toy.constant + toy.additive[2, 3] + toy.additive[4, 0]
    np.testing.assert_allclose(toy.pairwise[2, 3, 4, 0], values[both].mean() - less, atol=1e-12)


def test_pairwise_terms_are_what_two_substitutions_say_beyond_each() -> None:
    toy = PairwiseToy(*random_terms(6, RNG))
    x = toy.examples(1, RNG).onehot
    one, other, both = x.copy(), x.copy(), x.copy()
    for changed, position in ((one, 1), (other, 4), (both, 1), (both, 4)):
        changed[:, position] = changed[:, position, [3, 0, 1, 2]]
    f, f1, f2, f12 = (toy.predict(each)["value"][0] for each in (x, one, other, both))
    (a, c), (b, d) = (each[0, [1, 4]].argmax(1) for each in (x, both))
    terms = toy.pairwise[1, :, 4]
    np.testing.assert_allclose(f12 - f1 - f2 + f, terms[b, d] - terms[a, d] - terms[b, c] + terms[a, c], atol=1e-12)


def test_pairwise_terms_that_are_none_are_refused() -> None:
    theta, terms = random_terms(4, RNG)
    lopsided, within = terms.copy(), terms.copy()
    lopsided[0, 0, 1, 1] += 1
    within[2, 0, 2, 1] = within[2, 1, 2, 0] = 1
    with pytest.raises(CislensError, match="symmetric, of shape"):
        PairwiseToy(theta, lopsided)
    with pytest.raises(CislensError, match="zero within a position"):
        PairwiseToy(theta, within)


# ---- both strands ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", ["max", "sum"])
def test_a_symmetric_toy_answers_exactly_the_same_for_the_other_strand(pool) -> None:
    toy = SymmetricToy(RNG.normal(size=(6, 4)), 25, pool, midpoint=3.0, slope=0.5)
    x = random_onehot(300, 25, RNG)
    relaxed = RNG.dirichlet(np.ones(4), (300, 25))
    for each in (x, relaxed):
        turned = each[:, ::-1, ::-1]
        np.testing.assert_array_equal(toy.predict(each)["value"], toy.predict(turned)["value"])
        cotangent = {"value": np.ones(300)}
        gradient, other = toy.vjp(each, cotangent)[1], toy.vjp(turned, cotangent)[1]
        np.testing.assert_array_equal(gradient, other[:, ::-1, ::-1])


def test_a_symmetric_toy_pools_the_windows_of_both_strands() -> None:
    pwm = RNG.normal(size=(6, 4))
    toy = SymmetricToy(pwm, 25, "max", "linear")
    sequences = toy.examples(5, RNG)
    complement = str.maketrans("ACGT", "TGCA")
    for text, value in zip(sequences.strings(), toy.predict(sequences)["value"], strict=True):
        both = window_scores(pwm, text) + window_scores(pwm, text.translate(complement)[::-1])
        np.testing.assert_allclose(value, max(both), rtol=1e-12)


def test_a_site_that_reads_the_same_on_both_strands_counts_once_in_the_gradient() -> None:
    pwm = RNG.normal(size=(6, 4))
    toy = SymmetricToy(pwm, 12, "max", "linear")
    half = random_onehot(50, 6, RNG)
    palindromes = np.concatenate([half, half[:, ::-1, ::-1]], axis=1)
    value, gradient = toy.vjp(palindromes, {"value": np.ones(50)})
    # The best window's score is linear in the sequence, so that the gradient times the sequence gives it back.
    np.testing.assert_allclose((gradient * palindromes).sum((1, 2)), value["value"], rtol=1e-12)


def test_a_symmetric_toy_knows_where_its_motif_was_planted_on_either_strand() -> None:
    sequences = (toy := SymmetricToy(PARTNER, 40)).examples(40, RNG)
    sites = [text[start:end] for text, (start, end) in zip(sequences.strings(), toy.sites(sequences), strict=True)]
    assert set(sites) == {"GGAAGTGA", "TCACTTCC"}


# ---- noise -------------------------------------------------------------------------------------------------------


def test_noise_is_normal_with_the_stated_deviation() -> None:
    toy = NoisyToy(bundled_motif(), deviation=0.3)
    noise = toy.noise(random_onehot(4000, 40, np.random.default_rng(3)))["value"]
    assert stats.kstest(noise / 0.3, "norm").pvalue > 0.001
    spread = (noise**2).sum() / 0.3**2
    assert 0.001 < stats.chi2(4000).cdf(spread) < 0.999


def test_noise_of_a_sequence_is_the_same_wherever_and_whenever_it_is_asked() -> None:
    sequences = bundled_motif().examples(20, RNG)
    toy, again = (NoisyToy(bundled_motif(), 0.3) for _ in range(2))
    values = toy.predict(sequences)["value"]
    np.testing.assert_array_equal(values, again.predict(sequences.onehot[::-1].astype(np.float32))["value"][::-1])
    np.testing.assert_array_equal(values, toy.toy.predict(sequences)["value"] + toy.noise(sequences.onehot)["value"])
    assert (NoisyToy(bundled_motif(), 0.3, seed=1).predict(sequences)["value"] != values).all()


def test_noise_of_neighbours_is_as_independent_as_that_of_any_two() -> None:
    toy = NoisyToy(LinearToy(np.zeros((40, 4))), 1.0)
    x = random_onehot(3000, 40, np.random.default_rng(4))
    changed = x.copy()
    changed[:, 7] = changed[:, 7, [1, 2, 3, 0]]
    one, other = toy.predict(x)["value"], toy.predict(changed)["value"]
    assert stats.pearsonr(one, other).pvalue > 0.001
    seeded = NoisyToy(LinearToy(np.zeros((40, 4))), 1.0, seed=1).predict(x)["value"]
    assert stats.pearsonr(one, seeded).pvalue > 0.001


def test_noise_depends_on_the_order_of_the_bases() -> None:
    toy = NoisyToy(bundled_motif(), 1.0)
    x = bundled_motif().examples(1, RNG).onehot
    shuffled = np.stack([RNG.permutation(x[0]) for _ in range(50)])
    assert len(np.unique(toy.noise(shuffled)["value"])) == 50


def test_rows_between_bases_get_no_noise_and_gradients_none_at_all() -> None:
    toy = NoisyToy(MotifToy(MOTIF, 40, "sum", "tanh", 8.0, 0.2), 0.5)
    relaxed = RNG.dirichlet(np.ones(4), (5, 40))
    np.testing.assert_array_equal(toy.predict(relaxed)["value"], toy.toy.predict(relaxed)["value"])
    x = toy.examples(5, RNG)
    cotangent = {"value": np.ones(5)}
    np.testing.assert_array_equal(toy.vjp(x, cotangent)[1], toy.toy.vjp(x, cotangent)[1])


def test_noise_is_added_to_each_output_by_itself() -> None:
    noise = NoisyToy(ConvPoolToy(40), 1.0).noise(random_onehot(2000, 40, np.random.default_rng(5)))["expression"]
    assert noise.shape == (2000, 2)
    assert stats.pearsonr(*noise.T).pvalue > 0.001
    sequences = Sequences.from_onehot(random_onehot(2, 40, RNG))
    assert NoisyToy(ConvPoolToy(40), 1.0).attribution(sequences).shape == (2, 2, 40, 4)
