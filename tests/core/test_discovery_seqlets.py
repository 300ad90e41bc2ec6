"""Seqlets, and the windows around them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cislens.discovery.seqlets import call_seqlets, null_maps, peaks, spread, threshold_at
from cislens.discovery.windows import Sites, align, unit, windows

seeds = st.integers(0, 2**32 - 1)


def sparse(rng: np.random.Generator, n: int, length: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A map of nothing but one site of ones in each sequence, and where each starts."""
    starts = rng.integers(0, length - width + 1, n)
    places = np.arange(length)
    return ((places >= starts[:, None]) & (places < starts[:, None] + width)).astype(float), starts


# ---- seqlets ------------------------------------------------------------------------------------------------


@given(seeds, st.integers(1, 15))
@settings(deadline=None, max_examples=30)
def test_the_peak_of_a_level_site_is_its_middle(seed: int, width: int) -> None:
    values, starts = sparse(np.random.default_rng(seed), 5, 80, width)
    row, centre, _ = peaks(values, 15)
    np.testing.assert_array_equal(row, np.arange(5))
    middle = starts + (width - 1) / 2
    # At an end of the sequence a window has nothing beyond it, which moves no peak.
    assert (np.abs(centre - middle) <= 0.5).all()


@given(seeds)
@settings(deadline=None, max_examples=30)
def test_peaks_lie_more_than_half_a_window_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    row, centre, height = peaks(np.round(rng.normal(size=(4, 60)), 1), 9)
    same = np.diff(row) == 0
    assert (np.diff(centre)[same] > 4).all()
    assert (height > 0).all()


@given(seeds, st.integers(1, 3), st.sampled_from([0.05, 0.3]))
@settings(deadline=None)
def test_the_threshold_is_the_lowest_score_at_which_chance_is_rare_enough(seed: int, rounds: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.normal(3, 1, 30), rng.normal(0, 1, 20)])
    null = [rng.normal(0, 1, 40) for _ in range(rounds)]
    every = np.concatenate(null)
    shares = {s: ((every >= s).sum() + 1) / rounds / (scores >= s).sum() for s in scores}
    expected = min((s for s, share in shares.items() if share <= rate), default=math.inf)
    assert threshold_at(scores, null, rate) == expected


def test_seqlets_of_noise_are_none() -> None:
    rng = np.random.default_rng(1)
    called = [len(call_seqlets(rng.normal(size=(50, 100)), 15, 0.05, rng)) for _ in range(20)]
    assert np.mean(np.array(called) > 0) <= 0.2


@pytest.mark.parametrize("n", [5, 20, 400])
def test_seqlets_of_sites_are_the_sites_however_few(n: int) -> None:
    rng = np.random.default_rng(2)
    values, starts = sparse(rng, n, 100, 8)
    seqlets = call_seqlets(values + rng.normal(0, 0.05, values.shape), 15, 0.05, rng)
    assert 0.95 * n <= len(seqlets) <= 1.1 * n
    right = np.abs(seqlets.centre - starts[seqlets.row] - 3.5) <= 2
    assert right.mean() > 0.9
    assert (np.diff(seqlets.score) <= 0).all()


def test_a_weak_sequence_shows_its_site_beside_strong_ones() -> None:
    rng = np.random.default_rng(3)
    values, _ = sparse(rng, 60, 100, 8)
    values[::2] *= 0.2
    seqlets = call_seqlets(values + rng.normal(0, 0.01, values.shape), 15, 0.05, rng)
    assert set(seqlets.row) == set(range(60))


def test_seqlets_do_not_depend_on_the_scale() -> None:
    values, _ = sparse(np.random.default_rng(4), 20, 60, 8)
    one, other = (call_seqlets(values * scale, 15, 0.05, np.random.default_rng(5)) for scale in (1.0, 1024.0))
    np.testing.assert_array_equal(one.centre, other.centre)
    assert one.threshold == other.threshold


def test_chance_is_drawn_from_the_positions_of_the_same_sequence_that_are_not_called() -> None:
    values = np.arange(30.0).reshape(3, 10)
    called = np.zeros(values.shape, bool)
    called[0, :7] = called[1] = True
    first = next(null_maps(values, called, np.random.default_rng(6)))
    assert set(first[0]) <= {7.0, 8.0, 9.0}
    assert not first[1].any()
    assert set(first[2]) <= set(values[2])


def test_the_spread_is_shared_half_by_the_sequence_and_half_by_all() -> None:
    values = np.array([[3.0, 3.0], [1.0, 1.0]])
    np.testing.assert_allclose(spread(values), np.sqrt([[9 + 5], [1 + 5]]))
    assert (spread(np.zeros((2, 3))) > 0).all()


# ---- windows ------------------------------------------------------------------------------------------------


def test_sites_own_what_is_closer_to_them_than_to_another() -> None:
    sites = Sites.around(np.array([1, 0, 1, 1]), np.array([20, 5, 4, 9]), 30)
    for i in range(4):
        places = np.arange(30)
        others = [j for j in range(4) if j != i and sites.row[j] == sites.row[i]]
        mine = all_of([np.abs(places - sites.centre[i]) < np.abs(places - sites.centre[j]) for j in others], 30)
        inside = (places >= sites.low[i]) & (places < sites.high[i])
        assert (inside | ~mine).all()
    owners = [np.arange(sites.low[i], sites.high[i]) for i in (0, 2, 3)]
    np.testing.assert_array_equal(np.sort(np.concatenate(owners)), np.arange(30))


def all_of(parts: list[np.ndarray], length: int) -> np.ndarray:
    return np.logical_and.reduce([np.ones(length, bool), *parts])


def test_windows_end_where_the_sequence_does() -> None:
    onehot = np.eye(4)[np.array([[0, 1, 2, 3]])]
    sites = Sites.around(np.array([0]), np.array([0]), 4)
    found = windows(onehot, sites, 5)[0]
    np.testing.assert_array_equal(found[2:], onehot[0, :3])
    assert not found[:2].any()
    turned = windows(onehot, sites.turned(np.array([True])), 5)[0]
    np.testing.assert_array_equal(turned, found[::-1, ::-1])


@given(seeds, st.integers(-4, 4), st.booleans())
@settings(deadline=None, max_examples=50)
def test_a_window_is_laid_on_another_by_its_shift_and_strand(seed: int, shift: int, reverse: bool) -> None:
    """The same site seen from two places: the alignment leads from the one to the other."""
    rng = np.random.default_rng(seed)
    weighted = np.zeros((1, 61, 4))
    weighted[0, 26:35] = rng.normal(size=(9, 4))
    here = Sites.around(np.array([0]), np.array([30]), 61)
    there = here.turned(np.array([reverse])).moved(np.array([shift]))
    one, other = (unit(windows(weighted, sites, 21)) for sites in (here, there))
    alignment = align(one, other, 6)
    assert alignment.similarity[0, 0] == pytest.approx(1)
    placed = here.turned(alignment.reverse[:, 0]).moved(alignment.shift[:, 0].astype(int))
    np.testing.assert_allclose(unit(windows(weighted, placed, 21)), other)
    assert placed.centre[0] == there.centre[0]
