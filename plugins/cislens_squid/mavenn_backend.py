"""The published fit: MAVE-NN trains the same surrogate, and its parameters are turned into ours."""

from __future__ import annotations

import importlib
import io
import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cislens.errors import CislensError
from cislens_squid.fitting import Examples, Fit, Form, Likelihood
from cislens_squid.gauge import Parameters, fixed
from cislens_squid.genotype import Design, GenotypeMap, LinearMap, SparseDesign

Array = npt.NDArray[Any]
GP_MAPS = {"additive": "additive", "neighbour": "neighbor", "pairwise": "pairwise"}
NOISES = {"skewed_t": "SkewedT", "cauchy": "Cauchy", "gaussian": "Gaussian"}
# A design knows changes, not bases: the wild type of each site is written A, its three changes C, G and T.
LETTERS = np.frombuffer(b"ACGT", "S1")
FEWEST = 15  # variants of which mavenn tells the information after each epoch; with fewer it stops


@dataclass(frozen=True)
class Learning:
    """Say how mavenn learns; the defaults are what SQUID was published with.

    mavenn's loss is the sum over a batch, so that a learning rate speaks of one batch size alone.

    Parameters
    ----------
    rate
        Of Adam.
    epochs
        At most.
    batch
        Variants a step.
    """

    rate: float = 5e-4
    epochs: int = 500
    batch: int = 100


PUBLISHED = Learning()


def require_mavenn() -> ModuleType:
    """Return mavenn, which loads TensorFlow.

    Raises
    ------
    CislensError
        If it is not installed.
    """
    try:
        return importlib.import_module("mavenn")
    except ModuleNotFoundError as error:
        raise CislensError(
            f"squid's backend mavenn needs {error.name}, which is not installed: pip install 'cislens[mavenn]'"
        ) from error


