"""What toys say of sequences: instances, labels, masks and syntax."""

from __future__ import annotations

import numpy as np
import pytest

from cislens.errors import CislensError
from cislens.sequences import Sequences
from cislens.testing import (
    ConvPoolToy,
    LogicToy,
    MotifToy,
    NoisyToy,
    SpacingToy,
    SymmetricToy,
    bundled_toys,
    dead_unit,
    planted_motif,
    soft_spacing,
    synonymous_mixture,
)
from cislens.testing.toys import MOTIF, PARTNER, bundled_linear, bundled_motif, bundled_pairwise
from cislens.testing.toys.toy import random_onehot

RNG = np.random.default_rng(31)
PWMS = (MOTIF, PARTNER)
BOTH = ("first", "second")


def mutated(sequences: Sequences, share: float, rng: np.random.Generator) -> Sequences:
    """Sequences in which each base is drawn anew with some probability."""
    changed = rng.random(sequences.onehot.shape[:2]) < share
    other = random_onehot(len(sequences), sequences.length, rng)
    return Sequences.from_onehot(np.where(changed[..., None], other, sequences.onehot))


def width(mask: np.ndarray) -> int:
    return int(mask.sum())


@pytest.mark.parametrize(
    ("toy", "boundary"),
    [
        (MotifToy(MOTIF, 40, midpoint=8.0), 0.5),
        (MotifToy(MOTIF, 40, response="tanh", midpoint=8.0), 0.0),
        (SymmetricToy(PARTNER, 40, "max", midpoint=8.0), 0.5),
        (planted_motif(), 0.0),
        (soft_spacing(), 0.0),
        (synonymous_mixture(), 0.0),
        (dead_unit(), 0.0),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_labels_are_exactly_where_the_answer_is_high(toy, boundary) -> None:
    rng = np.random.default_rng(7)
    found = []
    for share in (0.0, 0.05, 0.1, 0.3):
        sequences = mutated(toy.examples(150, rng), share, rng)
        (values,) = (answers.reshape(-1) for answers in toy.predict(sequences).values())
        labels = toy.truth(sequences).labels
        np.testing.assert_array_equal(labels, values > boundary)
        found.append(labels.mean())
    assert found[0] > 0.6
    assert 0.02 < found[-1] < 0.6


@pytest.mark.parametrize(
    ("toy", "boundary"),
    [
        (MotifToy(MOTIF, 40, "sum", "tanh", 8.0, 0.2), 0.0),
        (SymmetricToy(PARTNER, 40, "sum", midpoint=8.0), 0.5),
        (LogicToy(PWMS, 40, "or"), 0.5),
        (SpacingToy(PWMS, 40), 0.5),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_where_all_windows_count_a_positive_answers_high_and_few_others_do(toy, boundary) -> None:
    rng = np.random.default_rng(8)
    sequences = mutated(toy.examples(600, rng), 0.15, rng)
    high, labels = toy.predict(sequences)["value"] > boundary, toy.truth(sequences).labels
    assert 0.1 < labels.mean() < 0.9
    assert high[labels].all()  # the other windows can only add
    assert high[~labels].mean() < 0.15  # and reach the midpoint only together


@pytest.mark.parametrize("logic", ["and", "or", "and not"])
def test_labels_of_two_motifs_agree_with_the_answer_on_full_sites(logic) -> None:
    toy = LogicToy(PWMS, 40, logic)
    sequences = toy.holding([(), ("first",), ("second",), BOTH] * 10, np.random.default_rng(1))
    np.testing.assert_array_equal(toy.truth(sequences).labels, toy.predict(sequences)["value"] > 0.5)


def test_labels_of_a_spacing_agree_with_the_answer_on_full_sites() -> None:
    toy = SpacingToy(PWMS, 40, preferred=5)
    texts = ["TGACTCAG" + "A" * gap + "GGAAGTGA" for gap in range(20)]
    texts += ["GGAAGTGA" + "A" * gap + "TGACTCAG" for gap in range(20)] + ["TGACTCAG", "GGAAGTGA"]
    sequences = Sequences.from_strings([text.ljust(40, "A") for text in texts])
    labels = toy.truth(sequences).labels
    np.testing.assert_array_equal(labels, toy.predict(sequences)["value"] > 0.5)
    assert labels.sum() == len(toy.spacings) == 7


def clean(toy: LogicToy, held: tuple[str, ...]) -> Sequences:
    """Sequences of poly-A with full sites of the motifs held, the first at 5 and the second at 20."""
    onehot = np.tile(np.eye(4, dtype=np.uint8)[0], (1, 40, 1))
    for name, start, scanner in zip(BOTH, (5, 20), toy.scanners, strict=True):
        if name in held:
            onehot[0, start : start + 8] = np.eye(4)[scanner.pwm.argmax(1)]
    return Sequences.from_onehot(onehot)


def spans(masks: np.ndarray) -> set[tuple[int, ...]]:
    """Where each mask starts a run of positions."""
    return {tuple(np.flatnonzero(np.diff(mask.astype(int), prepend=0) == 1)) for mask in masks}


@pytest.mark.parametrize(
    ("logic", "sufficient", "necessary"),
    [
        ("and", {(5, 20)}, {(5,), (20,)}),
        ("or", {(5,), (20,)}, {(5, 20)}),
        ("and not", {()}, {(20,)}),  # negative, as it is of nothing at all, and positive without the repressor
    ],
)
def test_masks_of_two_motifs_follow_from_the_rule(logic, sufficient, necessary) -> None:
    toy = LogicToy(PWMS, 40, logic)
    truth = toy.truth(clean(toy, BOTH))
    assert list(truth.instances["start"]) == [5, 20]
    assert spans(truth.masks(0, "sufficient")) == sufficient
    assert spans(truth.masks(0, "necessary")) == necessary
    assert all(width(mask) % 8 == 0 for mask in truth.masks(0, "necessary"))


def test_a_pair_at_a_spacing_that_counts_is_needed_as_a_whole() -> None:
    toy = SpacingToy(PWMS, 40)
    truth = toy.truth(toy.spaced(np.array([5, 20]), RNG))
    assert list(truth.labels) == [True, False]
    assert truth.arrangements == ("spaced", "")
    assert [width(mask) for mask in truth.masks(0, "sufficient")] == [16]
    assert [width(mask) for mask in truth.masks(0, "necessary")] == [8, 8]
    assert truth.relevant == BOTH


def test_of_several_pairs_the_best_is_the_one_that_counts() -> None:
    toy = SpacingToy(PWMS, 60, preferred=5)
    onehot = np.tile(np.eye(4, dtype=np.uint8)[0], (1, 60, 1))
    for start, word in ((2, PARTNER), (20, MOTIF), (33, PARTNER), (48, MOTIF)):  # only 20 and 33 are in order
        onehot[0, start : start + 8] = np.eye(4)[word.argmax(1)]
    assert list(toy.truth(Sequences.from_onehot(onehot)).instances["start"]) == [20, 33]


@pytest.mark.parametrize("toy", [toy for toy in bundled_toys() if toy.knowledge], ids=lambda toy: toy.name)
def test_instances_are_where_motifs_were_planted_and_read_as_they_do(toy) -> None:
    truth = toy.truth(sequences := toy.examples(12, RNG))
    assert set(truth.instances["sequence"]) == set(sequences.ids)
    consensus = {motif.id: motif.name for motif in truth.motifs}
    complement = str.maketrans("ACGT", "TGCA")
    text = dict(zip(sequences.ids, sequences.strings(), strict=True))
    agreeing = []
    for row in truth.instances.itertuples():
        word = text[row.sequence][row.start : row.end]
        word = word if row.strand == "+" else word.translate(complement)[::-1]
        assert len(word) == len(consensus[row.motif])
        agreeing.append(np.mean([a == b for a, b in zip(word, consensus[row.motif], strict=True)]))
    assert min(agreeing) > 0.7
    assert sum(share == 1 for share in agreeing) >= len(sequences)


def test_instances_on_the_other_strand_are_found_by_who_reads_both() -> None:
    toy = SymmetricToy(PARTNER, 40, midpoint=8.0)
    sequences = toy.examples(30, RNG)
    table = toy.truth(sequences).instances
    best = table.sort_values("score").groupby("sequence").tail(1).set_index("sequence").loc[list(sequences.ids)]
    np.testing.assert_array_equal(best[["start", "end"]].to_numpy(), toy.sites(sequences))
    assert set(best["strand"]) == {"+", "-"}


def test_motifs_are_those_of_the_toy() -> None:
    (motif,) = bundled_motif().truth(bundled_motif().examples(2, RNG)).motifs
    assert (motif.kind, motif.consensus(), len(motif)) == ("weights", "TGACTCAG", 8)
    np.testing.assert_array_equal(motif.matrix, MOTIF)


def test_the_syntax_says_what_the_rules_ask_of_pairs() -> None:
    (row,) = LogicToy(PWMS, 40, "and not").truth(LogicToy(PWMS, 40, "and not").examples(10, RNG)).syntax.itertuples()
    assert (row.motif_1, row.motif_2, row.logic, row.order, row.orientation) == (*BOTH, "and not", "any", "++")
    assert np.isnan(row.spacing)
    assert row.support == 1  # every negative holds both
    toy = SpacingToy(PWMS, 40)
    table = toy.truth(toy.spaced(np.array([3, 5, 5, 5, 20]), RNG)).syntax
    assert tuple(table["spacing"]) == toy.spacings
    assert set(table["order"]) == {"1-2"}
    share = dict(zip(table["spacing"], table["support"], strict=True))
    assert (share[3], share[5], table["support"].sum()) == (0.25, 0.75, 1)


def test_truths_of_no_sequences_and_of_sequences_without_motifs_are_empty() -> None:
    blank = Sequences.from_onehot(np.tile(np.eye(4, dtype=np.uint8)[0], (3, 40, 1)))
    for toy in (bundled_motif(), LogicToy(PWMS, 40, "and not"), SpacingToy(PWMS, 40), ConvPoolToy(40)):
        truth = toy.truth(blank)
        assert not truth.labels.any()
        assert len(truth.instances) == 0
        assert len(toy.truth(blank.take(slice(0, 0)))) == 0


@pytest.mark.parametrize("toy", [bundled_linear(), bundled_pairwise(), NoisyToy(bundled_linear(), 0.1)])
def test_a_toy_without_motifs_has_no_truth_but_its_attribution(toy) -> None:
    with pytest.raises(CislensError, match=f"the {toy.name} responds to none: compare with its attribution"):
        toy.truth(toy.examples(2, RNG))


def test_the_truth_beneath_noise_is_that_without() -> None:
    sequences = bundled_motif().examples(5, RNG)
    noisy, plain = (toy.truth(sequences) for toy in (NoisyToy(bundled_motif(), 5.0), bundled_motif()))
    np.testing.assert_array_equal(noisy.labels, plain.labels)
    assert noisy.instances.equals(plain.instances)
