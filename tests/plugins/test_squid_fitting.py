"""Maximum likelihood: gradients, what is kept, what does not matter, and what is told on the way."""

from __future__ import annotations

import numpy as np
import pytest
from tests.plugins.squid_toys import Asked, Known, simulated

torch = pytest.importorskip("torch")

from cislens import CislensError  # noqa: E402
from cislens_squid import fitting  # noqa: E402
from cislens_squid.fitting import Examples, Form, Likelihood, Penalties, fit  # noqa: E402
from cislens_squid.noise import Noise  # noqa: E402
from cislens_squid.nonlinearity import Nonlinearity  # noqa: E402
from cislens_squid.running import POOR  # noqa: E402
from cislens_squid.surrogate import Surrogate, fit_surrogate  # noqa: E402

pytestmark = pytest.mark.torch

FORMS = (
    Form(Nonlinearity("tanh", True, 4), Noise("skewed_t", 2)),
    Form(Nonlinearity("tanh", False, 4), Noise("student", 1)),
    Form(Nonlinearity("linear"), Noise("cauchy", 0)),
    Form(Nonlinearity("tanh", True, 4), Noise("gaussian", 1)),
)
QUICK = Form(Nonlinearity("tanh", True, 8), Noise("gaussian", 1), patience=15)


def examples(known: Known, form: Form) -> tuple[Likelihood, Examples, np.ndarray]:
    design = known.genotype.design(known.library)
    penalty = form.penalties.theta * known.genotype.prior(design) / len(known.y)
    likelihood = Likelihood(form.nonlinearity, form.noise, form.penalties, penalty)
    size = known.genotype.size + form.nonlinearity.size + form.noise.size
    vector = np.random.default_rng(3).normal(size=size) / 3
    return likelihood, Examples(design, known.y), vector


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("order", ["additive", "pairwise"])
def test_the_gradient_of_the_loss_is_that_of_central_differences(form, order) -> None:
    known = simulated(Asked(5, 200, 0.3, order))
    likelihood, some, vector = examples(known, form)
    y = torch.from_numpy(some.y)
    gradient = likelihood.loss(vector, some.design, y)[1]
    step, numeric = 1e-6, np.empty_like(vector)
    for i in range(len(vector)):
        moved = np.zeros_like(vector)
        moved[i] = step
        up, down = (likelihood.loss(vector + sign * moved, some.design, y)[0] for sign in (1, -1))
        numeric[i] = (up - down) / (2 * step)
    np.testing.assert_allclose(gradient, numeric, atol=1e-7 * max(1, np.abs(numeric).max()))


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_loss_is_the_negative_likelihood_and_the_penalties(form) -> None:
    known = simulated(Asked(5, 200, 0.3))
    likelihood, some, vector = examples(known, form)
    y = torch.from_numpy(some.y)
    theta, curve, noise = likelihood.parts(vector)
    expected = -likelihood.mean(vector, some.design, y) + likelihood.theta_penalty @ theta**2
    if form.nonlinearity.kind == "tanh":
        heights = curve[1:].copy()
        if form.nonlinearity.monotonic:
            heights[: 2 * form.nonlinearity.nodes] = np.exp(heights[: 2 * form.nonlinearity.nodes])
        expected += form.penalties.curve * (heights**2).sum()
    expected += form.penalties.noise * (noise[1:] ** 2).sum()
    assert likelihood.loss(vector, some.design, y)[0] == pytest.approx(expected)


def surrogate_of(known: Known, form: Form = QUICK, order: np.ndarray | None = None) -> Surrogate:
    return fit_surrogate(known.genotype, known.library, known.y, form, known.order if order is None else order)


def test_a_fit_keeps_what_was_best_on_the_validation_variants() -> None:
    known = simulated(Asked(12, 500, 0.2, deviation=0.5))
    design = known.genotype.design(known.library)
    training, validation = (
        Examples(design.take(rows), known.y[rows]) for rows in (known.order[:120], known.order[120:220])
    )
    form = Form(Nonlinearity("tanh", True, 30), Noise("skewed_t", 2), Penalties(0.0, 0.0, 0.0), patience=20)
    found = fit(known.genotype, form, training, validation)
    likelihood = examples(known, form)[0]
    vector = np.concatenate([found.theta, found.curve, found.noise])
    kept = likelihood.mean(vector, validation.design, torch.from_numpy(validation.y))
    assert kept >= max(found.history)
    assert kept > found.history[-1]  # without penalties it fits too much, and is taken back
    assert len(found.history) < 1000 / fitting.CHECKED


