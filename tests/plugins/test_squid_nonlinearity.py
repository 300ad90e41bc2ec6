"""The curve from latent phenotypes to most probable answers: its table, its slopes, its start."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cislens_squid.nonlinearity import KNOTS, Nonlinearity  # noqa: E402

pytestmark = pytest.mark.torch

FORMS = (
    Nonlinearity("linear"),
    Nonlinearity("tanh", True, 7),
    Nonlinearity("tanh", False, 7),
)
RNG = np.random.default_rng(0)


def some(form: Nonlinearity, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=form.size)


def by_hand(form: Nonlinearity, phi: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    if form.kind == "linear":
        return parameters[0] + parameters[1] * phi
    a, (b, c, d) = parameters[0], parameters[1:].reshape(3, form.nodes)
    if form.monotonic:
        b, c = np.exp(b), np.exp(c)
    return np.array([a + sum(b[k] * np.tanh(c[k] * at + d[k]) for k in range(form.nodes)) for at in phi])


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_curve_is_a_sum_of_its_nodes_and_its_slope_its_derivative(form) -> None:
    phi, parameters = np.linspace(-4, 4, 81), some(form)
    value, slope = (part.numpy() for part in form.curve(torch.from_numpy(phi), torch.from_numpy(parameters)))
    np.testing.assert_allclose(value, by_hand(form, phi, parameters), atol=1e-12)
    step = 1e-5
    numeric = (by_hand(form, phi + step, parameters) - by_hand(form, phi - step, parameters)) / (2 * step)
    np.testing.assert_allclose(slope, numeric, atol=1e-7)


def test_a_monotonic_curve_never_falls() -> None:
    form = Nonlinearity("tanh", True, 20)
    value = form(torch.linspace(-5, 5, KNOTS, dtype=torch.float64), torch.from_numpy(some(form)))
    assert (value.diff() >= 0).all()


def fitted_start(seed: int) -> tuple[Nonlinearity, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    phi = rng.normal(size=5000)
    form = Nonlinearity("tanh", True, 50)
    return form, phi, form.start(phi, np.tanh(1.5 * phi) + rng.normal(size=5000) / 10)


@pytest.mark.parametrize("seed", range(3))
def test_the_table_is_off_by_less_than_1e_6(seed: int) -> None:
    form, phi, parameters = fitted_start(seed)
    assert len(phi) > KNOTS
    read = form(torch.from_numpy(phi), torch.from_numpy(parameters)).numpy()
    assert np.abs(read - by_hand(form, phi, parameters)).max() < 1e-6


def test_the_slopes_of_the_table_are_those_of_the_nodes() -> None:
    form, phi, parameters = fitted_start(0)
    cotangent = torch.from_numpy(RNG.normal(size=len(phi)))
    gradients = []
    for curve in (form, lambda at, of: form.curve(at, of)[0]):
        at = torch.from_numpy(phi.copy()).requires_grad_()
        of = torch.from_numpy(parameters.copy()).requires_grad_()
        curve(at, of).backward(cotangent)
        gradients.append((at.grad.numpy(), of.grad.numpy()))
    (table_phi, table_of), (nodes_phi, nodes_of) = gradients
    np.testing.assert_allclose(table_phi, nodes_phi, atol=1e-4 * np.abs(nodes_phi).max())
    np.testing.assert_allclose(table_of, nodes_of, atol=1e-6 * np.abs(nodes_of).max())


def test_a_curve_as_steep_as_a_step_is_read_without_overshooting() -> None:
    form = Nonlinearity("tanh", True, 1)
    parameters = torch.tensor([0.0, 0.0, np.log(1e4), 0.0], dtype=torch.float64)
    phi = torch.from_numpy(np.sort(RNG.normal(size=5000)))
    value = form(phi, parameters)
    assert value.abs().max() <= 1 + 1e-9
    assert (value.diff() >= -1e-9).all()


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("n", [100, KNOTS + 100])
def test_latent_phenotypes_that_are_all_alike_have_one_answer(form, n: int) -> None:
    phi = torch.full((n,), 0.3, dtype=torch.float64, requires_grad=True)
    parameters = some(form)
    value = form(phi, torch.from_numpy(parameters))
    value.sum().backward()
    np.testing.assert_allclose(value.detach().numpy(), by_hand(form, np.array([0.3]), parameters)[0], atol=1e-9)
    assert torch.isfinite(phi.grad).all()


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (5.0, 0.01), (-2.0, 300.0)])
def test_a_start_fits_a_curve_wherever_the_latent_phenotype_lies(form, shift, scale) -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=3000)
    y = z if form.kind == "linear" else np.tanh(z)
    y = (y - y.mean()) / y.std()
    parameters = form.start(shift + scale * z, y + rng.normal(size=3000) / 20)
    fitted = by_hand(form, shift + scale * z, parameters)
    assert np.sqrt(((fitted - y) ** 2).mean()) < 0.1


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_start_is_finite_where_the_latent_phenotype_has_one_value_or_two(form) -> None:
    y = np.random.default_rng(4).normal(size=200)
    for phi in (np.zeros(200), np.repeat([0.0, 1.0], 100), np.concatenate([np.zeros(199), [1.0]])):
        assert np.isfinite(form.start(phi, y)).all()


def test_the_linear_start_is_least_squares() -> None:
    rng = np.random.default_rng(5)
    phi, y = rng.normal(size=50), rng.normal(size=50)
    slope, intercept = np.polyfit(phi, y, 1)
    np.testing.assert_allclose(Nonlinearity("linear").start(phi, y), [intercept, slope], atol=1e-12)
