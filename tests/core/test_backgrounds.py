"""Backgrounds keep what they promise to keep, and are as random as they say."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from cislens.backgrounds import Background, Dinucleotide, Frequencies, Kmer, Sampled, Uniform, parse_background
from cislens.errors import CislensError, SequenceError
from cislens.sequences import Sequences

TEXTS = ["uniform", "frequencies", "frequencies:0.1/0.2/0.3/0.4", "kmer:0", "kmer:3", "dinucleotide"]
# A fair draw fails a test of this level once in ten thousand seeds; the seeds are fixed.
LEVEL = 1e-4


def onehot(*strings: str) -> np.ndarray:
    return Sequences.from_strings(strings).onehot


def drawn(background: Background, text: str, n: int, seed: int = 0) -> list[str]:
    samples = background.sample(onehot(text), n, np.random.default_rng(seed))
    return Sequences.from_onehot(samples[0]).strings()


def pairs(text: str) -> Counter[str]:
    return Counter(text[i : i + 2] for i in range(len(text) - 1))


def all_with_the_same_pairs(text: str) -> set[str]:
    """List every sequence with these dinucleotides and this first base, by search."""

    def grow(start: str, left: Counter[str]) -> set[str]:
        if not left.total():
            return {start}
        return {
            done
            for base in "ACGT"
            if left[start[-1] + base]
            for done in grow(start + base, left - Counter([start[-1] + base]))
        }

    return grow(text[0], pairs(text))


@pytest.mark.parametrize("text", TEXTS)
def test_samples_are_one_hot_of_the_shape_asked_for_with_n_where_it_was(text: str) -> None:
    x = onehot("ACGTNNACGATTACAN", "NNNNNNNNNNNNNNNN", "TTTTTTTTTTTTTTTT")
    samples = parse_background(text).sample(x, 5, np.random.default_rng(0))
    assert samples.dtype == np.uint8
    assert samples.shape == (3, 5, 16, 4)
    np.testing.assert_array_equal(samples.sum(-1), np.broadcast_to(x.any(-1)[:, None], (3, 5, 16)))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("shape", [(0, 16, 4), (2, 0, 4), (2, 1, 4)])
def test_no_sequences_empty_ones_and_single_bases_are_no_trouble(text: str, shape: tuple[int, int, int]) -> None:
    x = np.zeros(shape, np.uint8)
    x[..., 1] = 1
    assert parse_background(text).sample(x, 3, np.random.default_rng(0)).shape == (shape[0], 3, *shape[1:])
    assert parse_background(text).sample(x, 0, np.random.default_rng(0)).shape == (shape[0], 0, *shape[1:])


@pytest.mark.parametrize("text", TEXTS)
def test_the_same_stream_gives_the_same_samples_and_another_gives_others(text: str) -> None:
    background, sequence = parse_background(text), "ACGGTCATTGCATTACGGATCCATGACGAT"
    assert drawn(background, sequence, 4, seed=1) == drawn(background, sequence, 4, seed=1)
    assert drawn(background, sequence, 4, seed=1) != drawn(background, sequence, 4, seed=2)


@pytest.mark.parametrize("text", [*TEXTS, "sequences"])
def test_the_text_form_reads_back(text: str) -> None:
    sequences = Sequences.from_strings(["ACGT"])
    assert str(parse_background(text, sequences)) == text


def test_fitted_frequencies_read_back_exactly() -> None:
    fitted = Frequencies.fitted(onehot("AACGTTT", "NACGGGG"))
    assert fitted.frequencies == pytest.approx((3 / 13, 2 / 13, 5 / 13, 3 / 13), abs=1e-15)
    assert parse_background(str(fitted)) == fitted


@pytest.mark.parametrize("text", ["kmer", "kmer:x", "frequencies:1", "frequencies:a/b/c/d", "uniform:2", "shuffle", ""])
def test_another_text_is_an_error_that_lists_the_backgrounds(text: str) -> None:
    with pytest.raises(CislensError, match=r"must be one of uniform, frequencies, .*dinucleotide or sequences, got"):
        parse_background(text)


def test_settings_that_make_no_sense_are_errors() -> None:
    with pytest.raises(CislensError, match="four numbers, none negative, that sum to 1"):
        Frequencies((0.5, 0.5, 0.5, -0.5))
    with pytest.raises(CislensError, match="order of a k-mer model must be 0 to 8, got 9"):
        parse_background("kmer:9")
    with pytest.raises(CislensError, match="draws from real sequences, but none were given"):
        parse_background("sequences")
    with pytest.raises(CislensError, match="must not be negative, got -1"):
        drawn(Uniform(), "ACGT", -1)
    with pytest.raises(SequenceError, match="must have shape"):
        Uniform().sample(np.zeros((4, 4), np.uint8), 1, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("background", "expected"),
    [
        (Uniform(), (0.25, 0.25, 0.25, 0.25)),
        (Frequencies((0.1, 0.2, 0.3, 0.4)), (0.1, 0.2, 0.3, 0.4)),
        (Frequencies(), (0.5, 0.2, 0.2, 0.1)),
    ],
)
def test_base_frequencies_are_those_promised(background: Background, expected: tuple[float, ...]) -> None:
    samples = background.sample(onehot("AAAAACCGGT" * 10), 400, np.random.default_rng(5))
    counts = samples.sum((0, 1, 2))
    assert counts.sum() == 40_000
    assert chisquare(counts, np.array(expected) * 40_000).pvalue > LEVEL


def test_a_base_of_frequency_zero_is_never_drawn() -> None:
    assert set("".join(drawn(Frequencies((0.0, 0.5, 0.0, 0.5)), "A" * 1000, 20))) == {"C", "T"}
    assert set("".join(drawn(Frequencies(), "CCCCGGGG" * 20, 20))) == {"C", "G"}


def test_frequencies_are_measured_on_each_sequence_alone() -> None:
    samples = Frequencies().sample(onehot("A" * 50, "G" * 50), 3, np.random.default_rng(0))
    np.testing.assert_array_equal(samples[0].sum((0, 1)), [150, 0, 0, 0])
    np.testing.assert_array_equal(samples[1].sum((0, 1)), [0, 0, 150, 0])


def markov(order: int, length: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a random model P(base | context), (4^order, 4), and sequences drawn from it one base at a time."""
    rng = np.random.default_rng(7)
    table = rng.dirichlet(np.ones(4), 4**order)
    codes = rng.integers(0, 4, (n, length))
    for row in codes:
        for i in range(order, length):
            context = int("0" + "".join(map(str, row[i - order : i])), 4)
            row[i] = rng.choice(4, p=table[context])
    return table, np.eye(4, dtype=np.uint8)[codes]


