"""How well a surrogate says what the oracle answers, on variants that it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.scores import pearson

Array = npt.NDArray[Any]
NEIGHBOURS = 5  # of a point, whose distance tells the density there
DISTINCT = 0.9  # share of values of their own, below which they have no density
AT_MOST = 10_000  # points from which information is estimated


@dataclass(frozen=True)
class Quality:
    """Hold measures of fit on held-out variants.

    Parameters
    ----------
    r2_mode, r2_mean
        Share of the variance that the most probable, or the mean, answers explain; the mean is NaN where the noise has
        none.
    pearson_squared
        Squared correlation of answers and most probable answers.
    log_likelihood
        Mean of a variant, in nats, of the density in the target's own unit.
    variational_information, predictive_information
        What the latent phenotype tells of the answer, in bits: through the noise model, and whatever the noise. The
        first is NaN where answers repeat, since they have no density there.
    """

    r2_mode: float
    r2_mean: float
    pearson_squared: float
    log_likelihood: float
    variational_information: float
    predictive_information: float


def measured(y: Array, phi: Array, mode: Array, mean: Array, log_density: Array) -> Quality:
    """Measure a surrogate on held-out variants; all arguments (n,), answers and density in the target's unit.

    References
    ----------
    Tareen et al. 2022, 10.1186/s13059-022-02661-7: variational and predictive information.
    """
    log_likelihood = float(log_density.mean())
    return Quality(
        r2_mode=_r2(y, mode),
        r2_mean=_r2(y, mean),
        pearson_squared=pearson(y, mode) ** 2,
        log_likelihood=log_likelihood,
        variational_information=entropy(y) + float(log_likelihood / np.log(2)),
        predictive_information=mutual_information(phi, y),
    )


def entropy(y: Array) -> float:
    """Return the differential entropy of values (n,) in bits, by the distance to their nearest neighbours.

    Of values that are there more than once, such as the wild type's, one is looked at; where too many are, there is no
    density, and the entropy is NaN.

    References
    ----------
    Kozachenko & Leonenko 1987, Problems of Information Transmission 23:95.
    """
    from scipy.special import digamma  # type: ignore[import-untyped]

    y = y[:AT_MOST]
    distinct = np.unique(y)
    n = len(distinct)
    if n < DISTINCT * len(y):
        return float("nan")
    distance = _distances(distinct[:, None])
    return float((digamma(n) - digamma(NEIGHBOURS) + np.log(2 * distance).mean()) / np.log(2))


def mutual_information(x: Array, y: Array) -> float:
    """Return the mutual information of two values (n,) in bits, by nearest neighbours; not below zero.

    References
    ----------
    Kraskov, Stögbauer & Grassberger 2004, 10.1103/PhysRevE.69.066138, the first of their two estimates.
    """
    from scipy.special import digamma

    rng = np.random.default_rng(0)  # one stream, so that values that are equal in both are not ordered alike
    # Ranks, which leave the information as it is and both axes in one unit.
    x, y = (_distinct(values[:AT_MOST], rng).argsort().argsort() / len(values[:AT_MOST]) for values in (x, y))
    n = len(x)
    distance = _distances(np.column_stack([x, y]))
    near = [_within(values, distance) for values in (x, y)]
    nats = digamma(NEIGHBOURS) + digamma(n) - (digamma(near[0] + 1) + digamma(near[1] + 1)).mean()
    return max(float(nats / np.log(2)), 0.0)


def _distances(points: Array) -> Array:
    """Return the distance of each point (n, d) to its neighbour number `NEIGHBOURS`, the largest over the axes."""
    from scipy.spatial import KDTree  # type: ignore[import-untyped]

    return np.asarray(KDTree(points).query(points, NEIGHBOURS + 1, p=np.inf)[0][:, -1])


def _within(values: Array, distance: Array) -> Array:
    """Return how many other values lie nearer than a distance (n,) to each."""
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values - distance, "right")
    return np.asarray(np.searchsorted(ordered, values + distance, "left") - below - 1)


def _distinct(values: Array, rng: np.random.Generator) -> Array:
    """Return values around zero of which no two are equal, by a shift far below their spread."""
    values = values - values.mean()
    if len(np.unique(values)) == len(values):
        return values
    return np.asarray(values + 1e-9 * (values.std() or 1.0) * rng.standard_normal(len(values)))


def _r2(y: Array, fitted: Array) -> float:
    return float(1 - ((y - fitted) ** 2).mean() / y.var()) if y.std() > 0 else float("nan")
