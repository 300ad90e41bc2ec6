"""Noise models against scipy's distributions and against numeric integration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

torch = pytest.importorskip("torch")

from cislens_squid.noise import CAUCHY, FREE, Noise, most_probable  # noqa: E402

pytestmark = pytest.mark.torch

KINDS = ("gaussian", "student", "cauchy", "skewed_t")
# log scale, log a and log b, each a polynomial of order 2 of the mode.
TABLE = np.array([[-0.7, 0.3, -0.2], [0.9, -0.2, 0.1], [0.4, 0.3, 0.05]])


def parameters_of(kind) -> np.ndarray:
    return TABLE[: FREE[kind]].ravel()


def log_density(noise: Noise, y: np.ndarray, mode: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    return noise.log_density(*map(torch.from_numpy, (y, mode, parameters))).numpy()


def shape_at(mode: float) -> tuple[float, float, float]:
    """Scale, a and b by hand."""
    return tuple(np.exp(row[0] + row[1] * mode + row[2] * mode**2) for row in TABLE)


def reference(kind, mode: float):
    """The same distribution in scipy, with its top at the mode."""
    scale, a, b = shape_at(mode)
    if kind == "gaussian":
        return stats.norm(mode, scale)
    if kind == "cauchy":
        return stats.cauchy(mode, scale)
    if kind == "student":
        return stats.t(2 * a, mode, scale)
    top = (a - b) * np.sqrt(a + b) / np.sqrt((2 * a + 1) * (2 * b + 1))
    return stats.jf_skew_t(a, b, mode - scale * top, scale)


MODES = (-1.5, 0.0, 0.8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_a_density_is_scipys(kind, mode: float) -> None:
    y = np.concatenate([np.linspace(-6, 6, 101), [-1e4, 1e4]])
    ours = log_density(Noise(kind, 2), y, np.full(len(y), mode), parameters_of(kind))
    finite = slice(None, -2) if kind == "skewed_t" else slice(None)  # far out scipy's loses its digits
    np.testing.assert_allclose(ours[finite], reference(kind, mode).logpdf(y)[finite], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_a_density_integrates_to_one_and_has_its_top_at_the_mode(kind, mode: float) -> None:
    noise, parameters = Noise(kind, 2), parameters_of(kind)

    def density(y: float) -> float:
        return float(np.exp(log_density(noise, np.array([y]), np.array([mode]), parameters))[0])

    halves = [integrate.quad(density, *ends, limit=200)[0] for ends in ((-np.inf, mode), (mode, np.inf))]
    assert sum(halves) == pytest.approx(1, abs=1e-6)
    near = mode + np.linspace(-0.2, 0.2, 401)
    found = near[log_density(noise, near, np.full(401, mode), parameters).argmax()]
    assert found == pytest.approx(mode, abs=1e-9)


@pytest.mark.parametrize("kind", ["gaussian", "student", "skewed_t"])
@pytest.mark.parametrize("mode", MODES)
def test_a_mean_is_the_integral_of_the_density_times_the_answer(kind, mode: float) -> None:
    _, a, b = shape_at(mode)
    assert min(a, b) > 0.5
    noise, parameters = Noise(kind, 2), parameters_of(kind)

    def weighted(y: float) -> float:
        return y * float(np.exp(log_density(noise, np.array([y]), np.array([mode]), parameters))[0])

    pieces = [(-np.inf, mode - 50), (mode - 50, mode), (mode, mode + 50), (mode + 50, np.inf)]
    expected = sum(integrate.quad(weighted, *ends, limit=400)[0] for ends in pieces)
    assert noise.mean(np.array([mode]), parameters)[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("q", [1e-4, 0.025, 0.5, 0.9, 0.999])
def test_a_share_q_of_the_density_lies_below_its_quantile(kind, q: float) -> None:
    modes = np.array(MODES)
    found = Noise(kind, 2).quantile(q, modes, parameters_of(kind))
    for mode, quantile in zip(modes, found, strict=True):
        assert reference(kind, mode).cdf(quantile) == pytest.approx(q, rel=1e-6)


def test_noise_so_heavy_tailed_that_it_has_no_mean_says_so() -> None:
    modes = np.array([0.0, 1.0])
    assert np.isnan(Noise("cauchy", 0).mean(modes, np.array([0.0]))).all()
    heavy_at_one = np.array([0.0, 0.0, 1.0, -3.0, 1.0, 0.0])  # log scale, log a and log b of order 1
    mean = Noise("skewed_t", 1).mean(modes, heavy_at_one)
    assert np.isfinite(mean[0])
    assert np.isnan(mean[1])


def test_a_skewed_t_with_equal_tails_is_students_and_with_halves_cauchys() -> None:
    y, mode = np.linspace(-5, 5, 50), np.zeros(50)
    skewed = Noise("skewed_t", 0)
    for log_a, other in ((np.log(CAUCHY), ("cauchy", [0.2])), (0.7, ("student", [0.2, 0.7]))):
        kind, parameters = other
        np.testing.assert_allclose(
            log_density(skewed, y, mode, np.array([0.2, log_a, log_a])),
            log_density(Noise(kind, 0), y, mode, np.array(parameters)),
            atol=1e-12,
        )


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_of_each_mode_are_taken_where_they_are_given(kind) -> None:
    noise, modes, y = Noise(kind, 1), np.array([-1.0, 0.5, 2.0]), np.array([0.0, 1.0, 1.0])
    each = np.random.default_rng(0).normal(size=(noise.size, 3))
    together = log_density(noise, y, modes, each)
    for i in range(3):
        alone = log_density(noise, y[i : i + 1], modes[i : i + 1], np.ascontiguousarray(each[:, i]))
        assert together[i] == pytest.approx(alone[0])


@pytest.mark.parametrize("kind", KINDS)
def test_noise_starts_everywhere_the_same_and_of_the_spread_asked_for(kind) -> None:
    noise = Noise(kind, 2)
    start = noise.start(0.3)
    assert start.shape == (noise.size,)
    log_scale, log_a, log_b = noise.shape(torch.tensor([-3.0, 0.0, 9.0]).double(), torch.from_numpy(start))
    for part in (log_scale, log_a, log_b):
        assert len(part.unique()) == 1
    assert float(log_scale[0]) == pytest.approx(np.log(0.3))


@given(
    st.sampled_from(KINDS),
    st.lists(st.floats(-1e4, 1e4), min_size=9, max_size=9),
    st.floats(-1e3, 1e3),
    st.floats(-1e3, 1e3),
)
def test_whatever_the_parameters_density_gradient_and_quantiles_are_finite(kind, table, y, mode) -> None:
    noise = Noise(kind, 2)
    parameters = torch.tensor(table[: noise.size], dtype=torch.float64, requires_grad=True)
    at = torch.tensor([mode], dtype=torch.float64, requires_grad=True)
    density = noise.log_density(torch.tensor([y], dtype=torch.float64), at, parameters)
    density.sum().backward()
    assert torch.isfinite(density).all()
    assert torch.isfinite(parameters.grad).all()
    assert torch.isfinite(at.grad).all()
    low, high = (noise.quantile(q, np.array([mode]), parameters.detach().numpy())[0] for q in (0.025, 0.975))
    assert np.isfinite([low, high]).all()
    assert low <= high


@given(st.floats(0.01, 1e4), st.floats(0.01, 1e4))
def test_the_top_lies_on_the_side_of_the_lighter_tail(a: float, b: float) -> None:
    top = float(most_probable(torch.tensor([a]).double(), torch.tensor([b]).double())[0])
    mirrored = float(most_probable(torch.tensor([b]).double(), torch.tensor([a]).double())[0])
    assert np.sign(top) == np.sign(a - b)
    assert top == pytest.approx(-mirrored)