def test_a_fit_that_ends_between_two_looks_keeps_its_end(monkeypatch) -> None:
    monkeypatch.setattr(fitting, "CHECKED", 10**6)
    known = simulated(Asked(8, 600, 0.2))
    surrogate = surrogate_of(known, Form(Nonlinearity("linear"), Noise("gaussian", 0)))
    assert len(surrogate.fit.history) == 1
    monkeypatch.undo()
    watched = surrogate_of(known, Form(Nonlinearity("linear"), Noise("gaussian", 0)))
    assert np.corrcoef(surrogate.theta, watched.theta)[0, 1] > 0.99
    start = known.genotype.start(known.genotype.design(known.library), known.y)
    assert np.abs(surrogate.fit.theta - start).max() > 1e-3


def test_the_order_of_the_variants_within_a_part_changes_nothing() -> None:
    known = simulated(Asked(10, 800, 0.2))
    edges = [round(0.6 * 800), round(0.8 * 800)]
    rng = np.random.default_rng(5)
    shuffled = np.concatenate([rng.permutation(part) for part in np.split(known.order, edges)])
    one, other = surrogate_of(known), surrogate_of(known, order=shuffled)
    np.testing.assert_allclose(one.theta, other.theta, atol=0.02 * np.abs(one.theta).max())
    assert one.quality.r2_mode == pytest.approx(other.quality.r2_mode, abs=0.005)


def test_many_variants_are_fitted_first_by_a_part_and_end_where_all_at_once_do(monkeypatch) -> None:
    known = simulated(Asked(8, 3000, 0.2))
    whole = surrogate_of(known)
    monkeypatch.setattr(fitting, "EARLY", 500)
    parts = surrogate_of(known)
    assert np.corrcoef(parts.theta, whole.theta)[0, 1] > 0.999
    assert parts.quality.log_likelihood == pytest.approx(whole.quality.log_likelihood, abs=0.02)


def test_answers_in_another_unit_give_the_same_surrogate_in_that_unit() -> None:
    known = simulated(Asked(8, 600, 0.2))
    one = surrogate_of(known)
    for scale, shift in ((1e-9, 0.0), (1e6, -3e6), (-2.0, 5.0)):
        y = shift + scale * known.y
        other = fit_surrogate(known.genotype, known.library, y, QUICK, known.order)
        np.testing.assert_allclose(other.theta, scale * one.theta, atol=0.02 * abs(scale) * np.abs(one.theta).max())
        assert other.quality.r2_mode == pytest.approx(one.quality.r2_mode, abs=0.01)
        expected = one.quality.log_likelihood - np.log(abs(scale))
        assert other.quality.log_likelihood == pytest.approx(expected, abs=0.05)


def test_the_latent_phenotype_has_the_mean_and_spread_of_the_most_probable_answers() -> None:
    known = simulated(Asked(8, 600, 0.2))
    surrogate = surrogate_of(known)
    latent = surrogate.latent(known.genotype.design(known.library))
    mode = surrogate.most_probable(latent)
    assert latent.mean() == pytest.approx(mode.mean())
    assert latent.std() == pytest.approx(mode.std())
    design = known.genotype.design(known.library)
    np.testing.assert_allclose(design.score(surrogate.theta), latent - latent[0], atol=1e-9)


def test_iterations_are_all_steps_that_were_made(monkeypatch) -> None:
    monkeypatch.setattr(fitting, "CHECKED", 1)
    found = surrogate_of(simulated(Asked(8, 600, 0.2))).fit
    assert found.iterations > 5
    assert len(found.history) - found.iterations in (0, 1)  # a fit that is not stopped looks at its end once more


def test_an_interrupt_ends_a_fit_at_once(monkeypatch) -> None:
    looks = []

    def interrupted(*_: object) -> float:
        looks.append(1)
        if len(looks) > 2:
            raise KeyboardInterrupt
        return 0.0

    monkeypatch.setattr(Likelihood, "mean", interrupted)
    with pytest.raises(KeyboardInterrupt):
        surrogate_of(simulated(Asked(8, 600, 0.2)))
    assert len(looks) == 3


