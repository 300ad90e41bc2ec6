"""A fitted surrogate: what it says of variants, and how well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cislens.errors import CislensError
from cislens_squid.fitting import Examples, Fit, Form, fit
from cislens_squid.genotype import Design, GenotypeMap
from cislens_squid.library import Library
from cislens_squid.quality import Quality, measured

Array = npt.NDArray[Any]
SHARES = (0.6, 0.2)  # of the variants that are fitted to and that stop the fit; the rest are held out
FLAT = 1e-9  # spread of the most probable answers, in that of the answers, below which they are all alike
FEWEST = 50  # variants that can be split into three
Fitter = Callable[[GenotypeMap, Form, Examples, Examples], Fit]


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Stand for an oracle around one element.

    The latent phenotype has no unit of its own. Ours is the target's: over the library it has the mean and the spread
    of the most probable answers, so that without a nonlinearity it is the answer.

    Parameters
    ----------
    genotype, form, fit
        What was fitted, and how; `fit` is in units of the answers' spread.
    mean, spread
        Of the answers that were fitted.
    shift, scale
        The latent phenotype in the target's unit is shift + scale x that of `fit`.
    quality
        On the variants held out.
    split
        Rows of the library that were fitted to, that stopped the fit, and that were held out.
    phenotypes
        Latent phenotypes of the library's variants, (n,), in the target's unit.
    """

    genotype: GenotypeMap
    form: Form
    fit: Fit
    mean: float
    spread: float
    shift: float
    scale: float
    quality: Quality
    split: tuple[Array, Array, Array]
    phenotypes: Array

    @property
    def theta(self) -> Array:
        """Parameters of a linear map relative to the wild type, (size,), in the target's unit."""
        return self.scale * self.fit.theta

    def latent(self, design: Design) -> Array:
        """Return the latent phenotypes of variants, (n,), in the target's unit."""
        return np.asarray(self.shift + self.scale * design.score(self.fit.theta))

    def most_probable(self, latent: Array) -> Array:
        """Return the most probable answers (n,) at latent phenotypes (n,)."""
        return np.asarray(self.mean + self.spread * self._mode(latent))

    def mean_answer(self, latent: Array) -> Array:
        """Return the mean answers (n,); NaN where the noise has no mean."""
        return np.asarray(self.mean + self.spread * self.form.noise.mean(self._mode(latent), self.fit.noise))

    def quantile(self, q: float, latent: Array) -> Array:
        """Return the answers (n,) below which a share q of the answers lies."""
        return np.asarray(self.mean + self.spread * self.form.noise.quantile(q, self._mode(latent), self.fit.noise))

    def log_density(self, y: Array, latent: Array) -> Array:
        """Return the logarithm of the density of answers y (n,), in nats, y in the target's unit."""
        z, mode = torch.from_numpy((y - self.mean) / self.spread), torch.from_numpy(self._mode(latent))
        density = self.form.noise.log_density(z, mode, torch.from_numpy(self.fit.noise))
        return np.asarray(density.numpy() - np.log(self.spread))

    def _mode(self, latent: Array) -> Array:
        phi = torch.from_numpy((np.asarray(latent, np.float64) - self.shift) / self.scale)
        return self.form.nonlinearity.curve(phi, torch.from_numpy(self.fit.curve))[0].numpy()


def fit_surrogate(
    genotype: GenotypeMap,
    library: Library,
    y: Array,
    form: Form,
    order: Array,
    fitter: Fitter = fit,
) -> Surrogate:
    """Fit a surrogate to the answers y (n,) of a library.

    In a random order (n,) of the variants, the first three fifths are fitted to, the next fifth stops the fit, and the
    last is held out to measure it.

    Raises
    ------
    CislensError
        If there are too few variants, or the answers are not finite or do not vary.
    """
    y = np.asarray(y, np.float64)
    edges = [round(SHARES[0] * len(y)), round(sum(SHARES) * len(y))]
    training, validation, held = np.split(order, edges)
    _require_answers(y, training)
    design = genotype.design(library)
    mean, spread = float(y[training].mean()), float(y[training].std())
    z = (y - mean) / spread
    found = fitter(
        genotype,
        form,
        Examples(design.take(training), z[training]),
        Examples(design.take(validation), z[validation]),
    )
    unmeasured, split = Quality(*[np.nan] * 6), (training, validation, held)
    raw = Surrogate(genotype, form, found, mean, spread, 0.0, 1.0, unmeasured, split, design.score(found.theta))
    return _measured(_in_unit(raw), y)


def _require_answers(y: Array, training: Array) -> None:
    if len(y) < FEWEST:
        raise CislensError(f"a surrogate needs a library of at least {FEWEST} variants, got {len(y)}")
    if not np.isfinite(y).all():
        raise CislensError(f"answers must be finite, but {(~np.isfinite(y)).sum()} of {len(y)} variants' are not")
    fitted = y[training]
    if not fitted.std() > np.finfo(np.float32).eps * np.abs(fitted).max():
        raise CislensError(
            f"the oracle answers {fitted[0]:.6g} whatever is mutated, so that there is nothing to fit: explain its "
            "logit, or a sequence to which it responds"
        )


def _in_unit(surrogate: Surrogate) -> Surrogate:
    """Return the surrogate with a latent phenotype of the mean and spread of the most probable answers."""
    phi = surrogate.phenotypes
    mode = surrogate.most_probable(phi)
    rising = float(np.sign((phi - phi.mean()) @ mode)) or 1.0
    scale = rising * max(float(mode.std()), FLAT * surrogate.spread) / (float(phi.std()) or 1.0)
    shift = float(mode.mean() - scale * phi.mean())
    return replace(surrogate, shift=shift, scale=scale, phenotypes=shift + scale * phi)


def _measured(surrogate: Surrogate, answers: Array) -> Surrogate:
    held = surrogate.split[2]
    latent, y = surrogate.phenotypes[held], answers[held]
    mode, mean = surrogate.most_probable(latent), surrogate.mean_answer(latent)
    return replace(surrogate, quality=measured(y, latent, mode, mean, surrogate.log_density(y, latent)))
