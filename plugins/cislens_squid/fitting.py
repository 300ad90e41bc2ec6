"""Maximum likelihood: the parameters of a surrogate, by L-BFGS over all variants at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cislens_squid.genotype import Design, GenotypeMap
from cislens_squid.noise import Noise
from cislens_squid.nonlinearity import Nonlinearity

Array = npt.NDArray[Any]
EARLY = 10_000  # variants that the first steps are made on
CHECKED = 5  # iterations between two looks at the validation set
MEMORY = 20  # steps that L-BFGS remembers
MOST = 1000  # iterations


@dataclass(frozen=True)
class Penalties:
    """Weigh the squares of parameters against the log-likelihood.

    Parameters
    ----------
    theta
        Of the map, in units of `GenotypeMap.prior`: 1 is a normal prior under which the latent phenotype varies by one.
    curve, noise
        Of the nodes and of the noise's polynomials, in nats a variant: enough that what has no effect stays small.
    """

    theta: float = 3.0
    curve: float = 1e-4
    noise: float = 1e-4


@dataclass(frozen=True)
class Form:
    """Say what a surrogate is made of beside its map, and how it is fitted.

    Parameters
    ----------
    nonlinearity, noise, penalties
        See there.
    patience
        Iterations without a better validation likelihood before the fit ends.
    """

    nonlinearity: Nonlinearity = field(default_factory=Nonlinearity)
    noise: Noise = field(default_factory=Noise)
    penalties: Penalties = field(default_factory=Penalties)
    patience: int = 50


@dataclass(frozen=True, eq=False)
class Fit:
    """Hold what was fitted, in units of the answers' standard deviation.

    Parameters
    ----------
    theta, curve, noise
        Parameters of the map, the nonlinearity and the noise.
    iterations
        How many steps were made.
    history
        Mean log-likelihood of a validation variant, in nats, whenever it was looked at.
    precision
        What the penalty adds to the curvature of the log-likelihood by theta, (size,) or one for all, in nats.
    """

    theta: Array
    curve: Array
    noise: Array
    iterations: int = 0
    history: tuple[float, ...] = ()
    precision: Array = field(default_factory=lambda: np.zeros(1))


@dataclass(frozen=True)
class Likelihood:
    """The mean log-likelihood of answers, as a function of all parameters in one vector."""

    nonlinearity: Nonlinearity
    noise: Noise
    penalties: Penalties
    theta_penalty: Array  # of each squared parameter, in nats a variant

    @classmethod
    def of(cls, genotype: GenotypeMap, form: Form, training: Examples) -> Likelihood:
        """Return that of a form, the map's parameters penalised as their prior on these variants has it."""
        theta_penalty = form.penalties.theta * genotype.prior(training.design) / len(training.y)
        return cls(form.nonlinearity, form.noise, form.penalties, theta_penalty)

    def parts(self, vector: Array) -> tuple[Array, Array, Array]:
        """Return the parameters of map, nonlinearity and noise."""
        noise = len(vector) - self.noise.size
        curve = noise - self.nonlinearity.size
        return vector[:curve], vector[curve:noise], vector[noise:]

    def loss(self, vector: Array, design: Design, y: torch.Tensor) -> tuple[float, Array]:
        """Return what is minimised, and its gradient: the mean negative log-likelihood and the penalties."""
        theta, curve, noise = self.parts(vector)
        phi = torch.from_numpy(design.score(theta)).requires_grad_()
        head = [torch.from_numpy(part.copy()).requires_grad_() for part in (curve, noise)]
        mean = -self.noise.log_density(y, self.nonlinearity(phi, head[0]), head[1]).mean()
        mean = mean + self.penalties.curve * self._shape(head[0]).square().sum()
        mean = mean + self.penalties.noise * head[1][1:].square().sum()
        mean.backward()  # type: ignore[no-untyped-call]
        slope = design.pull(theta, gradient(phi)) + 2 * self.theta_penalty * theta
        value = mean.item() + float(self.theta_penalty @ theta**2)
        return value, np.concatenate([slope, *map(gradient, head)])

    def _shape(self, curve: torch.Tensor) -> torch.Tensor:
        """Return the heights of the nodes, which are all that the penalty speaks of."""
        if self.nonlinearity.kind == "linear":
            return curve[:0]
        b, c, d = curve[1:].reshape(3, self.nonlinearity.nodes)
        return torch.cat([b.exp(), c.exp(), d]) if self.nonlinearity.monotonic else curve[1:]

    def mean(self, vector: Array, design: Design, y: torch.Tensor) -> float:
        """Return the mean log-likelihood of a variant, in nats."""
        theta, curve, noise = self.parts(vector)
        with torch.no_grad():
            mode = self.nonlinearity(torch.from_numpy(design.score(theta)), torch.from_numpy(curve))
            return float(self.noise.log_density(y, mode, torch.from_numpy(noise)).mean())


