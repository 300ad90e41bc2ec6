"""MAVE-NN as a backend: its model in our parameters, and each of its traps."""

from __future__ import annotations

import importlib.util
import io
import random
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from cislens import CislensError, Sequences, explain, open_oracle
from cislens_squid import Squid
from cislens_squid.genotype import LinearMap, Order
from cislens_squid.library import Library
from cislens_squid.mutagenesis import partial_mutagenesis

pytestmark = [
    pytest.mark.torch,
    pytest.mark.keras,
    pytest.mark.skipif(importlib.util.find_spec("mavenn") is None, reason="mavenn is not installed"),
    # TensorFlow, seaborn and what they import
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

WIDTH = 10
SPLIT = 300  # variants that are fitted to; a hundred more stop the fit
FORMS = [
    (kind, monotonic, noise, order)
    for kind, monotonic in (("tanh", True), ("tanh", False), ("linear", True))
    for noise, order in (("skewed_t", 2), ("cauchy", 1), ("gaussian", 0))
]


@pytest.fixture(scope="module")
def mavenn() -> Any:
    from cislens_squid.mavenn_backend import require_mavenn

    return require_mavenn()


def variants(order: Order = "additive", seed: int = 0) -> tuple[LinearMap, Any, Any]:
    """Return a map, and training and validation variants of a saturating phenotype."""
    from cislens_squid.fitting import Examples

    rng = np.random.default_rng(seed)
    wild = rng.integers(0, 4, WIDTH).astype(np.uint8)
    drawn = partial_mutagenesis(WIDTH, SPLIT + 100, 0.2, rng)
    genotype = LinearMap(WIDTH, order)
    design = genotype.design(Library(wild, np.arange(WIDTH), wild, drawn))
    y = np.tanh(design.score(0.5 * rng.standard_normal(genotype.size))) + 0.1 * rng.standard_normal(SPLIT + 100)
    y = (y - y[:SPLIT].mean()) / y[:SPLIT].std()
    rows = np.split(np.arange(len(y)), [SPLIT])
    training, validation = (Examples(design.take(part), y[part]) for part in rows)
    return genotype, training, validation


def form(
    kind: Any = "tanh", monotonic: bool = True, noise: Any = "skewed_t", order: int = 2, penalty: float = 3.0
) -> Any:
    from cislens_squid.fitting import Form, Penalties
    from cislens_squid.noise import Noise
    from cislens_squid.nonlinearity import Nonlinearity

    return Form(Nonlinearity(kind, monotonic, 6), Noise(noise, order), Penalties(penalty))


def untrained(mavenn: Any, genotype: LinearMap, parts: Any, training: Any, validation: Any) -> tuple[Any, Any]:
    """Return mavenn's model of a form, its weights drawn by chance, and the likelihood that it was made of."""
    from cislens_squid import mavenn_backend
    from cislens_squid.fitting import Likelihood

    likelihood = Likelihood(parts.nonlinearity, parts.noise, parts.penalties, np.full(genotype.size, 1e-3))
    with mavenn_backend.chance(mavenn, 1), redirect_stdout(io.StringIO()):
        model = mavenn_backend.model_of(mavenn, genotype, likelihood, 100)
        mavenn_backend.set_data(model, genotype, training, validation)
    rng = np.random.default_rng(2)
    network = model.get_nn()
    network.set_weights([weights + 0.05 * rng.standard_exponential(weights.shape) for weights in network.get_weights()])
    return model, likelihood


def quick(genotype: LinearMap, parts: Any, training: Any, validation: Any, **changed: Any) -> Any:
    from cislens_squid.mavenn_backend import PUBLISHED, fit_by_mavenn

    return fit_by_mavenn(
        genotype, parts, training, validation, learning=replace(PUBLISHED, **{"rate": 5e-3, "epochs": 3, **changed})
    )


@pytest.mark.parametrize(("kind", "monotonic", "noise", "noise_order"), FORMS)
@pytest.mark.parametrize("order", get_args(Order))
def test_the_converted_model_has_the_log_density_of_mavenns(
    mavenn: Any, order: Order, kind: str, monotonic: bool, noise: str, noise_order: int
) -> None:
    import torch

    from cislens_squid.mavenn_backend import converted, spelled

    genotype, training, validation = variants(order)
    parts = form(kind, monotonic, noise, noise_order)
    model, likelihood = untrained(mavenn, genotype, parts, training, validation)
    fit = converted(model, genotype, likelihood)
    with torch.no_grad():
        mode = parts.nonlinearity(torch.from_numpy(training.design.score(fit.theta)), torch.from_numpy(fit.curve))
        ours = parts.noise.log_density(torch.from_numpy(training.y), mode, torch.from_numpy(fit.noise)).numpy()
    phi = model.x_to_phi(spelled(genotype, training.design))
    theirs = np.log(model.p_of_y_given_phi(training.y, phi, paired=True))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_the_same_library_gives_the_same_fit_whatever_the_global_generators_hold(mavenn: Any) -> None:
    genotype, training, validation = variants()
    np.random.seed(5)  # noqa: NPY002
    first = quick(genotype, form(), training, validation)
    np.random.seed(6)  # noqa: NPY002
    second = quick(genotype, form(), training, validation)
    # TensorFlow sums in the order in which its threads end: equal but for the rounding of float32.
    np.testing.assert_allclose(first.theta, second.theta, rtol=0, atol=1e-5)
    np.testing.assert_allclose(first.noise, second.noise, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_the_global_generators_are_left_where_they_were(mavenn: Any) -> None:
    from tensorflow.python.eager import context

    genotype, training, validation = variants()
    mavenn.src.utils.tf.random.set_seed(11)
    random.seed(3)
    np.random.seed(4)  # noqa: NPY002
    expected = random.Random(3).random(), np.random.RandomState(4).random_sample()
    quick(genotype, form(), training, validation, epochs=1)
    assert (random.random(), np.random.random_sample()) == expected  # noqa: NPY002
    assert context.global_seed() == 11
    mavenn.src.utils.tf.random.set_seed(None)


@pytest.mark.slow
def test_the_best_epoch_is_kept_not_the_last(mavenn: Any) -> None:
    import torch

    from cislens_squid.fitting import Likelihood

    genotype, training, validation = variants()
    fit = quick(genotype, form(), training, validation, rate=1.0, epochs=6)  # so fast that it overshoots
    assert fit.history[-1] < max(fit.history)
    likelihood = Likelihood(form().nonlinearity, form().noise, form().penalties, np.zeros(genotype.size))
    vector = np.concatenate([fit.theta, fit.curve, fit.noise])
    assert likelihood.mean(vector, validation.design, torch.from_numpy(validation.y)) == max(fit.history)


@pytest.mark.slow
def test_it_stops_once_the_validation_likelihood_has_not_risen_for_half_the_patience(mavenn: Any) -> None:
    genotype, training, validation = variants()
    fit = quick(genotype, replace(form(), patience=4), training, validation, rate=0.3, epochs=60)
    assert fit.iterations == len(fit.history) < 60
    assert int(np.argmax(fit.history)) == fit.iterations - 1 - 2


@pytest.mark.slow
def test_the_penalty_has_an_effect(mavenn: Any) -> None:
    genotype, training, validation = variants()
    weak, strong = (
        quick(genotype, form(penalty=penalty), training, validation, rate=0.05) for penalty in (0.0, 3000.0)
    )
    assert np.linalg.norm(strong.theta) < 0.5 * np.linalg.norm(weak.theta)


def test_mavenn_trains_on_the_answers_themselves_not_on_answers_with_noise(mavenn: Any) -> None:
    genotype, training, validation = variants()
    model, _ = untrained(mavenn, genotype, form(), training, validation)
    y = np.concatenate([training.y, validation.y])
    np.testing.assert_allclose(np.sort(model.y_norm[:, 0]), np.sort((y - y.mean()) / y.std()), atol=1e-12)
    assert model.validation_flags.sum() == len(validation.y)
    np.testing.assert_allclose(np.sort(model.y[model.validation_flags]), np.sort(validation.y))


def test_too_few_validation_variants_are_refused_in_a_sentence(mavenn: Any) -> None:
    genotype, training, validation = variants()
    with pytest.raises(CislensError, match="at least 15 validation variants, got 9: ask for a larger library"):
        quick(genotype, form(), training, validation.first(9))


def test_what_mavenn_refuses_is_refused_in_a_sentence(mavenn: Any) -> None:
    genotype, training, _ = variants()
    single = replace(training, design=genotype.design(_singles()), y=training.y[: 3 * WIDTH])
    with pytest.raises(CislensError, match="mavenn cannot fit this library: Only single mutants"):
        quick(genotype, form(), single, single)


def _singles() -> Library:
    from cislens_squid.mutagenesis import all_single_mutants

    wild = np.zeros(WIDTH, np.uint8)
    return Library(wild, np.arange(WIDTH), wild, all_single_mutants(WIDTH))


@pytest.mark.parametrize(
    "settings", [{"noise": "student"}, {"surrogate": "ridge"}, {"gp_map": "model.py:network"}], ids=str
)
def test_settings_that_mavenn_has_no_form_for_are_refused_before_anything_runs(settings: dict[str, Any]) -> None:
    with pytest.raises(CislensError, match="backend mavenn fits latent surrogates"):
        Squid(backend="mavenn", **settings)


def test_without_mavenn_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mavenn", None)
    with pytest.raises(CislensError, match=r"pip install 'cislens\[mavenn\]'"):
        Squid(backend="mavenn").require_backend()


@pytest.mark.slow
def test_both_backends_read_the_same_parameters_from_a_saturating_oracle(mavenn: Any) -> None:
    rng = np.random.default_rng(0)
    weights, phases = rng.standard_normal((20, 4)) * 0.4, rng.uniform(0, 6, (20, 4))
    onehot = np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (1, 20))]
    weights -= (onehot[0] * weights).sum() / 20  # the sequence lies where the curve is steepest

    def saturating(x: Any) -> Any:
        return np.tanh((x * weights).sum((1, 2))) + 0.1 * np.sin((x * phases).sum((1, 2)))

    oracle, sequences = open_oracle(saturating, length=20), Sequences.from_onehot(onehot)
    settings = Squid(library=2000, rate=0.15, noise="gaussian", noise_order=0, nodes=10)
    ours, theirs = (explain(oracle, sequences, replace(settings, backend=name)) for name in ("cislens", "mavenn"))
    assert ours.attributions is not None
    assert theirs.attributions is not None
    correlation = np.corrcoef(ours.attributions.values.ravel(), theirs.attributions.values.ravel())[0, 1]
    assert correlation > 0.99
    assert theirs.standard_errors is not None
    assert np.isfinite(theirs.standard_errors).all()
