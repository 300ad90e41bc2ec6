"""Which of overlapping spans are kept, and what spans cover."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cislens.spans import apart, cover

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.floats(0, 1))
def test_what_is_kept_stands_apart_and_what_is_not_overlaps_something_better(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    owner, kind, start = rng.integers(0, 2, 20), rng.integers(0, 2, 20), rng.integers(0, 60, 20)
    end, ranked = start + rng.integers(1, 9, 20), rng.permutation(20)
    kept = apart(owner, start, end, ranked, kind, share).tolist()

    def overlap(i: int, j: int) -> bool:
        allowed = share * min(end[i] - start[i], end[j] - start[j]) if kind[i] != kind[j] else 0
        return bool(owner[i] == owner[j] and min(end[i], end[j]) - max(start[i], start[j]) > allowed)

    rank = np.argsort(ranked)
    assert (np.diff(rank[kept]) > 0).all()
    assert not any(overlap(i, j) for place, i in enumerate(kept) for j in kept[:place])
    for i in set(range(20)) - set(kept):
        assert any(overlap(i, j) and rank[j] < rank[i] for j in kept)


def test_without_kinds_no_overlap_is_allowed() -> None:
    start = np.array([0, 4, 5])
    assert apart(np.zeros(3, int), start, start + 5, np.array([2, 1, 0])).tolist() == [2, 0]


@given(seeds)
def test_cover_is_the_union_of_its_spans(seed: int) -> None:
    rng = np.random.default_rng(seed)
    row, start = rng.integers(0, 3, 6), rng.integers(0, 20, 6)
    end = start + rng.integers(1, 6, 6)
    covered = np.zeros((3, 25), bool)
    expected = covered.copy()
    for r, s, e in zip(row, start, end, strict=True):
        expected[r, s:e] = True
    cover(covered, row, start, end)
    np.testing.assert_array_equal(covered, expected)
