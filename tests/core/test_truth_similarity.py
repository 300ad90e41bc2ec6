"""Similarity of motifs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cislens.motif import Motif
from cislens.truth.motif_similarity import similarities, similarity, symmetric

UNIFORM = np.full((1, 4), 0.25)


def word(text: str, share: float = 1.0, name: str = "m") -> Motif:
    """The motif of one word, each base at a share."""
    hot = np.eye(4)[["ACGT".index(base) for base in text]]
    return Motif(name, hot * share + (1 - hot) * (1 - share) / 3)


def padded(motif: Motif, before: int, after: int) -> Motif:
    return replace(motif, matrix=np.concatenate([UNIFORM] * before + [motif.matrix] + [UNIFORM] * after))


@st.composite
def motifs(draw) -> Motif:
    """Motifs as those of databases: 5 to 14 columns, each of any sharpness."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    width = draw(st.integers(5, 14))
    return Motif("m", rng.dirichlet([draw(st.sampled_from([0.1, 0.5, 2.0]))] * 4, width))


@given(motifs(), motifs())
def test_similarity_is_symmetric(one: Motif, two: Motif) -> None:
    assert similarity(one, two) == pytest.approx(similarity(two, one), abs=1e-9)


@given(motifs(), motifs())
def test_similarity_does_not_see_which_strand_a_motif_is_given_on(one: Motif, two: Motif) -> None:
    expected = pytest.approx(similarity(one, two), abs=1e-9)
    assert similarity(one.reverse_complement(), two) == expected
    assert similarity(one, two.reverse_complement()) == expected


@given(motifs(), motifs(), st.integers(0, 6), st.integers(0, 6))
def test_similarity_does_not_see_uninformative_flanks(one: Motif, two: Motif, before: int, after: int) -> None:
    assert similarity(padded(one, before, after), two) == pytest.approx(similarity(one, two), abs=1e-9)


@given(motifs(), st.integers(0, 6), st.integers(0, 6))
def test_a_motif_is_itself_within_flanks_and_the_alignment_says_where(motif: Motif, before: int, after: int) -> None:
    alike = similarities([padded(motif, before, after)], [motif])
    assert alike.correlation[0, 0] == pytest.approx(1, abs=1e-9)
    assert not alike.reverse[0, 0]
    assert alike.offset[0, 0] == -before


@given(motifs(), motifs())
def test_similarity_lies_between_0_and_1(one: Motif, two: Motif) -> None:
    assert 0 <= similarity(one, two) <= 1


@pytest.mark.parametrize(("before", "after"), [(0, 0), (2, 5)])
def test_a_reverse_complement_is_found_with_its_strand_and_place(before: int, after: int) -> None:
    motif = word("GGAAGTGA", 0.9)
    alike = similarities([padded(motif.reverse_complement(), before, after)], [motif])
    assert (alike.reverse[0, 0], alike.offset[0, 0], alike.overlap[0, 0]) == (True, -after, 8)
    assert alike.correlation[0, 0] == pytest.approx(1)


def test_a_motif_that_is_aligned_without_gaps_correlates_by_pearson() -> None:
    one, two = word("GGAAGTGA", 0.9), word("GGAACTGA", 0.8)
    expected = np.corrcoef(one.matrix.ravel(), two.matrix.ravel())[0, 1]
    assert similarity(one, two) == pytest.approx(expected)


def test_a_part_of_a_motif_and_a_motif_within_a_longer_one_are_wholly_alike() -> None:
    motif = word("GGAAGTGACC")
    assert similarity(word("AAGTGA"), motif) == pytest.approx(1)
    assert similarity(word("TTGCAGGAAGTGACCATTC"), motif) == pytest.approx(1)


def test_two_motifs_that_touch_at_their_ends_are_alike_by_the_root_of_the_share_that_does() -> None:
    # The last 5 of 10 columns are the other's first 5, and nothing else fits better.
    one, two = word("AAAAACGGCA"), word("CGGCATTTTT")
    alike = similarities([one], [two])
    assert alike.correlation[0, 0] == pytest.approx(np.sqrt(0.5))
    assert (alike.offset[0, 0], alike.overlap[0, 0]) == (-5, 5)


