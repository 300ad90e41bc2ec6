"""Which substitutions libraries hold: their numbers, their sites, and that all of a kind are there once."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cislens import CislensError
from cislens_squid.mutagenesis import (
    all_double_mutants,
    all_single_mutants,
    exact_mutagenesis,
    partial_mutagenesis,
)

UNLIKELY = 1e-4  # p below which chance is no explanation; seeds are fixed, so a test that passes once always does


def rows(substitutions):
    """The substitutions of each variant as ((site, change), ...)."""
    o = substitutions.offsets
    pairs = list(zip(substitutions.sites.tolist(), substitutions.changes.tolist(), strict=True))
    return [tuple(pairs[o[i] : o[i + 1]]) for i in range(len(substitutions))]


def test_numbers_of_substitutions_are_poisson_with_mean_width_times_rate() -> None:
    width, rate, n = 60, 0.1, 20_000
    counts = partial_mutagenesis(width, n, rate, np.random.default_rng(0)).counts
    edges = np.arange(1, 14)  # below 1, 1, ..., 13 and more
    seen = np.histogram(counts, [-np.inf, *edges, np.inf])[0]
    expected = n * np.diff(np.concatenate([[0], stats.poisson(width * rate).cdf(edges - 1), [1]]))
    assert stats.chisquare(seen, expected).pvalue > UNLIKELY


@pytest.mark.parametrize("k", [2, 3, 4, 6])
def test_every_set_of_sites_is_equally_likely_and_so_is_every_change(k: int) -> None:
    width, n = 6, 12_000
    drawn = exact_mutagenesis(width, n, k, np.random.default_rng(k))
    sets = drawn.sites.reshape(n, k)
    seen = [int((sets == some).all(1).sum()) for some in combinations(range(width), k)]
    assert sum(seen) == n
    if k < width:
        assert len(seen) == comb(width, k)
        assert stats.chisquare(seen).pvalue > UNLIKELY
    assert stats.chisquare(np.bincount(drawn.changes, minlength=3)).pvalue > UNLIKELY


@given(st.integers(1, 12), st.floats(0.01, 1), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_sites_of_a_variant_are_different_ascending_and_within_the_element(width, rate, n, seed) -> None:
    drawn = partial_mutagenesis(width, n, rate, np.random.default_rng(seed))
    assert len(drawn) == n
    assert len(drawn.sites) == len(drawn.changes) == drawn.counts.sum() == drawn.offsets[-1]
    assert ((drawn.changes >= 0) & (drawn.changes < 3)).all()
    for row in rows(drawn):
        sites = [site for site, _ in row]
        assert sites == sorted(set(sites))
        assert all(0 <= site < width for site in sites)


def test_a_wide_element_of_which_all_bases_change_is_drawn_in_a_few_rounds() -> None:
    drawn = exact_mutagenesis(400, 300, 400, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn.sites.reshape(300, 400), np.tile(np.arange(400), (300, 1)))
    most = exact_mutagenesis(400, 300, 399, np.random.default_rng(0)).sites.reshape(300, 399)
    left_out = 400 * 399 // 2 - most.sum(1)
    assert (np.diff(most, axis=1) > 0).all()
    assert len(np.unique(left_out)) > 150  # of 400 sites


def test_exactly_so_many_bases_change() -> None:
    drawn = exact_mutagenesis(30, 500, 7, np.random.default_rng(1))
    assert (drawn.counts == 7).all()
    assert len(np.unique(drawn.sites)) == 30


@pytest.mark.parametrize("width", [1, 2, 5])
def test_all_single_mutants_are_there_once(width: int) -> None:
    listed = rows(all_single_mutants(width))
    assert len(listed) == 3 * width
    assert set(listed) == {((site, change),) for site in range(width) for change in range(3)}


@pytest.mark.parametrize("width", [2, 5])
def test_all_double_mutants_are_there_once_after_all_single_mutants(width: int) -> None:
    listed = rows(all_double_mutants(width))
    singles = [(site, change) for site in range(width) for change in range(3)]
    doubles = {(one, other) for one, other in combinations(singles, 2) if one[0] < other[0]}
    assert listed[: 3 * width] == rows(all_single_mutants(width))
    assert len(listed) == 3 * width + len(doubles)
    assert set(listed[3 * width :]) == doubles


def test_an_element_of_one_base_has_no_double_mutants() -> None:
    assert rows(all_double_mutants(1)) == rows(all_single_mutants(1))


def test_the_wild_type_comes_first_and_the_others_stay_as_they_are() -> None:
    drawn = exact_mutagenesis(5, 4, 2, np.random.default_rng(2))
    assert rows(drawn.after_wild_type()) == [(), *rows(drawn)]


def test_one_seed_draws_one_library_and_another_seed_another() -> None:
    one, again, other = (partial_mutagenesis(50, 100, 0.1, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert rows(one) == rows(again) != rows(other)


def test_what_cannot_be_drawn_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(CislensError, match="must lie between 1 and the 5 bp that can change, got 6"):
        exact_mutagenesis(5, 10, 6, rng)
    with pytest.raises(CislensError, match="rate must lie above 0 and at most at 1, got 0"):
        partial_mutagenesis(5, 10, 0, rng)