# ---- answers that are hard to fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda latent: (latent > 0).astype(float), id="two values"),
        pytest.param(lambda latent: (latent > 2.2).astype(float), id="two values, one of them rare"),
        pytest.param(lambda latent: np.round(latent), id="a few values"),
        pytest.param(lambda latent: latent, id="no noise"),
        pytest.param(lambda latent: np.minimum(latent, 0.0), id="one tail constant"),
        pytest.param(lambda latent: np.clip(latent, -0.3, 0.3), id="both tails constant"),
        pytest.param(lambda latent: np.float32(1e-12 * np.tanh(latent)), id="tiny answers in float32"),
        pytest.param(lambda latent: np.float32(1000 + 1e-3 * latent), id="answers rounded to few values"),
        pytest.param(lambda latent: np.exp(4 * latent), id="a long tail"),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        pytest.param(Form(patience=15), id="tanh, skewed_t"),
        pytest.param(FORMS[2], id="linear, cauchy", marks=pytest.mark.slow),
    ],
)
def test_a_surrogate_of_hard_answers_is_finite_and_where_it_fits_it_points_the_right_way(answer, form) -> None:
    known = simulated(Asked(10, 1000, 0.2, deviation=0.0))
    y = np.asarray(answer(known.latent), np.float64)
    surrogate = fit_surrogate(known.genotype, known.library, y, form, known.order)
    assert np.isfinite(surrogate.theta).all()
    assert np.isfinite([surrogate.quality.r2_mode, surrogate.quality.log_likelihood]).all()
    if surrogate.quality.r2_mode >= POOR:
        assert np.corrcoef(surrogate.latent(known.genotype.design(known.library)), known.latent)[0, 1] > 0.8
    latent = np.linspace(-1, 1, 5) * surrogate.spread + surrogate.mean
    for q in (0.025, 0.975):
        assert np.isfinite(surrogate.quantile(q, latent)).all()


def test_a_library_smaller_than_the_map_has_parameters_is_fitted_all_the_same() -> None:
    known = simulated(Asked(100, 300, 0.1, deviation=0.1))
    surrogate = surrogate_of(known, Form(patience=15))
    assert np.corrcoef(surrogate.theta, known.theta)[0, 1] > 0.5
    assert surrogate.quality.r2_mode > 0.1


@pytest.mark.parametrize("order", ["additive", "neighbour", "pairwise"])
@pytest.mark.parametrize("width", [1, 3])
def test_a_window_of_a_few_bases_is_fitted(order, width: int) -> None:
    known = simulated(Asked(width, 400, 0.3, order, deviation=0.05))
    assert surrogate_of(known).quality.r2_mode > 0.95


def test_answers_that_do_not_vary_are_told() -> None:
    known = simulated(Asked(8, 100, 0.2))
    for y in (np.zeros(100), np.full(100, 0.3), np.float32(0.3) + np.zeros(100)):
        with pytest.raises(CislensError, match="whatever is mutated, so that there is nothing to fit"):
            fit_surrogate(known.genotype, known.library, np.asarray(y, float), QUICK, known.order)
    rare = np.zeros(100)
    rare[known.order[-1]] = 1.0  # held out
    with pytest.raises(CislensError, match="answers 0 whatever is mutated"):
        fit_surrogate(known.genotype, known.library, rare, QUICK, known.order)


def test_answers_that_are_no_numbers_and_libraries_that_are_too_small_are_told() -> None:
    known = simulated(Asked(8, 100, 0.2))
    y = known.y.copy()
    y[[3, 7]] = np.nan, np.inf
    with pytest.raises(CislensError, match="answers must be finite, but 2 of 100 variants' are not"):
        fit_surrogate(known.genotype, known.library, y, QUICK, known.order)
    few = simulated(Asked(8, 49, 0.2))
    with pytest.raises(CislensError, match="a library of at least 50 variants, got 49"):
        surrogate_of(few)


def test_noise_without_a_mean_leaves_r2_of_the_mean_open_alone() -> None:
    known = simulated(Asked(8, 600, 0.2))
    quality = surrogate_of(known, Form(Nonlinearity("linear"), Noise("cauchy", 0))).quality
    assert np.isnan(quality.r2_mean)
    assert np.isfinite([quality.r2_mode, quality.log_likelihood, quality.predictive_information]).all()