@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_fitted_kmer_model_finds_the_model_that_made_its_sequences_and_draws_from_it(order: int) -> None:
    table, x = markov(order, 300, 60)
    fitted = Kmer.fitted(x, order)
    assert fitted.table is not None
    # About 18,000 bases over at most 16 contexts: five standard errors of a probability are below 0.1.
    np.testing.assert_allclose(fitted.table[-(4**order) :], table, atol=0.1)
    samples = fitted.sample(onehot("A" * 300), 100, np.random.default_rng(1))[0].argmax(-1)
    words = np.zeros((100, 300 - order), int)
    for k in range(order + 1):
        words = words * 4 + samples[:, k : k + 300 - order]
    counts = np.bincount(words.ravel(), minlength=4 ** (order + 1)).reshape(-1, 4)
    for seen, probabilities in zip(counts, fitted.table[-(4**order) :], strict=True):
        assert chisquare(seen, seen.sum() * probabilities / probabilities.sum()).pvalue > LEVEL


def test_a_kmer_model_mixes_what_it_counted_with_the_shorter_model() -> None:
    # Of AAC: A twice, C once, mixed with one count of 0.25 each; after A once A and once C, mixed with that.
    table = Kmer.fitted(onehot("AAC"), 1).table
    shorter = (np.array([2, 1, 0, 0]) + 0.25) / 4
    np.testing.assert_allclose(table[0], shorter, atol=1e-15)
    np.testing.assert_allclose(table[1], (np.array([1, 1, 0, 0]) + shorter) / 3, atol=1e-15)
    np.testing.assert_allclose(table[2:], [shorter] * 3, atol=1e-15)


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("held", [1, 1 << 14, 1 << 26])
def test_each_of_many_sequences_is_given_what_it_is_given_alone(fitted: bool, held: int, monkeypatch) -> None:
    monkeypatch.setattr("cislens.backgrounds.HELD_AT_ONCE", held)
    rng = np.random.default_rng(0)
    x = np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (12, 40))]
    x[3, 10:14], x[5], x[7, 0], x[8, -1] = 0, 0, 0, 0
    background = Kmer.fitted(x, 2) if fitted else Kmer(2)
    together = background.sample(x, 2, np.random.default_rng(1))
    one_stream = np.random.default_rng(1)
    alone = [background.sample(x[i : i + 1], 2, one_stream)[0] for i in range(len(x))]
    np.testing.assert_array_equal(together, alone)
    assert (together.any(-1) == x.any(-1)[:, None]).all()


