"""The likelihood ratio of a grammar against the sum over everything that can have been drawn."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.simulation import Arrangement, Grammar
from cislens.simulation.bayes import BayesClassifier, bayes_limit
from cislens.simulation.layout import parse_layout
from cislens.truth import Rule

LENGTH = 6
A = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.6, 0.2, 0.1]])
B = np.array([[0.05, 0.05, 0.1, 0.8], [0.25, 0.3, 0.45, 0.0]])
MATRICES = {"a": A, "b": B}
UNIFORM = (0.25,) * 4
SKEWED = (0.1, 0.2, 0.3, 0.4)
STARTS = range(LENGTH - 1)
Planted = tuple[tuple[str, int, str], ...]  # motif, start, strand
# A layout, and what it may plant: choices that are equally likely, of placements that are.
NOTHING: list[list[Planted]] = [[()]]
ONE: list[list[Planted]] = [[(("a", s, "+"),) for s in STARTS]]
TURNED: list[list[Planted]] = [[(("b", s, "-"),) for s in STARTS]]
EITHER: list[list[Planted]] = [[(("a", s, strand),) for s in STARTS] for strand in "+-"]
APART: list[list[Planted]] = [[(("a", s, "+"), ("b", t, "+")) for s in STARTS for t in STARTS if abs(s - t) >= 2]]
IN_ORDER: list[list[Planted]] = [[(("b", s, "+"), ("a", t, "-")) for s in STARTS for t in STARTS if t - s >= 2]]
SPACED: list[list[Planted]] = [
    [(("a", s, "+"), ("b", s + 2 + gap, "-")) for s in STARTS if s + 4 + gap <= LENGTH] for gap in (0, 1, 2)
]
LAYOUTS = {
    "a": ONE,
    "b-": TURNED,
    "a?": EITHER,
    "a & b": APART,
    "b .. a-": IN_ORDER,
    "a [0..2] b-": SPACED,
}
PAIRS = list(product(range(4), repeat=2))
EVERYTHING = np.array(list(product(range(4), repeat=LENGTH)), np.uint8)


def grammar(layout: str, negative: str = "", share: float = 0.5, **choices: Any) -> Grammar:
    arrangements = (
        Arrangement("yes", (parse_layout(layout),), share),
        Arrangement("no", (parse_layout(negative),), 1 - share),
    )
    motifs = tuple(Motif(name, matrix) for name, matrix in MATRICES.items())
    choices = {"length": LENGTH, "spurious": "kept", **choices}
    return Grammar("tiny", motifs, arrangements, {"rule": Rule("yes")}, **choices)


def word_table(matrix: np.ndarray, instances: Any) -> np.ndarray:
    """Return the probability of every instance, (4, 4)."""
    words = [(one, two, matrix[0][one] * matrix[1][two], matrix[0][one] + matrix[1][two]) for one, two in PAIRS]
    best = max(score for *_, score in words)
    least = {"sampled": 0.0, "best": 1.0}.get(instances, instances) * best - 1e-9
    table = np.zeros((4, 4))
    for one, two, chance, score in words:
        table[one, two] = chance if score >= least else 0.0
    return table / table.sum()


def matching_words(threshold: float) -> np.ndarray:
    """Return which words of two match a motif on either strand well enough to be removed, (4, 4)."""
    found = np.zeros((4, 4), bool)
    for matrix, (one, two) in product(MATRICES.values(), PAIRS):
        if matrix[0][one] + matrix[1][two] >= threshold * sum(matrix.max(1)) - 1e-9:
            found[one, two] = found[3 - two, 3 - one] = True
    return found


def likelihoods(
    choices: list[list[Planted]],
    frequencies: tuple[float, ...] = UNIFORM,
    instances: Any = "sampled",
    threshold: float = 9,
) -> np.ndarray:
    """Return the probability of every sequence, by what a grammar says of how it is made."""
    chances = {name: word_table(matrix, instances) for name, matrix in MATRICES.items()}
    matched = matching_words(threshold)
    total = np.zeros(len(EVERYTHING))
    for placements in choices:
        for planted in placements:
            covered = {at for _, start, _ in planted for at in (start, start + 1)}
            p = np.prod([np.array(frequencies)[EVERYTHING[:, at]] for at in {*range(LENGTH)} - covered], axis=0)
            for start in STARTS:
                if not covered & {start, start + 1}:
                    p = p * ~matched[EVERYTHING[:, start], EVERYTHING[:, start + 1]]
            # Backgrounds are drawn until they are clean; the sum holds each of them for all bases under instances.
            p = p / (p.sum() / 4 ** len(covered))
            for name, start, strand in planted:
                one, two = EVERYTHING[:, start], EVERYTHING[:, start + 1]
                p = p * (chances[name][one, two] if strand == "+" else chances[name][3 - two, 3 - one])
            total += p / len(placements) / len(choices)
    assert total.sum() == pytest.approx(1)
    return total


def log_odds(positive: np.ndarray, negative: np.ndarray, share: float = 0.5) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(positive * share) - np.log(negative * (1 - share))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("frequencies", [UNIFORM, SKEWED])
def test_log_odds_are_those_of_the_sum_over_everything_that_can_have_been_planted(
    layout: str, frequencies: tuple[float, ...]
) -> None:
    expected = log_odds(likelihoods(LAYOUTS[layout], frequencies), likelihoods(NOTHING, frequencies), 0.3)
    background = "frequencies:" + "/".join(map(str, frequencies))
    found = BayesClassifier(grammar(layout, share=0.3, background=background)).log_odds(EVERYTHING)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("instances", ["best", 0.9, 0.6])
@pytest.mark.parametrize("layout", ["a?", "a & b"])
def test_log_odds_know_how_instances_are_drawn(layout: str, instances: Any) -> None:
    expected = log_odds(likelihoods(LAYOUTS[layout], instances=instances), likelihoods(NOTHING))
    found = BayesClassifier(grammar(layout, instances=instances)).log_odds(EVERYTHING)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("frequencies", [UNIFORM, SKEWED])
@pytest.mark.parametrize("layout", ["a", "b .. a-"])
def test_log_odds_of_sequences_shown_on_either_strand_count_both(layout: str, frequencies: tuple[float, ...]) -> None:
    index = {sequence.tobytes(): i for i, sequence in enumerate(EVERYTHING)}
    other = [index[(3 - sequence[::-1]).tobytes()] for sequence in EVERYTHING]
    positive, negative = likelihoods(LAYOUTS[layout], frequencies), likelihoods(NOTHING, frequencies)
    expected = log_odds(positive + positive[other], negative + negative[other])
    background = "frequencies:" + "/".join(map(str, frequencies))
    found = BayesClassifier(grammar(layout, background=background, both_strands=True)).log_odds(EVERYTHING)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_log_odds_of_skewed_long_sequences_stay_finite_on_either_strand() -> None:
    tiny = grammar("a", background="frequencies:0.97/0.01/0.01/0.01", both_strands=True, length=300)
    codes = np.stack([np.zeros(300, np.uint8), np.full(300, 3, np.uint8)])
    one, other = BayesClassifier(tiny).log_odds(codes)
    assert np.isfinite(one)
    assert one == pytest.approx(other)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("negative", ["", "a"])
def test_log_odds_where_chance_matches_are_removed_are_off_by_no_more_than_the_shares_that_pass(
    layout: str, negative: str
) -> None:
    """The share of backgrounds that pass is sampled, and averaged over places.

    So a likelihood is off by no more than the ratio of that average to the share at any of its places, which is known
    exactly here, and by its sampling error: at most five times sqrt((1 - share) / (share * 20,000)).
    """
    threshold = 0.95
    choices, others = LAYOUTS[layout], ONE if negative else NOTHING
    expected = log_odds(likelihoods(choices, threshold=threshold), likelihoods(others, threshold=threshold))
    tiny = grammar(layout, negative, spurious="relative", threshold=threshold)
    found = BayesClassifier(tiny).log_odds(EVERYTHING)
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    shares = [passing(placements, threshold) for placements in (*choices, *others)]
    least = min(map(min, shares))
    bound = 2 * max(np.log(max(part) / min(part)) for part in shares) + 10 * np.sqrt((1 - least) / least / 20_000)
    finite = np.isfinite(expected)
    assert np.abs(found[finite] - expected[finite]).max() < bound


def passing(placements: list[Planted], threshold: float) -> list[float]:
    """Return the share of uniform backgrounds around each placement that hold no chance match."""
    matched = matching_words(threshold)
    shares = []
    for planted in placements:
        covered = {at for _, start, _ in planted for at in (start, start + 1)}
        clean = np.ones(len(EVERYTHING), bool)
        for start in STARTS:
            if not covered & {start, start + 1}:
                clean &= ~matched[EVERYTHING[:, start], EVERYTHING[:, start + 1]]
        shares.append(float(clean.mean()))
    return shares


def test_at_a_single_place_the_log_odds_with_chance_matches_removed_are_exact_but_for_sampling() -> None:
    threshold = 0.95
    one_place: list[list[Planted]] = [[(("a", 2, "+"),)]]
    tiny = grammar("a", spurious="relative", threshold=threshold, centre=2)
    expected = log_odds(likelihoods(one_place, threshold=threshold), likelihoods(NOTHING, threshold=threshold))
    found = BayesClassifier(tiny).log_odds(EVERYTHING)
    finite = np.isfinite(expected)
    assert finite.any()
    error = sum(
        np.sqrt((1 - share) / share / 20_000) for share in (*passing(one_place[0], threshold), *passing([()], 0.95))
    )
    assert np.abs(found[finite] - expected[finite]).max() < 5 * error
    # Without the shares that pass the two would be far apart.
    kept = BayesClassifier(replace(tiny, spurious="kept")).log_odds(EVERYTHING)
    assert np.abs(kept[finite] - expected[finite]).min() > 5 * error


@pytest.mark.parametrize("width", [1, 2, 3])
def test_the_limit_of_one_place_and_one_instance_is_the_chance_of_the_instance_in_the_background(width: int) -> None:
    motif = Motif("a", np.eye(4)[:width])
    arrangements = (Arrangement("yes", (parse_layout("a"),)), Arrangement("no", (parse_layout(""),)))
    place = Grammar(
        "place",
        (motif,),
        arrangements,
        {"rule": Rule("yes")},
        length=20,
        centre=width,
        instances="best",
        spurious="kept",
    )
    limit = bayes_limit(place, 20_000)
    # A negative holds the instance by chance 4^-w of the time, and is then called positive.
    expected = 1 - 4.0**-width / 2
    assert abs(limit.accuracy - expected) < 4 * limit.accuracy_error
    assert abs(limit.auroc - expected) < 4 * limit.auroc_error
    assert limit.accuracy_error < 0.003
    assert limit.sequences == 20_000


@pytest.mark.parametrize("layout", ["a?", "a & b", "a [0..2] b-"])
def test_the_limit_is_what_the_best_decision_gets_on_all_sequences(layout: str) -> None:
    positive, negative = 0.3 * likelihoods(LAYOUTS[layout]), 0.7 * likelihoods(NOTHING)
    tiny = grammar(layout, share=0.3)
    limit = bayes_limit(tiny, 5_000)
    assert abs(limit.accuracy - np.maximum(positive, negative).sum()) < 4 * limit.accuracy_error
    order = np.argsort(BayesClassifier(tiny).log_odds(EVERYTHING))
    # Of pairs drawn at random; ties among sequences of equal odds count a half, which merging them here does.
    odds = np.round(BayesClassifier(tiny).log_odds(EVERYTHING)[order], 9)
    _, group = np.unique(odds, return_inverse=True)
    p, q = np.bincount(group, positive[order]) / 0.3, np.bincount(group, negative[order]) / 0.7
    assert abs(limit.auroc - (p * (np.cumsum(q) - q / 2)).sum()) < 4 * limit.auroc_error


def test_no_decision_beats_the_limit() -> None:
    positive, negative = 0.3 * likelihoods(APART), 0.7 * likelihoods(ONE)
    best = np.where(
        BayesClassifier(grammar("a & b", "a", share=0.3)).log_odds(EVERYTHING) > 0, positive, negative
    ).sum()
    assert best == pytest.approx(np.maximum(positive, negative).sum(), abs=1e-12)
    rng = np.random.default_rng(0)
    for called in rng.random((200, len(EVERYTHING))) < rng.random((200, 1)):
        assert np.where(called, positive, negative).sum() <= best


def test_a_sequence_that_no_label_can_have_made_has_no_odds() -> None:
    everywhere = grammar("a", "a", instances="best", length=2)
    odds = BayesClassifier(everywhere).log_odds(np.array([[0, 1], [3, 3]], np.uint8))
    assert odds[0] == 0
    assert np.isnan(odds[1])


def test_a_motif_that_is_nowhere_planted_may_be_wider_than_the_room() -> None:
    assert np.isfinite(BayesClassifier(grammar("a", centre=2)).log_odds(EVERYTHING[:4])).all()


@pytest.mark.parametrize(
    "background", ["dinucleotide", "kmer:2", "sequences", "frequencies", "frequencies:0/0.5/0.5/0"]
)
def test_a_background_without_an_exact_likelihood_is_refused(background: str) -> None:
    with pytest.raises(CislensError, match="independent bases that all occur"):
        BayesClassifier(grammar("a", background=background))


def test_a_grammar_of_one_label_has_no_limit() -> None:
    with pytest.raises(CislensError, match="needs positives and negatives"):
        bayes_limit(grammar("a", share=1.0), 50)


def test_the_limit_of_a_seed_is_the_same_each_time_and_another_seed_draws_others() -> None:
    tiny = grammar("a & b")
    assert bayes_limit(tiny, 500, seed=3) == bayes_limit(tiny, 500, seed=3)
    assert bayes_limit(tiny, 500, seed=3) != bayes_limit(tiny, 500, seed=4)


def test_progress_ends_at_the_number_of_sequences() -> None:
    told: list[tuple[float, float]] = []
    BayesClassifier(grammar("a")).log_odds(EVERYTHING[:600], lambda done, total: told.append((done, total)))
    assert told[-1] == (600, 600)
    assert len(told) > 1
