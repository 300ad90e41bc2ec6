"""Overlap of masks and maps with what explains each label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.sequences import Sequences
from cislens.truth import Rule, Truth
from cislens.truth.mask_overlap import map_overlap, mask_overlap

LENGTH = 40
A, B = slice(5, 11), slice(20, 28)  # where a and b stand, if they do


def truth(rule: str, *held: str) -> Truth:
    """One sequence for each text: the motifs that it holds."""
    onehot = np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (len(held), LENGTH))]
    spans = {"a": A, "b": B}
    rows = [
        (motif, f"seq{i}", spans[motif].start, spans[motif].stop, "+", 1.0)
        for i, present in enumerate(held)
        for motif in present
    ]
    labels = np.array([Rule(rule).holds(set(present)) for present in held])
    table = pd.DataFrame(rows, columns=["motif", "sequence", "start", "end", "strand", "score"])
    motifs = (Motif("a", np.eye(4)), Motif("b", np.eye(4)))
    return Truth(Sequences.from_onehot(onehot), labels, table, motifs, {"positive": Rule(rule)})


def mask(*spans: slice) -> np.ndarray:
    values = np.zeros((1, 1, LENGTH))
    for span in spans:
        values[..., span] = 1
    return values


def numbers(values: np.ndarray, known: Truth, meaning) -> tuple[float, float, float]:
    result = mask_overlap(values, known, meaning)
    return float(result.iou[0, 0]), float(result.precision[0, 0]), float(result.recall[0, 0])


@pytest.mark.parametrize("meaning", ["sufficient", "necessary"])
def test_each_explanation_is_a_perfect_mask(meaning) -> None:
    for rule, held in (("a and b", "ab"), ("a or b", "ab"), ("a and not b", "a"), ("a", "ab")):
        known = truth(rule, held)
        for explanation in known.masks(0, meaning):
            assert numbers(explanation[None, None].astype(float), known, meaning) == (1, 1, 1)


def test_either_motif_is_a_perfect_sufficient_mask_of_or_and_both_are_half_too_much() -> None:
    known = truth("a or b", "ab")
    assert numbers(mask(A), known, "sufficient") == numbers(mask(B), known, "sufficient") == (1, 1, 1)
    assert numbers(mask(A, B), known, "sufficient") == (8 / 14, 8 / 14, 1)


def test_one_motif_of_and_is_a_perfect_necessary_mask_but_half_a_sufficient_one() -> None:
    known = truth("a and b", "ab")
    assert numbers(mask(A), known, "necessary") == (1, 1, 1)
    assert numbers(mask(A), known, "sufficient") == (6 / 14, 1, 6 / 14)


def test_a_repressed_negative_is_explained_by_its_repressor_alone() -> None:
    known = truth("a and not b", "ab")
    assert numbers(mask(B), known, "necessary") == (1, 1, 1)
    assert numbers(mask(A), known, "necessary") == (0, 0, 0)


def test_a_mask_that_is_shifted_by_one_loses_one_position_and_gains_one() -> None:
    assert numbers(mask(slice(6, 12)), truth("a", "a"), "sufficient") == (5 / 7, 5 / 6, 5 / 6)


def test_an_empty_mask_recalls_nothing_and_has_no_precision() -> None:
    iou, precision, recall = numbers(mask(), truth("a", "a"), "sufficient")
    assert (iou, recall) == (0, 0)
    assert np.isnan(precision)


def test_positions_are_called_from_the_threshold_on() -> None:
    known = truth("a", "a")
    assert mask_overlap(mask(A) * 0.5, known, "sufficient").iou == 1
    assert mask_overlap(mask(A) * 0.5, known, "sufficient", threshold=0.6).iou == 0


def test_sequences_that_nothing_explains_are_left_out_and_counted() -> None:
    known = truth("a", "a", "", "b", "a")
    for result in (
        mask_overlap(np.repeat(mask(A), 4, axis=1), known, "sufficient"),
        map_overlap(np.repeat(mask(A), 4, axis=1), known),
    ):
        assert result.left_out == 2
        np.testing.assert_array_equal(result.iou, [[1, np.nan, np.nan, 1]])


def test_each_target_has_its_own_numbers() -> None:
    result = mask_overlap(np.concatenate([mask(A), mask(B)]), truth("a", "a"), "sufficient")
    np.testing.assert_array_equal(result.recall, [[1], [0]])


def test_positions_of_motifs_that_need_not_be_called_do_not_count() -> None:
    known = truth("a", "ab")
    for values in (mask(A, B), mask(A)):
        assert mask_overlap(values, known, "sufficient", ["b"]).iou == 1
        assert map_overlap(values * 1.0 + mask(B), known, ["b"]).iou == 1
    assert mask_overlap(mask(A, B), known, "sufficient").iou == 6 / 14
    # Where the two overlap, they do count.
    both = np.zeros((1, 1, LENGTH))
    both[..., 5:9] = 1
    over = replace(known, instances=known.instances.assign(start=[5, 7], end=[11, 13]))
    assert mask_overlap(both, over, "sufficient", ["b"]).recall == 4 / 6


# ---- maps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "held"), [("a and b", "ab"), ("a or b", "ab")])
def test_a_map_that_shows_both_motifs_is_perfect_whichever_sign_they_have(rule: str, held: str) -> None:
    result = map_overlap(mask(A) - 2 * mask(B), truth(rule, held))
    assert (result.iou, result.precision, result.recall) == (1, 1, 1)


def test_a_map_calls_as_many_positions_as_explain() -> None:
    # Two of the six largest contributions lie elsewhere.
    values = mask(A)
    values[..., 5:7], values[..., 30:32] = 0.1, 5.0
    result = map_overlap(values, truth("a", "a"))
    assert result.precision == result.recall == pytest.approx(4 / 6)
    assert result.iou == pytest.approx(4 / 8)


def test_a_map_of_zeros_calls_nothing() -> None:
    result = map_overlap(mask(), truth("a", "a"))
    assert (result.iou, result.recall) == (0, 0)
    assert np.isnan(result.precision).all()


@pytest.mark.parametrize("values", [np.zeros((1, LENGTH)), np.zeros((1, 2, LENGTH)), np.zeros((1, 1, LENGTH - 1))])
def test_values_of_another_shape_are_refused(values: np.ndarray) -> None:
    with pytest.raises(CislensError, match=r"masks and maps must have shape \(t, 1, 40\)"):
        mask_overlap(values, truth("a", "a"), "sufficient")
    with pytest.raises(CislensError, match=r"masks and maps must have shape \(t, 1, 40\)"):
        map_overlap(values, truth("a", "a"))
