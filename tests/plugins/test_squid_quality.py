"""Measures of fit against closed forms of Gaussians, and at the edges of what can be measured."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cislens_squid.quality import entropy, measured, mutual_information

RNG = np.random.default_rng(0)
N = 8000


@pytest.mark.parametrize("deviation", [1e-4, 1.0, 50.0])
def test_the_entropy_of_a_gaussian_is_its_closed_form(deviation: float) -> None:
    y = 7.0 + deviation * np.random.default_rng(1).normal(size=N)
    assert entropy(y) == pytest.approx(0.5 * np.log2(2 * np.pi * np.e * deviation**2), abs=0.05)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.8, 0.99])
def test_the_mutual_information_of_two_gaussians_is_its_closed_form(correlation: float) -> None:
    rng = np.random.default_rng(2)
    x, other = rng.normal(size=(2, N))
    y = correlation * x + np.sqrt(1 - correlation**2) * other
    assert mutual_information(x, y) == pytest.approx(-0.5 * np.log2(1 - correlation**2), abs=0.06)


def test_mutual_information_does_not_depend_on_units_or_monotonic_curves() -> None:
    x = RNG.normal(size=2000)
    y = x + RNG.normal(size=2000)
    assert mutual_information(1e6 * x - 3, np.exp(y)) == pytest.approx(mutual_information(x, y), abs=1e-9)


def test_two_independent_values_that_repeat_tell_nothing_of_each_other() -> None:
    x, y = RNG.integers(0, 2, (2, 4000)).astype(float)
    assert mutual_information(x, y) < 0.1


def test_a_value_of_two_levels_tells_one_bit() -> None:
    x = RNG.integers(0, 2, 4000).astype(float)
    assert mutual_information(x, x + RNG.normal(size=4000) / 100) == pytest.approx(1, abs=0.1)


def test_values_that_repeat_have_no_density_and_so_no_entropy() -> None:
    for y in (np.zeros(500), RNG.integers(0, 3, 500) + 1e6):
        assert np.isnan(entropy(np.asarray(y, float)))


def test_values_that_are_equal_by_rounding_have_the_entropy_of_those_that_are_not() -> None:
    y = 1e6 + RNG.normal(size=2000)
    rounded = np.round(y, 4)
    assert len(np.unique(rounded)) < len(rounded)
    assert entropy(rounded) == pytest.approx(entropy(y), abs=0.03)


def test_copies_of_the_wild_type_do_not_spoil_the_entropy() -> None:
    y = RNG.normal(size=2000)
    assert entropy(np.concatenate([y, np.full(100, y[0])])) == pytest.approx(entropy(y), abs=1e-9)


def test_measures_of_a_gaussian_surrogate_are_their_closed_forms() -> None:
    phi = RNG.normal(size=N)
    y = phi + 0.5 * RNG.normal(size=N)
    quality = measured(y, phi, phi, phi, stats.norm(phi, 0.5).logpdf(y))
    assert quality.r2_mode == quality.r2_mean == pytest.approx(1 - 0.25 / 1.25, abs=0.02)
    assert quality.pearson_squared == pytest.approx(np.corrcoef(phi, y)[0, 1] ** 2)
    assert quality.log_likelihood == pytest.approx(-0.5 * np.log(2 * np.pi * np.e * 0.25), abs=0.03)
    information = 0.5 * np.log2(1.25 / 0.25)
    assert quality.variational_information == pytest.approx(information, abs=0.06)
    assert quality.predictive_information == pytest.approx(information, abs=0.06)


def test_a_mean_that_does_not_exist_is_no_number_and_spoils_no_other_measure() -> None:
    y = RNG.normal(size=200)
    quality = measured(y, y, y, np.full(200, np.nan), np.zeros(200))
    assert np.isnan(quality.r2_mean)
    assert quality.r2_mode == 1
    assert quality.pearson_squared == pytest.approx(1)


def test_held_out_answers_that_are_all_alike_explain_nothing() -> None:
    y = np.full(100, 2.0)
    quality = measured(y, RNG.normal(size=100), RNG.normal(size=100), y, np.zeros(100))
    assert np.isnan([quality.r2_mode, quality.pearson_squared]).all()
