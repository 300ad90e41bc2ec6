"""Recovery of motif instances: precision, unique recall, recall at top k."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cislens.errors import CislensError
from cislens.truth.instance_recovery import instance_recovery

IDS = ("s0", "s1", "s2")
COLUMNS = ("motif", "sequence", "start", "end", "strand", "score")


def table(*rows: tuple) -> pd.DataFrame:
    """Rows of (motif, sequence, start, end[, score])."""
    return pd.DataFrame([(*row[:4], "+", row[4] if len(row) > 4 else 1.0) for row in rows], columns=list(COLUMNS))


TRUE = table(("a", "s0", 10, 20), ("b", "s0", 40, 50), ("a", "s1", 10, 20), ("b", "s2", 5, 15))


def test_the_true_instances_recover_themselves() -> None:
    result = instance_recovery(TRUE, TRUE, IDS, same_motif=True)
    assert (result.calls, result.instances) == (4, 4)
    assert (result.precision, result.recall, result.recall_at_top()) == (1, 1, 1)


def test_no_calls_have_no_precision_and_recall_nothing() -> None:
    result = instance_recovery(table(), TRUE, IDS)
    assert np.isnan(result.precision)
    assert (result.calls, result.recall, result.recall_at_top(), result.recall_at_top(3)) == (0, 0, 0, 0)


def test_where_nothing_is_true_every_call_is_wrong_and_there_is_no_recall() -> None:
    result = instance_recovery(TRUE, table(), IDS)
    assert result.precision == 0
    assert np.isnan(result.recall)
    assert np.isnan(result.recall_at_top())


def test_a_wrong_call_moves_precision_alone() -> None:
    result = instance_recovery(pd.concat([TRUE, table(("a", "s2", 60, 70, 0.1))]), TRUE, IDS)
    assert (result.precision, result.recall) == (4 / 5, 1)


def test_a_missed_instance_moves_recall_alone() -> None:
    result = instance_recovery(TRUE.iloc[1:], TRUE, IDS)
    assert (result.precision, result.recall) == (1, 3 / 4)


def test_an_instance_that_is_called_twice_counts_once() -> None:
    # Two calls apart from each other, both within one instance.
    calls = table(("a", "s0", 10, 13), ("a", "s0", 16, 20), ("b", "s1", 90, 95))
    result = instance_recovery(calls, TRUE, IDS)
    assert (result.calls, result.precision, result.recall) == (3, 2 / 3, 1 / 4)


def test_of_overlapping_calls_the_best_is_kept() -> None:
    calls = table(("a", "s0", 30, 38, 0.5), ("a", "s0", 12, 22, 0.1), ("a", "s0", 15, 28, 0.9))
    result = instance_recovery(calls, TRUE, IDS)
    assert (result.calls, result.precision) == (2, 1 / 2)
    assert result.recall_at.tolist() == [1 / 4, 1 / 4]


def test_a_call_that_overlaps_one_that_was_dropped_stays() -> None:
    calls = table(("a", "s0", 0, 10, 0.9), ("a", "s0", 5, 15, 0.8), ("a", "s0", 12, 22, 0.7))
    assert instance_recovery(calls, TRUE, IDS).calls == 2


def test_calls_of_everything_are_seldom_right() -> None:
    calls = table(*(("a", "s0", start, start + 10) for start in range(90)))
    result = instance_recovery(calls, table(("a", "s0", 40, 50)), IDS)
    assert (result.calls, result.precision, result.recall) == (9, 1 / 9, 1)


def test_calls_that_only_touch_stay_two() -> None:
    assert instance_recovery(table(("a", "s0", 0, 10), ("a", "s0", 10, 20)), TRUE, IDS).calls == 2


def test_neighbouring_sequences_do_not_touch() -> None:
    # The last call of one sequence and the first of the next, at the ends of both.
    calls = table(("a", "s0", 45, 50), ("a", "s1", 0, 5))
    assert instance_recovery(calls, table(("a", "s1", 0, 5)), IDS).precision == 1 / 2


@pytest.mark.parametrize(("least", "precision"), [(1, 1), (3, 1), (4, 0)])
def test_a_call_must_share_the_least_overlap(least: int, precision: float) -> None:
    calls = table(("a", "s0", 17, 27))
    assert instance_recovery(calls, TRUE, IDS, minimum_overlap=least).precision == precision


def test_a_call_of_another_motif_is_true_unless_the_same_motif_is_asked() -> None:
    calls = table(("b", "s0", 10, 20), ("a", "s1", 10, 20))
    assert instance_recovery(calls, TRUE, IDS).precision == 1
    result = instance_recovery(calls, TRUE, IDS, same_motif=True)
    assert (result.precision, result.recall) == (1 / 2, 1 / 4)


def test_calls_of_two_motifs_at_one_place_are_two_where_motifs_are_told_apart() -> None:
    calls = table(("a", "s0", 10, 20), ("b", "s0", 12, 22))
    assert instance_recovery(calls, TRUE, IDS).calls == 1
    assert instance_recovery(calls, TRUE, IDS, same_motif=True).precision == 1 / 2


def test_instances_that_need_not_be_found_are_not_missed_and_calls_of_them_do_not_count() -> None:
    calls = table(("b", "s0", 40, 50, 0.9), ("a", "s1", 60, 70, 0.8), ("a", "s1", 10, 20, 0.7))
    result = instance_recovery(calls, TRUE, IDS, beside=["b"])
    assert (result.calls, result.instances, result.precision) == (2, 2, 1 / 2)
    assert result.recall_at.tolist() == [0, 1 / 2]


def test_a_call_of_two_instances_of_which_one_is_to_be_found_counts() -> None:
    calls, true = table(("a", "s0", 10, 30)), table(("b", "s0", 10, 20), ("a", "s0", 20, 30))
    result = instance_recovery(calls, true, IDS, beside=["b"])
    assert (result.calls, result.precision, result.recall) == (1, 1, 1)


def test_recall_at_k_follows_the_scores() -> None:
    calls = table(("a", "s0", 10, 20, 0.2), ("b", "s0", 40, 50, 0.9), ("a", "s1", 60, 70, 0.8), ("b", "s2", 5, 15, 0.1))
    result = instance_recovery(calls, TRUE, IDS)
    assert result.recall_at.tolist() == [1 / 4, 1 / 4, 2 / 4, 3 / 4]
    assert [result.recall_at_top(k) for k in (0, 1, 3, 99)] == [0, 1 / 4, 2 / 4, 3 / 4]


def test_of_equal_scores_the_earlier_row_is_the_better_call() -> None:
    right, wrong = ("a", "s1", 10, 20), ("a", "s0", 60, 70)
    assert instance_recovery(table(right, wrong), TRUE, IDS).recall_at_top(1) == 1 / 4
    assert instance_recovery(table(wrong, right), TRUE, IDS).recall_at_top(1) == 0


def test_an_instance_in_an_unknown_sequence_is_refused() -> None:
    with pytest.raises(CislensError, match="instances must be of known sequences, got one of the sequence 's9'"):
        instance_recovery(table(("a", "s9", 1, 2)), TRUE, IDS)


# ---- against a plain loop ----------------------------------------------------------------------------------


def by_loops(called: pd.DataFrame, true: pd.DataFrame, least: int, same: bool) -> tuple[float, list[float]]:
    """The definition: the best call is taken and those that overlap it are dropped, until none is left."""
    rows = sorted(enumerate(called.itertuples()), key=lambda numbered: (-numbered[1].score, numbered[0]))
    left = [(row.motif if same else "", row.sequence, row.start, row.end) for _, row in rows]
    calls = []
    while left:
        best = left.pop(0)
        calls.append(best)
        left = [one for one in left if one[:2] != best[:2] or one[2] >= best[3] or best[2] >= one[3]]
    reached: list[set[int]] = []
    for motif, sequence, start, end in calls:
        reached.append(
            {
                i
                for i, row in enumerate(true.itertuples())
                if row.sequence == sequence
                and (not same or row.motif == motif)
                and min(end, row.end) - max(start, row.start) >= least
            }
        )
    precision = sum(map(bool, reached)) / len(calls) if calls else np.nan
    return precision, [len(set().union(*reached[: k + 1])) / max(len(true), 1) for k in range(len(calls))]


intervals = st.lists(
    st.builds(
        lambda motif, sequence, start, width, score: (motif, sequence, start, start + width, score),
        st.sampled_from("ab"),
        st.sampled_from(IDS),
        st.integers(0, 40),
        st.integers(1, 12),
        st.integers(0, 3),
    ),
    max_size=14,
)


@given(intervals, intervals, st.integers(1, 4), st.booleans())
def test_random_intervals_are_counted_as_by_loops(called, true, least: int, same: bool) -> None:
    calls, truth = table(*called), table(*true)
    result = instance_recovery(calls, truth, IDS, minimum_overlap=least, same_motif=same)
    precision, curve = by_loops(calls, truth, least, same)
    np.testing.assert_equal(result.precision, precision)
    np.testing.assert_allclose(result.recall_at, curve)
