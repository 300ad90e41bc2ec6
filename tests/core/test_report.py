"""The types of a report: what they hold, refuse and join; and motifs."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cislens.errors import ReportError
from cislens.motif import IUPAC, Motif
from cislens.report import TABLES, Attributions, Cost, Masks, MotifReport, Provenance, Validity, join, stack
from cislens.sequences import Dropped, Sequences

RNG = np.random.default_rng(11)
N, LENGTH, T = 6, 5, 2
ONEHOT = np.eye(5, 4, dtype=np.uint8)[RNG.integers(0, 5, (N, LENGTH))]
SEQUENCES = Sequences.from_onehot(ONEHOT)


def table(name: str, rows: int) -> pd.DataFrame:
    return pd.DataFrame({column: np.arange(rows) for column in TABLES[name]})


def report(**changes) -> MotifReport:
    parts = {
        "sequences": SEQUENCES,
        "predictions": np.arange(T * N, dtype=float).reshape(T, N),
        "attributions": Attributions(RNG.normal(size=(T, N, LENGTH, 4)), gauge="uniform"),
        "masks": Masks(RNG.random((T, N, LENGTH)), "sufficient"),
        "motifs": (Motif("m", np.eye(4)),),
        "instances": table("instances", 3),
        "validity": Validity({"delta": RNG.normal(size=(T, N))}, {"r2": 0.9}, ("careful",)),
        "provenance": Provenance("toy", targets=({"target": "a"}, {"target": "b"}), cost=Cost(2.0, 10, 20)),
    }
    return MotifReport(**{**parts, **changes})


# ---- what a report holds and refuses -----------------------------------------------------------------------


def test_the_projection_of_hypothetical_maps_reads_the_observed_base_and_nothing_at_n() -> None:
    one = report()
    projected = one.projected()
    for i, p in itertools.product(range(N), range(LENGTH)):
        base = ONEHOT[i, p]
        expected = one.attributions.values[:, i, p, base.argmax()] if base.any() else np.zeros(T)
        np.testing.assert_array_equal(projected[:, i, p], expected)


def test_the_projection_of_what_is_not_hypothetical_is_the_sum_over_bases() -> None:
    values = RNG.normal(size=(T, N, LENGTH, 4))
    one = report(attributions=Attributions(values, hypothetical=False))
    np.testing.assert_array_equal(one.projected(), values.sum(-1))


def test_a_report_without_maps_says_what_it_holds_instead() -> None:
    with pytest.raises(ReportError, match="no attributions, only masks, motifs, instances"):
        report(attributions=None).projected()
    with pytest.raises(ReportError, match="only nothing"):
        MotifReport(SEQUENCES).projected()


def test_a_report_lists_its_parts_and_leaves_out_empty_ones() -> None:
    assert report().emits == ("attributions", "masks", "motifs", "instances")
    assert report(motifs=(), instances=table("instances", 0)).emits == ("attributions", "masks")


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ({"predictions": np.zeros((T, N + 1))}, r"predictions must have shape \(t, 6\), got \(2, 7\)"),
        ({"predictions": np.zeros(N)}, r"predictions must have shape \(t, 6\), got \(6,\)"),
        ({"attributions": Attributions(np.zeros((T, N, 9, 4)))}, "attributions must cover 6 sequences of 5 bp"),
        ({"masks": Masks(np.zeros((T, 1, LENGTH)), "necessary")}, "masks must cover 6 sequences"),
        ({"validity": Validity({"delta": np.zeros((T, 2))})}, "measure 'delta' must cover 6 sequences, got 2"),
        ({"syntax": table("instances", 2)}, "syntax must have the columns motif_1, .*, got motif, sequence"),
    ],
)
def test_parts_that_do_not_fit_the_sequences_are_refused(part, sentence: str) -> None:
    with pytest.raises(ReportError, match=sentence):
        report(**part)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Attributions(np.zeros((1, 2, 3))), r"shape \(t, n, length, 4\)"),
        (lambda: Attributions(np.zeros((1, 2, 4, 3))), r"shape \(t, n, length, 4\)"),
        (lambda: Masks(np.zeros((2, 3)), "sufficient"), r"shape \(t, n, length\)"),
        (lambda: Masks(np.full((1, 1, 1), 1.5), "sufficient"), "between 0 and 1"),
        (lambda: Masks(np.full((1, 1, 1), np.nan), "sufficient"), "between 0 and 1"),
        (lambda: Masks(np.zeros((1, 1, 1)), "pretty"), "'sufficient' or 'necessary', got 'pretty'"),
        (lambda: Validity({"delta": np.zeros(3)}), r"shape \(t, n\)"),
        (lambda: join([]), "at least one block"),
    ],
)
def test_arrays_of_another_shape_are_refused(make, sentence: str) -> None:
    with pytest.raises(ReportError, match=sentence):
        make()


def test_a_warning_is_kept_once() -> None:
    assert Validity(warnings=("a",)).warned("b", "a", "b").warnings == ("a", "b")


def test_provenance_survives_json() -> None:
    made = replace(report().provenance, references=("10.1/x",), derivations=({"step": "motifs"},), seed=3)
    assert Provenance.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert Provenance.from_json({}) == Provenance()


# ---- taking and joining ------------------------------------------------------------------------------------


@given(st.permutations([1, 2, 3]) | st.sampled_from([[6], [5, 1], [1] * 6, [2, 2, 2]]))
def test_blocks_joined_are_the_whole(sizes) -> None:
    whole = report(motifs=(), instances=None)
    ends = np.cumsum([0, *sizes])
    parts = [whole.take(slice(a, b)) for a, b in itertools.pairwise(ends)]
    joined = join(parts)
    assert joined.sequences.ids == whole.sequences.ids
    np.testing.assert_array_equal(joined.predictions, whole.predictions)
    np.testing.assert_array_equal(joined.attributions.values, whole.attributions.values)
    np.testing.assert_array_equal(joined.masks.values, whole.masks.values)
    np.testing.assert_array_equal(joined.validity.measures["delta"], whole.validity.measures["delta"])
    assert (joined.attributions.gauge, joined.masks.meaning) == ("uniform", "sufficient")
    assert (joined.validity.summary, joined.validity.warnings) == ({"r2": 0.9}, ("careful",))
    assert joined.provenance.cost == Cost(2.0 * len(sizes), 10 * len(sizes), 20 * len(sizes))


@pytest.mark.parametrize("index", [slice(1, 4), [3, 0], np.arange(N) % 2 == 0])
def test_taking_some_sequences_takes_them_in_every_part(index) -> None:
    whole, rows = report(), np.arange(N)[index]
    some = whole.take(index)
    assert some.sequences.ids == tuple(f"seq{i}" for i in rows)
    np.testing.assert_array_equal(some.predictions, whole.predictions[:, rows])
    np.testing.assert_array_equal(some.attributions.values, whole.attributions.values[:, rows])
    np.testing.assert_array_equal(some.masks.values, whole.masks.values[:, rows])
    np.testing.assert_array_equal(some.validity.measures["delta"], whole.validity.measures["delta"][:, rows])
    assert (some.motifs, some.instances) == ((), None)


def test_summaries_are_joined_only_where_all_blocks_agree_nan_among_them() -> None:
    halves = [report().take(slice(0, 3)), report().take(slice(3, 6))]
    summaries = ({"same": 1.0, "nan": np.nan, "other": 1.0, "lone": 1.0}, {"same": 1.0, "nan": np.nan, "other": 2.0})
    joined = join([replace(h, validity=Validity({}, s)) for h, s in zip(halves, summaries, strict=True)])
    assert set(joined.validity.summary) == {"same", "nan"}


def test_a_block_without_rows_does_not_change_the_types_of_a_table() -> None:
    halves = [report().take(slice(0, 3)), report().take(slice(3, 6))]
    empty = pd.DataFrame({column: [] for column in TABLES["instances"]}, dtype=object)
    joined = join([replace(halves[0], instances=empty), replace(halves[1], instances=table("instances", 2))])
    assert joined.instances["start"].dtype == np.int64
    assert len(joined.instances) == 2
    both_empty = join([replace(half, instances=empty) for half in halves])
    assert list(both_empty.instances.columns) == list(TABLES["instances"])


def test_a_table_that_an_explainer_of_the_whole_set_gives_every_block_is_kept_once() -> None:
    blocks = [report().take(slice(i, i + 2)) for i in (0, 2, 4)]
    same = [
        replace(block, curves=table("curves", 4), syntax=table("syntax", 2), instances=table("instances", 2 + i))
        for i, block in enumerate(blocks)
    ]
    whole = join(same)
    pd.testing.assert_frame_equal(whole.curves, table("curves", 4))
    pd.testing.assert_frame_equal(whole.syntax, table("syntax", 2))
    assert len(whole.instances) == 2 + 3 + 4
    assert len(join([same[0], replace(same[1], curves=table("curves", 3)), same[2]]).curves) == 4 + 3


def test_a_part_that_one_block_lacks_is_left_out_of_the_whole() -> None:
    halves = [report().take(slice(0, 3)), report(masks=None).take(slice(3, 6))]
    assert join(halves).masks is None
    assert join(halves).attributions is not None


def test_a_block_of_which_no_sequence_could_be_explained_adds_its_drops_and_cost() -> None:
    failed = MotifReport(SEQUENCES.take([]), provenance=Provenance(cost=Cost(1.0)), dropped=(Dropped("x", "no"),))
    for order in ([failed, report()], [report(), failed]):
        joined = join(order)
        np.testing.assert_array_equal(joined.predictions, report().predictions)
        assert joined.masks is not None
        assert (joined.dropped, joined.provenance.cost.seconds) == ((Dropped("x", "no"),), 3.0)
        assert joined.provenance.explainer == "toy"
    assert join([failed, failed]).provenance.cost.seconds == 2.0


def test_reports_of_single_targets_are_stacked_along_the_first_axis() -> None:
    whole = report(motifs=(), instances=None)
    one, two = (
        replace(
            whole,
            predictions=None,
            attributions=replace(whole.attributions, values=whole.attributions.values[t : t + 1]),
            masks=replace(whole.masks, values=whole.masks.values[t : t + 1]),
            validity=Validity({"delta": whole.validity.measures["delta"][t : t + 1]}),
        )
        for t in range(T)
    )
    both = stack([one, two])
    np.testing.assert_array_equal(both.attributions.values, whole.attributions.values)
    np.testing.assert_array_equal(both.masks.values, whole.masks.values)
    np.testing.assert_array_equal(both.validity.measures["delta"], whole.validity.measures["delta"])


# ---- motifs ------------------------------------------------------------------------------------------------


def ppm(rows) -> np.ndarray:
    values = np.asarray(rows, float)
    return values / values.sum(1, keepdims=True)


def test_information_of_a_certain_base_is_two_bits_and_of_a_uniform_position_none() -> None:
    motif = Motif("m", ppm([[1, 0, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0]]))
    np.testing.assert_allclose(motif.information(), [2, 0, 1], atol=1e-12)


def test_information_is_relative_to_the_background() -> None:
    background = (0.5, 0.25, 0.125, 0.125)
    motif = Motif("m", np.vstack([np.eye(4), [background]]), background=background)
    np.testing.assert_allclose(motif.information(), [1, 2, 3, 3, 0], atol=1e-12)


def test_weights_and_counts_give_back_the_probabilities_they_came_from() -> None:
    p, background = ppm(RNG.random((5, 4)) + 0.1), (0.1, 0.2, 0.3, 0.4)
    weights = Motif("m", np.log2(p / background), "weights", background)
    counts = Motif("m", p * 40, "counts", background)
    # Rounding of a logarithm and its inverse in float64.
    np.testing.assert_allclose(weights.probabilities(), p, rtol=1e-12)
    np.testing.assert_allclose(counts.probabilities(), p, rtol=1e-12)
    np.testing.assert_allclose(counts.probabilities(10), (p * 40 + 10 * np.array(background)) / 50, rtol=1e-12)


def test_the_reverse_complement_reads_the_other_strand_and_twice_is_the_same() -> None:
    motif = Motif("m", ppm([[9, 1, 1, 1], [1, 9, 1, 1], [1, 1, 9, 1]]), background=(0.1, 0.2, 0.3, 0.4))
    other = motif.reverse_complement()
    assert (motif.consensus(), other.consensus()) == ("ACG", "CGT")
    assert other.background == (0.4, 0.3, 0.2, 0.1)
    np.testing.assert_allclose(other.information(), motif.information()[::-1])
    np.testing.assert_array_equal(other.reverse_complement().matrix, motif.matrix)


def test_trimming_removes_flanks_and_no_gap_inside() -> None:
    flat, sharp = [1, 1, 1, 1], [97, 1, 1, 1]
    motif = Motif("m", ppm([flat, flat, sharp, flat, sharp, flat]))
    np.testing.assert_array_equal(motif.trimmed().matrix, motif.matrix[2:5])
    assert len(Motif("flat", ppm([flat, flat])).trimmed()) == 1


def test_consensus_letters_are_those_of_iupac() -> None:
    # Nomenclature Committee of the IUB 1985, 10.1093/nar/13.9.3021.
    letters = {"A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT"}
    letters |= {"M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"}
    for letter, bases in letters.items():
        assert Motif("m", ppm([[base in bases for base in "ACGT"]])).consensus() == letter
    assert set(letters) == set(IUPAC) - {"-"}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Motif("m", np.zeros((0, 4))), r"shape \(width, 4\), got \(0, 4\)"),
        (lambda: Motif("m", np.zeros((4, 5))), r"shape \(width, 4\)"),
        (lambda: Motif("m", np.eye(4), "logo"), "counts, probabilities, weights, contributions, got 'logo'"),
        (lambda: Motif("m", -np.eye(4), "counts"), "must not be negative"),
        (lambda: Motif("m", 2 * np.eye(4)), "must sum to 1"),
        (lambda: Motif("m", np.eye(4), background=(0.5, 0.5, 0, 0)), "four positive frequencies"),
        (lambda: Motif("m", np.eye(4), background=(1, 1, 1, 1)), "four positive frequencies"),
        (lambda: Motif("m", np.zeros((1, 4)), "counts").probabilities(), "must have counts at every position"),
        (lambda: Motif("m", np.eye(4), "contributions").probabilities(), "which are no probabilities"),
    ],
)
def test_a_matrix_that_is_not_what_it_says_is_refused(make, sentence: str) -> None:
    with pytest.raises(ReportError, match=sentence):
        make()


def test_a_motif_is_called_by_its_id_where_nobody_named_it() -> None:
    assert (Motif("m", np.eye(4)).name, Motif("m", np.eye(4), name="AP-1").name) == ("m", "AP-1")