def test_a_kmer_model_counts_no_word_that_holds_n() -> None:
    table = Kmer.fitted(onehot("ANC"), 1).table
    np.testing.assert_allclose(table[1], table[0], atol=1e-15)


def test_a_kmer_model_begins_anew_after_n() -> None:
    # After A comes always A, after C always C; behind the N both begin.
    model = Kmer.fitted(onehot("A" * 5000, "C" * 5000), 1)
    first = {sequence[4] for sequence in drawn(model, "AAANAAA", 200)}
    assert {"A", "C"} <= first


@given(st.text("ACGTN", min_size=1, max_size=60), st.integers(0, 2**32))
@settings(max_examples=200)
def test_dinucleotide_counts_and_ends_are_kept_exactly(text: str, seed: int) -> None:
    for shuffled in drawn(Dinucleotide(), text, 3, seed):
        assert pairs(shuffled) == pairs(text)
        assert (shuffled[0], shuffled[-1]) == (text[0], text[-1])
        assert [i for i, base in enumerate(shuffled) if base == "N"] == [
            i for i, base in enumerate(text) if base == "N"
        ]


def test_many_sequences_at_once_each_keep_their_own_dinucleotides() -> None:
    rng = np.random.default_rng(2)
    sequences = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (100, 120))])
    samples = Dinucleotide().sample(sequences.onehot, 10, rng)
    for text, shuffles in zip(sequences.strings(), samples, strict=True):
        assert all(pairs(shuffled) == pairs(text) for shuffled in Sequences.from_onehot(shuffles).strings())


@pytest.mark.parametrize(
    "text", ["ACGTACGTACCA", "AACAGATAACA", "AAAAACCCCAC", "ACACGCGTGAG", "TTTTTTTA", "GATTACAGATC"]
)
def test_every_shuffle_with_the_same_dinucleotides_is_equally_likely(text: str) -> None:
    possible = sorted(all_with_the_same_pairs(text))
    n = 400 * len(possible)
    seen = Counter(drawn(Dinucleotide(), text, n, seed=11))
    assert set(seen) == set(possible)
    if len(possible) > 1:
        assert chisquare([seen[one] for one in possible]).pvalue > LEVEL


def test_real_sequences_are_drawn_from_the_set_each_once_while_they_last() -> None:
    strings = ["ACGT", "TTTT", "GGNG"]
    background = parse_background("sequences", Sequences.from_strings(strings))
    assert sorted(drawn(background, "CCCC", 3)) == sorted(strings)
    many = Counter(drawn(background, "CCCC", 3000))
    assert chisquare([many[one] for one in strings]).pvalue > LEVEL


def test_real_sequences_must_fit_and_must_be_there() -> None:
    with pytest.raises(SequenceError, match="must be 3 bp long, as those explained are, got 4"):
        drawn(Sampled(onehot("ACGT")), "ACG", 1)
    with pytest.raises(SequenceError, match="needs at least one, got none"):
        Sampled(np.zeros((0, 4, 4), np.uint8))
