"""Instances: sampled, best, or those that match well enough; and what surrounds them."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from cislens.backgrounds import Kmer
from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.sequences import Sequences
from cislens.simulation import Simulator, load_grammar, simulate
from cislens.simulation.instances import InstanceSampler

LEVEL = 1e-4  # fixed seeds; a fair draw fails once in ten thousand
MOTIF = Motif("m", np.array([[0.5, 0.3, 0.2, 0.0], [0.1, 0.1, 0.1, 0.7], [0.25, 0.25, 0.4, 0.1]]))


def words(matrix: np.ndarray) -> list[tuple[tuple[int, ...], float, float]]:
    """Return every word with its probability and its match score as a share of the best."""
    best = sum(row.max() for row in matrix)
    return [
        (word, float(np.prod([row[b] for row, b in zip(matrix, word, strict=True)])), score / best)
        for word in product(range(4), repeat=len(matrix))
        for score in [sum(row[b] for row, b in zip(matrix, word, strict=True))]
    ]


def share_reaching(matrix: np.ndarray, fraction: float) -> float:
    return sum(chance for _, chance, score in words(matrix) if score >= fraction - 1e-9)


def drawn_words(sampler: InstanceSampler, n: int = 20_000) -> dict[tuple[int, ...], int]:
    found, counts = np.unique(sampler.sample(n, np.random.default_rng(1)), axis=0, return_counts=True)
    return {tuple(map(int, word)): int(count) for word, count in zip(found, counts, strict=True)}


@pytest.mark.parametrize("instances", ["sampled", 0.5, 0.9])
def test_instances_come_as_often_as_their_probability_among_those_that_match_well_enough(instances: Any) -> None:
    least = 0.0 if instances == "sampled" else instances
    expected = {word: p for word, p, score in words(MOTIF.matrix) if p > 0 and score >= least - 1e-9}
    found = drawn_words(InstanceSampler(MOTIF, instances))
    assert set(found) <= set(expected)
    total = sum(expected.values())
    assert (
        chisquare([found.get(w, 0) for w in expected], [20_000 * p / total for p in expected.values()]).pvalue > LEVEL
    )


@pytest.mark.parametrize("instances", ["sampled", "best", 0.5, 0.9])
def test_likelihoods_are_those_of_drawing_and_sum_to_one(instances: Any) -> None:
    sampler = InstanceSampler(MOTIF, instances)
    every = np.array([word for word, *_ in words(MOTIF.matrix)], np.uint8)
    likelihood = sampler.likelihood(every)
    assert likelihood.sum() == pytest.approx(1)
    found = drawn_words(sampler)
    assert {tuple(map(int, word)) for word in every[likelihood > 0]} >= set(found)
    frequency = np.array([found.get(tuple(map(int, word)), 0) / 20_000 for word in every])
    # Five standard errors of a binomial share.
    assert (np.abs(frequency - likelihood) <= 5 * np.sqrt(likelihood * (1 - likelihood) / 20_000) + 1e-12).all()


def test_the_best_instance_is_the_likeliest_sequence() -> None:
    assert set(drawn_words(InstanceSampler(MOTIF, "best"), 50)) == {(0, 3, 2)}
    truth = simulate("argminn_spi1", n=100, instances="best")
    (motif,) = load_grammar("argminn_spi1").motifs
    texts = dict(zip(truth.sequences.ids, truth.sequences.strings(), strict=True))
    read = set()
    for row in truth.instances.itertuples():
        window = texts[row.sequence][row.start : row.end]
        read.add(window if row.strand == "+" else window[::-1].translate(str.maketrans("ACGT", "TGCA")))
    assert read == {"".join("ACGT"[i] for i in motif.matrix.argmax(1))}
    assert (truth.instances["score"] == 1).all()


@pytest.mark.parametrize("fraction", [0.7, 0.9, 0.95])
def test_all_instances_reach_the_fraction_of_the_best_match(fraction: float) -> None:
    scores = simulate("mem_cooperative_strong", n=1024, instances=fraction).instances["score"]
    assert scores.min() >= fraction - 1e-9
    assert simulate("mem_cooperative_sampled", n=1024).instances["score"].min() < fraction


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_share_of_samples_that_reach_a_fraction_is_that_of_all_words(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 5))
    # Small counts make scores that just reach the fraction, where rounding would tell.
    counts = np.array(
        data.draw(st.lists(st.lists(st.integers(0, 6), min_size=4, max_size=4), min_size=width, max_size=width))
    )
    counts[counts.sum(1) == 0] = 1
    motif = Motif("m", counts, "counts")
    fraction = data.draw(st.sampled_from([0.1, 0.25, 0.5, 0.6, 2 / 3, 0.75, 0.8, 0.9, 1.0]))
    expected = share_reaching(motif.probabilities(), fraction)
    assert InstanceSampler(motif, fraction).accepted == pytest.approx(expected, abs=1e-12)


def test_an_instance_that_just_reaches_the_fraction_is_one() -> None:
    motif = Motif("m", np.array([[0.5, 0.45, 0.05, 0.0]]))
    sampler = InstanceSampler(motif, 0.9)
    assert sampler.accepted == pytest.approx(0.95)
    assert set(drawn_words(sampler)) == {(0,), (1,)}


def test_the_share_of_a_wide_motif_is_that_of_a_large_sample() -> None:
    (_, ctcf) = load_grammar("argminn_spi1_ctcf", trim=0).motifs
    sampler = InstanceSampler(ctcf, "sampled")
    drawn = sampler.sample(100_000, np.random.default_rng(0))
    scores = ctcf.probabilities()[np.arange(len(ctcf)), drawn].sum(1) / ctcf.probabilities().max(1).sum()
    for fraction in (0.5, 0.8, 0.9):
        accepted = InstanceSampler(ctcf, fraction).accepted
        error = np.sqrt(accepted * (1 - accepted) / len(drawn))
        assert abs((scores >= fraction).mean() - accepted) < 5 * error


def test_a_fraction_that_hardly_any_sample_reaches_is_refused() -> None:
    flat = Motif("flat", np.tile([0.28, 0.24, 0.24, 0.24], (20, 1)))
    with pytest.raises(CislensError, match="'flat' must reach 1.0 of the best match, but only a share of"):
        InstanceSampler(flat, 1.0)


# ---- backgrounds of real sequences --------------------------------------------------------------------------


def real(n: int = 40, length: int = 60) -> Sequences:
    rng = np.random.default_rng(3)
    codes = rng.choice(4, (n, length), p=[0.4, 0.1, 0.1, 0.4])
    return Sequences.from_onehot(np.eye(4, dtype=np.uint8)[codes])


def of(background: str, source: Sequences | None, n: int = 300, length: int = 60, **changes: Any) -> Simulator:
    choices = {"length": length, "spurious": "kept", "both_strands": False, "centre": 40, **changes}
    return Simulator(load_grammar("argminn_spi1", background=background, **choices), source)


def test_real_sequences_as_backgrounds_are_those_given_but_for_what_is_planted() -> None:
    source = real()
    truth = of("sequences", source).simulate(300)
    texts, covered = set(source.strings()), truth.covered()
    bare = [text for text, held in zip(truth.sequences.strings(), covered.any(1), strict=True) if not held]
    assert len(bare) > 100
    assert set(bare) <= texts
    assert len(set(bare)) > 30
    for row, held in zip(truth.sequences.onehot, covered, strict=True):
        assert (source.onehot[:, ~held] == row[~held]).all(axis=(1, 2)).any()


def test_shuffled_backgrounds_keep_the_dinucleotides_of_a_real_sequence() -> None:
    source = real()

    def pairs(text: str) -> str:
        return "".join(sorted(text[i : i + 2] for i in range(len(text) - 1)))

    known = set(map(pairs, source.strings()))
    truth = of("dinucleotide", source).simulate(300)
    bare = [text for text, held in zip(truth.sequences.strings(), truth.covered().any(1), strict=True) if not held]
    assert {pairs(text) for text in bare} <= known
    assert not set(bare) <= set(source.strings())


def test_backgrounds_of_a_k_mer_model_have_the_model_s_frequencies() -> None:
    source = real(n=1, length=2000)
    codes = of("kmer:1", source, length=2000).backgrounds(30, np.random.default_rng(0))
    table = Kmer.fitted(source.onehot, 1).table
    assert table is not None
    for base, row in enumerate(table[1:]):
        after = np.bincount(codes[:, 1:][codes[:, :-1] == base], minlength=4)
        assert chisquare(after, after.sum() * row).pvalue > LEVEL


def test_real_sequences_are_cut_in_the_middle_and_those_with_n_are_left_out() -> None:
    source = Sequences.from_strings(["A" * 10 + "C" * 60 + "A" * 10, "G" * 30 + "N" + "G" * 49])
    truth = of("sequences", source).simulate(50)
    outside = ~truth.covered()
    assert (truth.sequences.onehot[outside].argmax(-1) == 1).all()


@pytest.mark.parametrize("background", ["sequences", "dinucleotide", "kmer:2", "frequencies"])
def test_backgrounds_of_real_sequences_need_some(background: str) -> None:
    with pytest.raises(CislensError, match="real sequences, but none were given"):
        of(background, None)
    with pytest.raises(CislensError, match="must be 60 bp long at least, got 20"):
        of(background, Sequences.from_strings(["A" * 20]))
    with pytest.raises(CislensError, match="without N, and all hold some"):
        of(background, Sequences.from_strings(["A" * 30 + "N" + "A" * 29]))


def test_what_is_no_background_is_told_as_such() -> None:
    with pytest.raises(CislensError, match="a background must be one of"):
        of("random", None)