@dataclass(frozen=True, eq=False)
class Examples:
    """Variants, as what scores them, and their answers (n,) in units of their standard deviation."""

    design: Design
    y: Array

    def first(self, n: int) -> Examples:
        """Return the first n, or all if there are fewer."""
        return Examples(self.design.take(np.arange(min(n, len(self.y)))), self.y[:n])

    def narrowed(self, size: int) -> Examples:
        """Return the same, scored by the first parameters alone."""
        return Examples(self.design.narrowed(size), self.y)


def gradient(leaf: torch.Tensor) -> Array:
    """Return the gradient that a backward pass left at a leaf."""
    assert leaf.grad is not None
    return leaf.grad.numpy()


def fit(genotype: GenotypeMap, form: Form, training: Examples, validation: Examples) -> Fit:
    """Maximise the likelihood of the training variants, and keep what is best on the validation variants.

    It starts from least squares; a map with pair terms from the fit of its additive map where that says more of the
    validation variants, and then moves the pair terms alone before all: else what was best stopped overfits before the
    pair terms help. Where there are many variants, the first steps of an additive map are made on a part of them.
    """
    likelihood = Likelihood.of(genotype, form, training)
    vector, steps, history = _start(genotype, likelihood, training.first(EARLY)), 0, []
    everything = np.ones(len(vector))
    stages = [(training, everything)]
    if len(training.y) > 2 * EARLY:
        stages.insert(0, (training.first(EARLY), everything))
    simpler = genotype.simpler()
    if simpler is not None:
        before = fit(simpler, form, training.narrowed(simpler.size), validation.narrowed(simpler.size))
        theta = np.concatenate([before.theta, np.zeros(genotype.size - simpler.size)])
        other = np.concatenate([theta, before.curve, before.noise])
        held = validation.design, torch.from_numpy(validation.y)
        vector = max(vector, other, key=lambda start: likelihood.mean(start, *held))
        steps, history = before.iterations, [*before.history]
        place = np.arange(len(vector))
        pairs = np.asarray((place >= simpler.size) & (place < genotype.size), np.float64)
        stages = [(training, pairs), (training, everything)]
    for stage, moved in stages:
        search = _Search(likelihood, stage, validation, form.patience)
        vector = search.run(vector, moved)
        steps += search.steps
        history += search.history
    return Fit(*likelihood.parts(vector), steps, tuple(history), 2 * likelihood.theta_penalty * len(training.y))


def _start(genotype: GenotypeMap, likelihood: Likelihood, examples: Examples) -> Array:
    """Return parameters that fit roughly."""
    y = examples.y
    theta = genotype.start(examples.design, y)
    phi = examples.design.score(theta)
    curve = likelihood.nonlinearity.start(phi, y)
    with torch.no_grad():
        left = y - likelihood.nonlinearity(torch.from_numpy(phi), torch.from_numpy(curve)).numpy()
    return np.concatenate([theta, curve, likelihood.noise.start(max(float(left.std()), 1e-3))])


class _Stop(Exception):
    """Ends a search whose validation likelihood rises no more."""


class _Search:
    """One run of L-BFGS on one set of training variants."""

    def __init__(self, likelihood: Likelihood, training: Examples, validation: Examples, patience: int) -> None:
        self.likelihood, self.training, self.validation, self.patience = likelihood, training, validation, patience
        self.y, self.held = torch.from_numpy(training.y), torch.from_numpy(validation.y)
        self.steps = 0
        self.history: list[float] = []
        self.best, self.best_at, self.best_value = np.empty(0), 0, -np.inf

    def run(self, vector: Array, moved: Array) -> Array:
        """Return the best parameters found from these on; those where `moved` is 0 stay as they are."""
        from scipy.optimize import minimize  # type: ignore[import-untyped]

        def loss(at: Array) -> tuple[float, Array]:
            value, slope = self.likelihood.loss(at, self.training.design, self.y)
            return value, slope * moved

        self.best, self.best_value = vector, self._validated(vector)
        try:
            found = minimize(
                loss,
                vector,
                jac=True,
                method="L-BFGS-B",
                callback=self._step,
                options={"maxiter": MOST, "maxfun": 2 * MOST, "maxcor": MEMORY, "ftol": 1e-9, "gtol": 1e-7},
            )
            self._look(found.x)
        except _Stop:
            pass
        return self.best

    def _step(self, vector: Array) -> None:
        self.steps += 1
        if self.steps % CHECKED == 0:
            self._look(vector)

    def _look(self, vector: Array) -> None:
        value = self._validated(vector)
        self.history.append(value)
        if value > self.best_value:
            self.best, self.best_value, self.best_at = vector.copy(), value, self.steps
        elif self.steps - self.best_at >= self.patience:
            raise _Stop

    def _validated(self, vector: Array) -> float:
        return self.likelihood.mean(vector, self.validation.design, self.held)
