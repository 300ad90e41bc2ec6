"""Ridge regression from sums, against the normal equations and a loop over folds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests.plugins.squid_toys import Asked, linear, simulated

pytest.importorskip("torch")

from cislens import CislensError
from cislens_squid import ridge
from cislens_squid.fitting import Examples, Form
from cislens_squid.genotype import LinearMap
from cislens_squid.ridge import FOLDS, PENALTIES, RIDGE, fit_by_ridge

pytestmark = pytest.mark.torch


def examples(asked: Asked) -> tuple[LinearMap, Examples, Examples]:
    known = simulated(asked, linear)
    design = known.genotype.design(known.library)
    training, validation = known.order[:300], known.order[300:400]
    return (
        known.genotype,
        Examples(design.take(training), known.y[training]),
        Examples(design.take(validation), known.y[validation]),
    )


def normal_equations(x: np.ndarray, y: np.ndarray, penalty: float) -> tuple[float, np.ndarray]:
    """The constant and the slopes, by solving for both at once."""
    whole = np.column_stack([np.ones(len(x)), x])
    weight = penalty * np.eye(whole.shape[1])
    weight[0, 0] = 0
    solution = np.linalg.solve(whole.T @ whole + weight, whole.T @ y)
    return float(solution[0]), solution[1:]


def best_by_a_loop(x: np.ndarray, y: np.ndarray, edges: list[int]) -> float:
    errors = []
    for penalty in PENALTIES:
        total = 0.0
        for start, stop in pairwise(edges):
            out = np.arange(start, stop)
            constant, slopes = normal_equations(np.delete(x, out, 0), np.delete(y, out), penalty)
            total += ((y[out] - constant - x[out] @ slopes) ** 2).sum()
        errors.append(total)
    return PENALTIES[int(np.argmin(errors))]


@pytest.mark.parametrize("order", ["additive", "neighbour", "pairwise"])
@pytest.mark.parametrize("deviation", [0.1, 3.0])
def test_a_fit_solves_the_normal_equations_at_the_penalty_of_the_least_error_over_folds(order, deviation) -> None:
    genotype, training, validation = examples(Asked(6, 400, 0.3, order, deviation))
    found = fit_by_ridge(genotype, Form(), training, validation)
    x = np.vstack([part.design.matrix.toarray() for part in (training, validation)])
    y = np.concatenate([training.y, validation.y])
    edges = [*np.linspace(0, 300, FOLDS).astype(int), 400]
    penalty = best_by_a_loop(x, y, edges)
    constant, slopes = normal_equations(x, y, penalty)
    np.testing.assert_allclose(found.theta, slopes, atol=1e-8)
    assert found.curve == pytest.approx([constant, 1.0])
    residual = y - constant - x @ slopes
    assert np.exp(found.noise[0]) == pytest.approx(residual.std(), rel=1e-6)
    assert found.precision == pytest.approx(penalty / residual.var())


def test_much_noise_asks_for_a_larger_penalty() -> None:
    precise, rough = (fit_by_ridge(*fit_arguments(deviation)) for deviation in (0.05, 5.0))
    assert np.abs(precise.theta).mean() > 0.5 * np.abs(rough.theta).mean()
    assert rough.precision * np.exp(2 * rough.noise[0]) > precise.precision * np.exp(2 * precise.noise[0])


def fit_arguments(deviation: float) -> tuple[LinearMap, Form, Examples, Examples]:
    genotype, training, validation = examples(Asked(6, 400, 0.3, "pairwise", deviation))
    return genotype, RIDGE, training, validation


def test_answers_without_noise_are_fitted_exactly() -> None:
    genotype, training, validation = examples(Asked(6, 400, 0.3, deviation=0.0))
    found = fit_by_ridge(genotype, RIDGE, training, validation)
    fitted = found.curve[0] + training.design.score(found.theta)
    np.testing.assert_allclose(fitted, training.y, atol=1e-3)
    assert np.isfinite(found.noise).all()


def test_more_parameters_than_sums_can_hold_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(ridge, "LARGEST", 17)
    genotype, training, validation = examples(Asked(6, 400, 0.3))
    with pytest.raises(CislensError, match="ridge fits linear maps of up to 17 parameters"):
        fit_by_ridge(genotype, RIDGE, training, validation)
