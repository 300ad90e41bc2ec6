"""What is recovered of surrogates that are known, and whether the standard errors say how well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.plugins.squid_toys import Asked, Known, linear, simulated

pytest.importorskip("torch")

from cislens_squid.describing import describe
from cislens_squid.fitting import Form, Penalties
from cislens_squid.genotype import LinearMap
from cislens_squid.noise import Noise
from cislens_squid.nonlinearity import Nonlinearity
from cislens_squid.ridge import RIDGE, fit_by_ridge
from cislens_squid.surrogate import Surrogate, fit_surrogate
from cislens_squid.uncertainty import covariance

pytestmark = pytest.mark.torch

TOYS = 12  # libraries over which coverage is counted


def fitted(known: Known, form: Form | None = None) -> Surrogate:
    return fit_surrogate(known.genotype, known.library, known.y, form or Form(), known.order)


def covered(known: Known, surrogate: Surrogate) -> np.ndarray:
    """Whether the 95% interval of each single term holds the true one, at the spread of the fitted phenotypes."""
    described = describe(surrogate, known.library, known.y, "uniform", 0)
    design = known.genotype.design(known.library).take(surrogate.split[0])
    unit = design.score(surrogate.theta).std() / design.score(known.theta).std()
    return np.abs(described.values - unit * known.uniform(known.theta).singles) <= 1.96 * described.errors


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["gaussian", "heavy tails", "unequal"])
def test_95_percent_intervals_cover_between_90_and_98_percent(noise) -> None:
    known = [simulated(Asked(noise=noise, seed=seed)) for seed in range(TOYS)]
    shares = [covered(one, fitted(one)).mean() for one in known]
    assert 0.90 <= np.mean(shares) <= 0.98


@pytest.mark.slow
def test_95_percent_intervals_of_gaussian_noise_on_a_linear_answer_cover_between_90_and_98_percent() -> None:
    form = Form(Nonlinearity("linear"), Noise("gaussian", 0))
    known = [simulated(Asked(noise="gaussian", deviation=0.5, seed=seed), linear) for seed in range(TOYS)]
    shares = [covered(one, fitted(one, form)).mean() for one in known]
    assert 0.90 <= np.mean(shares) <= 0.98


@pytest.mark.slow
def test_95_percent_intervals_of_ridge_cover_between_90_and_98_percent() -> None:
    known = [simulated(Asked(deviation=0.5, seed=seed), linear) for seed in range(TOYS)]
    shares = []
    for one in known:
        surrogate = fit_surrogate(one.genotype, one.library, one.y, RIDGE, one.order, fit_by_ridge)
        shares.append(covered(one, surrogate).mean())
    assert 0.90 <= np.mean(shares) <= 0.98


def test_standard_errors_of_a_linear_answer_are_those_of_least_squares() -> None:
    known = simulated(Asked(variants=40_000, deviation=0.5, width=10), linear)
    form = Form(Nonlinearity("linear"), Noise("gaussian", 0), Penalties(0.0))
    surrogate = fitted(known, form)
    rows = surrogate.split[0]
    design = known.genotype.design(known.library).take(rows)
    found = covariance(form, surrogate.fit, design, (known.y[rows] - surrogate.mean) / surrogate.spread)
    x = np.column_stack([np.ones(len(rows)), design.matrix.toarray()])
    residual = np.exp(surrogate.fit.noise[0])
    # In units of the answers the slope is one, so that theta is the slopes; they are told up to their scale.
    theta = surrogate.fit.theta * surrogate.fit.curve[1]
    least_squares = residual**2 * np.linalg.inv(x.T @ x)[1:, 1:]
    centred = x[:, 1:] - x[:, 1:].mean(0)
    slope = centred.T @ (centred @ theta) / ((centred @ theta) @ (centred @ theta))
    turn = np.eye(len(theta)) - np.outer(theta, slope)
    expected = np.sqrt(np.diag(turn @ least_squares @ turn.T))
    ours = np.sqrt(np.diag(found)) * surrogate.fit.curve[1]
    np.testing.assert_allclose(ours, expected, rtol=0.1)  # the curvature is that of the variants at hand


@pytest.mark.parametrize(
    "asked",
    [Asked(variants=5000, deviation=0.05), Asked(variants=8000, deviation=0.05, noise="unequal", seed=1)],
    ids=str,
)
def test_an_additive_surrogate_is_recovered_with_its_curve(asked) -> None:
    known = simulated(asked)
    surrogate = fitted(known)
    assert correlation(known.uniform(known.theta).singles, known.uniform(surrogate.theta).singles) > 0.99
    assert off_the_curve(known, surrogate) < 0.02


def off_the_curve(known: Known, surrogate: Surrogate) -> float:
    """By how much of its range the fitted curve misses the true one, where 99% of the latent phenotypes lie."""
    latent = surrogate.latent(known.genotype.design(known.library))
    true = np.linspace(*np.quantile(known.latent, [0.005, 0.995]), 300)
    found = surrogate.most_probable(latent.mean() + latent.std() * true)
    return float(np.abs(found - known.curve(true)).max() / np.ptp(known.curve(true)))


@pytest.mark.slow
def test_pair_terms_are_recovered() -> None:
    known = simulated(Asked(8, 8000, 0.3, "pairwise", deviation=0.03, pairs=0.6))
    surrogate = fitted(known)
    true, found = known.uniform(known.theta), known.uniform(surrogate.theta)
    assert correlation(true.singles, found.singles) > 0.99
    assert correlation(true.pairs, found.pairs) > 0.99
    assert off_the_curve(known, surrogate) < 0.02
    strongest = describe(surrogate, known.library, known.y, "uniform", 5).interactions
    first, second = known.genotype.pair_sites()
    for row in strongest.itertuples():
        pair = int(np.flatnonzero((first == row.position_1) & (second == row.position_2))[0])
        assert row.value == pytest.approx(found.pairs[pair]["ACGT".index(row.base_1), "ACGT".index(row.base_2)])
    assert (np.diff(strongest["value"].abs()) <= 0).all()
    assert strongest["value"].abs().iloc[0] == pytest.approx(np.abs(found.pairs).max())


@pytest.mark.slow
def test_neighbours_pair_terms_are_recovered_and_tell_their_errors() -> None:
    known = simulated(Asked(10, 6000, 0.3, "neighbour", deviation=0.03, pairs=0.6))
    surrogate = fitted(known)
    true, found = known.uniform(known.theta), known.uniform(surrogate.theta)
    assert correlation(true.pairs, found.pairs) > 0.99
    assert np.isfinite(describe(surrogate, known.library, known.y, "uniform", 0).errors).all()


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.5, 0.75, 1.0])
def test_parameters_are_recovered_at_high_rates(rate: float) -> None:
    known = simulated(Asked(variants=4000, rate=rate, deviation=0.05))
    surrogate = fitted(known)
    # What is the same for all bases of a site is told by nothing where the wild type has hardly a base left.
    assert correlation(known.uniform(known.theta).singles, known.uniform(surrogate.theta).singles) > 0.99


def test_a_substitution_in_no_variant_has_the_error_that_the_penalty_takes_for_granted() -> None:
    known = simulated(Asked(width=6, variants=400, rate=0.3, deviation=0.05))
    drawn = known.library.substitutions
    kept = ~((drawn.sites == 2) & (drawn.changes == 1))
    variant = np.repeat(np.arange(len(drawn)), drawn.counts)[kept]
    fewer = replace(
        drawn, counts=np.bincount(variant, minlength=len(drawn)), sites=drawn.sites[kept], changes=drawn.changes[kept]
    )
    library = replace(known.library, substitutions=fewer)
    y = known.genotype.design(library).score(known.theta) + np.random.default_rng(0).normal(size=400) / 20
    errors = {}
    for penalty in (0.0, 3.0):
        surrogate = fit_surrogate(known.genotype, library, y, Form(penalties=Penalties(penalty)), known.order)
        errors[penalty] = describe(surrogate, library, y, "wild-type", 0).errors
    own, base = known.library.wild[2], (known.library.wild[2] + 2) % 4
    assert np.isnan(errors[0.0]).all()
    others = np.delete(errors[3.0][2], [own, base])
    assert errors[3.0][2, base] > 3 * others.max()
    assert errors[3.0][2, own] == 0


def test_maps_of_too_many_parameters_have_no_standard_errors() -> None:
    known = simulated(Asked(27, 300, 0.2, "pairwise"))
    surrogate = fitted(known, Form(Nonlinearity("linear"), Noise("gaussian", 0)))
    assert np.isnan(describe(surrogate, known.library, known.y, "uniform", 0).errors).all()


@pytest.mark.slow
def test_an_additive_surrogate_of_a_pairwise_oracle_says_that_it_explains_less() -> None:
    known = simulated(Asked(8, 6000, 0.3, "pairwise", deviation=0.03, pairs=1.0))
    additive = fit_surrogate(LinearMap(8), known.library, known.y, Form(), known.order).quality
    pairwise = fitted(known).quality
    assert pairwise.r2_mode > 0.95
    assert additive.r2_mode < pairwise.r2_mode - 0.1
    assert additive.log_likelihood < pairwise.log_likelihood
