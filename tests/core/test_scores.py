"""Scores against their definitions, counted pair by pair."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from cislens.scores import area_under_roc, average_precision, pearson, spearman

# Few values, so that ties are common.
tied = st.lists(st.integers(0, 4), min_size=2, max_size=12).map(lambda values: np.array(values, float))
labelled = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=15).filter(
    lambda rows: any(label for _, label in rows)
)


@given(tied, tied)
def test_the_area_under_roc_is_the_share_of_pairs_in_order_ties_a_half(one: np.ndarray, two: np.ndarray) -> None:
    wins = [1.0 if p > n else 0.5 if p == n else 0.0 for p, n in product(one, two)]
    assert area_under_roc(one, two)[0] == pytest.approx(np.mean(wins))


def test_infinite_scores_are_ordered_and_tie() -> None:
    one, two = np.array([np.inf, np.inf, 0.0]), np.array([np.inf, -np.inf])
    assert area_under_roc(one, two)[0] == pytest.approx((0.5 + 1 + 0.5 + 1 + 0 + 1) / 6)


@pytest.mark.parametrize("shift", [0.0, 0.7, 2.0])
def test_the_standard_error_of_the_area_is_its_spread_over_samples(shift: float) -> None:
    rng = np.random.default_rng(0)
    drawn = [area_under_roc(rng.normal(shift, 1, 120), rng.normal(0, 1, 80)) for _ in range(600)]
    areas, errors = np.array(drawn).T
    # The spread of 600 areas is itself known to 3 percent; 15 allows for what the error varies by itself.
    assert errors.mean() == pytest.approx(areas.std(), rel=0.15)


def test_the_standard_error_of_the_area_is_that_of_a_bootstrap() -> None:
    rng = np.random.default_rng(1)
    one, two = np.round(rng.normal(1, 1, 300), 1), np.round(rng.normal(0, 1, 200), 1)
    again = [area_under_roc(rng.choice(one, 300), rng.choice(two, 200))[0] for _ in range(1000)]
    assert area_under_roc(one, two)[1] == pytest.approx(np.std(again), rel=0.1)


def test_the_standard_error_of_delong_is_that_of_its_placements() -> None:
    one, two = np.array([3.0, 1.0, 2.0]), np.array([0.0, 2.0])
    order = np.array([[1.0 if p > n else 0.5 if p == n else 0.0 for n in two] for p in one])
    variance = order.mean(1).var(ddof=1) / 3 + order.mean(0).var(ddof=1) / 2
    assert area_under_roc(one, two)[1] == pytest.approx(np.sqrt(variance))


@given(labelled)
def test_average_precision_sums_precision_over_gains_of_recall_at_each_threshold(rows: list[tuple[int, bool]]) -> None:
    scores, labels = np.array([s for s, _ in rows], float), np.array([label for _, label in rows])
    expected, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        called = scores >= threshold
        recall = labels[called].sum() / labels.sum()
        expected += (recall - before) * labels[called].mean()
        before = recall
    assert average_precision(scores, labels) == pytest.approx(expected)


def test_average_precision_of_infinite_scores_counts_ties_together() -> None:
    scores = np.array([np.inf, np.inf, -np.inf, -np.inf])
    assert average_precision(scores, np.array([True, False, True, False])) == pytest.approx(0.5)
    assert average_precision(scores, np.array([True, True, False, False])) == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=20))
def test_correlations_are_those_of_numpy_and_scipy_and_nan_where_nothing_varies(pairs: list[tuple[int, int]]) -> None:
    one, two = np.array(pairs, float).T
    if len(set(one)) == 1 or len(set(two)) == 1:
        assert np.isnan(pearson(one, two))
        assert np.isnan(spearman(one, two))
    else:
        assert pearson(one, two) == pytest.approx(np.corrcoef(one, two)[0, 1])
        assert spearman(one, two) == pytest.approx(spearmanr(one, two).statistic)


def test_a_constant_whose_mean_is_rounded_does_not_vary() -> None:
    one = np.full(6, 0.1) + 0.2
    assert np.isnan(pearson(one, np.arange(6.0)))
    assert np.isnan(pearson(np.full(7, 1e-3), np.arange(7.0)))