def fit_by_mavenn(
    genotype: GenotypeMap,
    form: Form,
    training: Examples,
    validation: Examples,
    learning: Learning = PUBLISHED,
) -> Fit:
    """Train mavenn's model of the same form on the same variants, and keep what is best on the validation variants.

    Every setting means what it means to `fitting.fit`. An epoch counts as two iterations of patience, so that the
    default is SQUID's 25 epochs; the penalties are those of `fitting.Penalties` in mavenn's units, one for all
    parameters of the map and one for curve and noise. The chance of the start and of the batches is drawn from the
    answers, so that the same library gives the same fit, but for the rounding of sums that TensorFlow's threads share.

    Raises
    ------
    CislensError
        If mavenn is not installed, or refuses the variants.

    References
    ----------
    Tareen et al. 2022, 10.1186/s13059-022-02661-7 (MAVE-NN); Seitz et al. 2024, 10.1038/s42256-024-00851-5, for the
    learning settings.
    """
    mavenn = require_mavenn()
    likelihood = Likelihood.of(genotype, form, training)
    assert isinstance(genotype, LinearMap)  # the settings refuse any other
    with chance(mavenn, zlib.crc32(training.y.tobytes())), redirect_stdout(io.StringIO()):
        model = model_of(mavenn, genotype, likelihood, learning.batch)
        try:
            set_data(model, genotype, training, validation)
        except mavenn.src.error_handling.MavennError as error:
            raise CislensError(f"mavenn cannot fit this library: {error}") from error
        watch = _Watch(model, genotype, likelihood, validation, max(1, form.patience // 2))
        callback = mavenn.src.callbacks.tf.keras.callbacks.LambdaCallback(on_epoch_end=watch.look)
        model.fit(
            epochs=learning.epochs,
            learning_rate=learning.rate,
            batch_size=learning.batch,
            linear_initialization=False,
            early_stopping=False,
            callbacks=[callback],
            try_tqdm=False,
            verbose=False,
        )
    precision = 2 * likelihood.theta_penalty[:1] * len(training.y)
    return replace(watch.best, iterations=len(watch.history), history=tuple(watch.history), precision=precision)


def model_of(mavenn: ModuleType, genotype: LinearMap, likelihood: Likelihood, batch: int) -> Any:
    """Return mavenn's untrained model of a form.

    Its penalties are added to a sum over a batch, ours to a mean over variants. It has one for all parameters of the
    map, which is that of single terms.
    """
    return mavenn.Model(
        L=genotype.width,
        alphabet="dna",
        regression_type="GE",
        gpmap_type=GP_MAPS[genotype.order],
        ge_nonlinearity_type="linear" if likelihood.nonlinearity.kind == "linear" else "nonlinear",
        ge_nonlinearity_monotonic=likelihood.nonlinearity.monotonic,
        ge_nonlinearity_hidden_nodes=likelihood.nonlinearity.nodes,
        ge_noise_model_type=NOISES[likelihood.noise.kind],
        ge_heteroskedasticity_order=likelihood.noise.order,
        theta_regularization=float(batch * likelihood.theta_penalty[0]),
        eta_regularization=batch * likelihood.penalties.curve,
        # What it would do after the training has no part in the fit, and halts in a debugger where phi is constant.
        normalize_phi=False,
    )


def set_data(model: Any, genotype: LinearMap, training: Examples, validation: Examples) -> None:
    """Give the variants to mavenn's model, the split as it is."""
    if len(validation.y) < FEWEST:
        raise CislensError(
            f"mavenn needs at least {FEWEST} validation variants, got {len(validation.y)}: ask for a larger library"
        )
    y = np.concatenate([training.y, validation.y])
    texts = np.concatenate([spelled(genotype, training.design), spelled(genotype, validation.design)])
    model.set_data(texts, y, validation_flags=np.arange(len(y)) >= len(training.y), verbose=False)
    # Up to 10,000 variants mavenn estimates an entropy from noisy answers, and leaves the noise in what it trains on.
    model.y_norm[:, 0] = (model.y - model.y_mean) / model.y_std


def spelled(genotype: LinearMap, design: Design) -> Array:
    """Return the variants of a design as strings (n,): A where a site is as in the wild type."""
    assert isinstance(design, SparseDesign)
    singles = design.matrix[:, : genotype.singles].tocoo()
    codes = np.zeros((len(design), genotype.width), np.uint8)
    codes[singles.row, singles.col // 3] = 1 + singles.col % 3
    return LETTERS[codes].view(f"S{genotype.width}")[:, 0].astype(str)


def converted(model: Any, genotype: LinearMap, likelihood: Likelihood) -> Fit:
    """Return the parameters of mavenn's model in our form.

    Its map has a constant and four parameters a site, so that it is turned to the wild type, and the constant goes into
    the curve. Its curve and noise speak of answers in the spread of training and validation variants together; those of
    a `Fit` in the unit in which the answers came.
    """
    theta, constant = _theta(model.layer_gpmap, genotype)
    unit = float(model.y_std)
    curve = _curve(model.layer_nonlinearity, likelihood, constant)
    curve[0] = float(model.y_mean) + unit * curve[0]
    heights = slice(1, 2 if likelihood.nonlinearity.kind == "linear" else 1 + likelihood.nonlinearity.nodes)
    logarithmic = likelihood.nonlinearity.kind == "tanh" and likelihood.nonlinearity.monotonic
    curve[heights] = curve[heights] + np.log(unit) if logarithmic else curve[heights] * unit
    return Fit(theta, curve, _noise(model, likelihood))


def _theta(layer: Any, genotype: LinearMap) -> tuple[Array, float]:
    """Return the parameters relative to the wild type, and its latent phenotype."""
    found = {name: np.asarray(value, np.float64) for name, value in layer.get_params(pop=False).items()}
    pairs = np.zeros((0, 4, 4))
    if genotype.pairs:
        first, second = genotype.pair_sites()
        pairs = found["theta_lclc"].reshape(genotype.width, 4, genotype.width, 4)[first, :, second, :]
    whole = Parameters(float(found["theta_0"]), found["theta_lc"].reshape(genotype.width, 4), pairs)
    own = fixed(genotype, whole, np.eye(4)[np.zeros(genotype.width, np.intp)])
    return np.concatenate([own.singles[:, 1:].ravel(), own.pairs[:, 1:, 1:].ravel()]), own.constant


def _curve(layer: Any, likelihood: Likelihood, constant: float) -> Array:
    """Return the curve of a latent phenotype that is zero for the wild type, answers in mavenn's unit."""
    if likelihood.nonlinearity.kind == "linear":
        intercept, slope = (float(_values(part)[0]) for part in (layer.a, layer.b))
        return np.array([intercept + slope * constant, slope])
    a, b, c, d = (_values(part) for part in (layer.a_0, layer.b_k, layer.c_k, layer.d_k))
    d = d + c * constant
    if likelihood.nonlinearity.monotonic:
        b, c = (np.log(np.maximum(part, np.finfo(np.float32).tiny)) for part in (b, c))
    return np.concatenate([a, b, c, d])


def _noise(model: Any, likelihood: Likelihood) -> Array:
    """Return the polynomials of the noise, as functions of an answer in our unit."""
    layer, mean, unit = model.layer_noise_model, float(model.y_mean), float(model.y_std)
    skewed = likelihood.noise.kind == "skewed_t"
    rows = [layer.w_s, layer.w_a, layer.w_b] if skewed else [layer.a]
    theirs = np.polynomial.Polynomial([-mean / unit, 1 / unit])
    table = np.zeros((len(rows), likelihood.noise.order + 1))
    for row, part in zip(table, rows, strict=True):
        ours = np.polynomial.Polynomial(_values(part))(theirs).coef
        row[: len(ours)] = ours
    table[0, 0] += np.log(unit)
    return table.ravel()


def _values(weights: Any) -> Array:
    return np.asarray(weights, np.float64).ravel()


class _Watch:
    """Look at a model after each epoch: keep the best, and stop what gets no better.

    mavenn ignores restore_best_weights, and its own stop looks at sums over batches, penalties among them.
    """

    def __init__(
        self, model: Any, genotype: LinearMap, likelihood: Likelihood, validation: Examples, patience: int
    ) -> None:
        self.model, self.genotype, self.likelihood = model, genotype, likelihood
        self.validation, self.held = validation, torch.from_numpy(validation.y)
        self.patience = patience
        self.history: list[float] = []
        self.best, self.best_at, self.best_value = converted(model, genotype, likelihood), 0, -np.inf

    def look(self, epoch: int, logs: object = None) -> None:
        """Take note of an epoch that has ended."""
        found = converted(self.model, self.genotype, self.likelihood)
        vector = np.concatenate([found.theta, found.curve, found.noise])
        value = self.likelihood.mean(vector, self.validation.design, self.held)
        self.history.append(value)
        if value > self.best_value:
            self.best, self.best_at, self.best_value = found, epoch, value
        self.model.get_nn().stop_training = epoch - self.best_at >= self.patience


@contextmanager
def chance(mavenn: ModuleType, seed: int) -> Iterator[None]:
    """Seed what mavenn draws from, and put the global generators back to where they were.

    Of TensorFlow's generator the seed alone can be put back, so that it starts anew.
    """
    tensorflow = mavenn.src.utils.tf
    before = importlib.import_module("tensorflow.python.eager.context").global_seed()
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    mavenn.src.utils.set_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        tensorflow.random.set_seed(before)