def test_fewer_columns_than_the_least_overlap_are_alike_to_nothing_wider() -> None:
    assert similarity(word("GGAA"), word("GGAAGTGA")) == 0
    assert similarity(word("GGAA"), word("GGAA")) == pytest.approx(1)
    assert similarities([word("GGAA")], [word("GGAAGTGA")], minimum_overlap=4).correlation[0, 0] == pytest.approx(1)


def test_many_motifs_at_once_are_compared_as_each_pair_alone() -> None:
    rng = np.random.default_rng(3)
    ours = [Motif(str(i), rng.dirichlet([0.4] * 4, 5 + i)) for i in range(6)]
    theirs = [Motif(str(i), rng.dirichlet([0.4] * 4, 12 - i)) for i in range(5)]
    alike = similarities(ours, theirs)
    for i, one in enumerate(ours):
        for j, two in enumerate(theirs):
            pair = similarities([one], [two])
            assert alike.correlation[i, j] == pytest.approx(pair.correlation[0, 0])
            assert (alike.reverse[i, j], alike.offset[i, j]) == (pair.reverse[0, 0], pair.offset[0, 0])


def brute_force(one: np.ndarray, two: np.ndarray, least: int) -> float:
    """The definition, offset by offset, for matrices without flanks."""
    best = 0.0
    for turned in (one, one[::-1, ::-1]):
        for offset in range(1 - len(turned), len(two)):
            rows = [(i, i + offset) for i in range(len(turned)) if 0 <= i + offset < len(two)]
            if len(rows) < min(least, max(len(one), len(two))):
                continue
            a, b = turned[[i for i, _ in rows]] - 0.25, two[[j for _, j in rows]] - 0.25
            share = max((a**2).sum() / ((one - 0.25) ** 2).sum(), (b**2).sum() / ((two - 0.25) ** 2).sum())
            best = max(best, np.corrcoef(a.ravel(), b.ravel())[0, 1] * np.sqrt(share))
    return best


@given(st.integers(0, 2**32 - 1), st.integers(5, 9), st.integers(5, 9), st.integers(3, 6))
def test_similarity_is_as_defined(seed: int, width: int, other: int, least: int) -> None:
    rng = np.random.default_rng(seed)
    # Mixed with a sharp column each, so that no column counts as a flank.
    one, two = (0.4 * rng.dirichlet([1] * 4, w) + 0.6 * np.eye(4)[rng.integers(0, 4, w)] for w in (width, other))
    got = similarities([Motif("a", one)], [Motif("b", two)], minimum_overlap=least).correlation[0, 0]
    assert got == pytest.approx(brute_force(one, two, least), abs=1e-9)


@pytest.mark.parametrize("scale", [3.0, -0.01])
@pytest.mark.parametrize("hypothetical", [True, False])
def test_contributions_are_alike_to_the_motif_they_come_from_whatever_their_scale_and_sign(scale, hypothetical) -> None:
    motif = word("GGAAGTGA", 0.97)
    values = (motif.matrix - 0.25) if hypothetical else np.where(motif.matrix > 0.5, motif.matrix, 0)
    assert similarity(Motif("c", scale * values, "contributions"), motif) == pytest.approx(1, abs=0.01)


def test_counts_and_weights_are_alike_to_their_probabilities() -> None:
    motif = word("GGAAGTGA", 0.9)
    assert similarity(Motif("c", motif.matrix * 20, "counts"), motif) == pytest.approx(1)
    assert similarity(Motif("w", np.log2(motif.matrix / 0.25), "weights"), motif) == pytest.approx(1)


def test_motifs_without_information_are_alike_to_nothing() -> None:
    flat = Motif("flat", np.full((8, 4), 0.25))
    zero = Motif("zero", np.zeros((8, 4)), "contributions")
    assert similarity(flat, word("GGAAGTGA")) == similarity(zero, word("GGAAGTGA")) == similarity(flat, flat) == 0


def test_no_motifs_are_compared_to_none() -> None:
    assert similarities([], [word("GGAAGTGA")]).correlation.shape == (0, 1)
    assert similarities([word("GGAAGTGA")], []).overlap.shape == (1, 0)


@pytest.mark.parametrize(("text", "is_symmetric"), [("CACGTG", True), ("TGACGTCA", True), ("GGAAGTGA", False)])
def test_a_palindrome_is_its_own_reverse_complement(text: str, is_symmetric: bool) -> None:
    assert symmetric(padded(word(text, 0.9), 2, 0), 0.8) is is_symmetric
