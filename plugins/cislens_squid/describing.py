"""What a surrogate says, as the parts of a report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.gauges import Gauge
from cislens.sequences.container import BASES
from cislens_squid.gauge import Parameters, expanded, fixed, single_terms
from cislens_squid.genotype import LinearMap
from cislens_squid.library import Library
from cislens_squid.mutagenesis import all_single_mutants, changed
from cislens_squid.ridge import RIDGE
from cislens_squid.surrogate import Surrogate
from cislens_squid.uncertainty import LARGEST, covariance

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
DRAWN = 500  # held-out variants whose answers are drawn beside the curve
CURVE = 100  # points of the curve
INTERVAL = 0.95  # share of the answers between the two curves


@dataclass(frozen=True, eq=False)
class Described:
    """Hold what one surrogate says of one sequence and target.

    Parameters
    ----------
    values, errors : (length, 4)
        The single terms in the gauge asked for, and their standard errors; zero outside the sites that can change.
    curve
        Rows of the report's table `curves`, without target and sequence.
    interactions
        Rows of the report's table `interactions`, without target and sequence, the strongest first.
    measures
        Of the fit.
    """

    values: Array
    errors: Array
    curve: pd.DataFrame
    interactions: pd.DataFrame
    measures: dict[str, float]


def describe(surrogate: Surrogate, library: Library, y: Array, gauge: Gauge, strongest: int) -> Described:
    """Describe a surrogate; y (n,) are the answers of the library.

    Of a map that is not linear, the single terms are by how much each single substitution of the wild type changes the
    latent phenotype, without standard errors.
    """
    length, frequencies = library.frames.shape[-1], base_frequencies(library, gauge)
    linear, theta = linear_of(surrogate, library)
    parameters = fixed(linear, expanded(linear, theta, library.wild), frequencies)
    values, errors = np.zeros((length, 4)), np.zeros((length, 4))
    values[library.sites] = parameters.singles
    errors[library.sites] = standard_errors(surrogate, library, y, frequencies)
    return Described(
        values,
        errors,
        curve_table(surrogate, y),
        interaction_table(linear, parameters, library.sites, strongest),
        {**asdict(surrogate.quality), "iterations": float(surrogate.fit.iterations)},
    )


def linear_of(surrogate: Surrogate, library: Library) -> tuple[LinearMap, Array]:
    """Return the map and its parameters, or those of the additive map that agrees with it on all single mutants."""
    if isinstance(surrogate.genotype, LinearMap):
        return surrogate.genotype, surrogate.theta
    mutants = all_single_mutants(library.width).after_wild_type()
    singles = replace(library, frames=np.atleast_2d(library.frames)[0], substitutions=mutants)
    latent = surrogate.latent(surrogate.genotype.design(singles))
    return LinearMap(library.width), latent[1:] - latent[0]


def base_frequencies(library: Library, gauge: Gauge) -> Array:
    """Return the base frequencies (width, 4) whose hierarchical gauge is asked for."""
    wild = np.eye(4)[library.wild]
    if gauge == "wild-type":
        return wild
    if gauge == "uniform":
        return np.full((library.width, 4), 0.25)
    held = library.substitutions
    bases = changed(library.wild[held.sites], held.changes)
    counts = np.bincount(4 * held.sites + bases, minlength=wild.size).reshape(wild.shape)
    return np.asarray((counts + wild * (len(library) - counts.sum(1, keepdims=True))) / len(library))


def standard_errors(surrogate: Surrogate, library: Library, y: Array, frequencies: Array) -> Array:
    """Return the standard errors (width, 4) of the single terms; NaN where there are none to be had."""
    genotype, of_theta = surrogate.genotype, covariance_of(surrogate, library, y)
    if not isinstance(genotype, LinearMap) or of_theta is None:
        return np.full((library.width, 4), np.nan)
    turn = single_terms(genotype, library.wild, frequencies)
    variances = np.einsum("ij,jk,ik->i", turn, of_theta, turn, optimize=True)
    return np.asarray(np.sqrt(np.maximum(variances, 0)).reshape(-1, 4))


def covariance_of(surrogate: Surrogate, library: Library, y: Array) -> Array | None:
    """Return the covariance (size, size) of the parameters in the target's unit; None where there is none to be had."""
    genotype = surrogate.genotype
    if not isinstance(genotype, LinearMap) or genotype.size > LARGEST:
        return None
    # Ridge is fitted to what would stop another fit, too.
    fitted = np.concatenate(surrogate.split[: 2 if surrogate.form is RIDGE else 1])
    design = genotype.design(library).take(fitted)
    of_theta = covariance(surrogate.form, surrogate.fit, design, (y[fitted] - surrogate.mean) / surrogate.spread)
    return None if of_theta is None else surrogate.scale**2 * of_theta


def curve_table(surrogate: Surrogate, y: Array) -> pd.DataFrame:
    """Return the curve with the interval of the noise, and held-out answers behind it."""
    import pandas as pd

    held = surrogate.split[2][:DRAWN]
    latent, wild = surrogate.phenotypes[held], surrogate.phenotypes[:1]
    line = np.linspace(latent.min(), latent.max(), CURVE)
    tail = (1 - INTERVAL) / 2
    shown = [("held out", latent, y[held]), ("wild type", wild, y[:1])]
    rows = [pd.DataFrame({"kind": kind, "latent": at, "value": value}) for kind, at, value in shown]
    curve = pd.DataFrame({"kind": "surrogate", "latent": line, "value": surrogate.most_probable(line)})
    curve["lower"], curve["upper"] = surrogate.quantile(tail, line), surrogate.quantile(1 - tail, line)
    return pd.concat([curve, *rows], ignore_index=True)


def interaction_table(genotype: LinearMap, parameters: Parameters, sites: Array, strongest: int) -> pd.DataFrame:
    """Return the pair terms as rows, the largest in size first and no more than asked for."""
    import pandas as pd

    values = parameters.pairs.ravel()
    kept = np.argsort(-np.abs(values), kind="stable")[:strongest]
    pair, first_base, second_base = np.unravel_index(kept, parameters.pairs.shape)
    first, second = genotype.pair_sites() if genotype.pairs else (np.empty(0, int), np.empty(0, int))
    letters = np.array(list(BASES))
    return pd.DataFrame(
        {
            "position_1": sites[first[pair]],
            "base_1": letters[first_base],
            "position_2": sites[second[pair]],
            "base_2": letters[second_base],
            "value": values[kept],
        }
    )
