"""From surrogates of two elements to the table of syntax: interactions within and between them at each distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.report import TABLES
from cislens.syntax import Effects, logic_of
from cislens_squid.describing import covariance_of
from cislens_squid.genotype import LinearMap
from cislens_squid.global_library import Design
from cislens_squid.surrogate import Surrogate

if TYPE_CHECKING:
    import pandas as pd

    from cislens_squid.library import Library

Array = npt.NDArray[Any]
COLUMNS = (*TABLES["syntax"], "target", "interaction", "standard_error", "within_1", "within_2")


@dataclass(frozen=True, eq=False)
class Reading:
    """Hold what substitutions of a design do to the latent phenotype on average, in the target's unit.

    Parameters
    ----------
    effects : (width,)
        By how much a substitution at each site changes it.
    epistasis : (pairs,)
        What substitutions at two sites do together beyond the sum, in the order of `LinearMap.pair_sites`.
    covariance : (pairs, pairs)
        Of the epistases; NaN where there are too many parameters to work it out.
    """

    effects: Array
    epistasis: Array
    covariance: Array

    @classmethod
    def of(cls, surrogate: Surrogate, library: Library, y: Array) -> Reading:
        """Read a surrogate with a pairwise map that was fitted to the answers y (n,) of a library."""
        genotype, theta = surrogate.genotype, surrogate.theta
        assert isinstance(genotype, LinearMap)
        singles, pairs = genotype.singles, genotype.pairs
        of_theta, of_pairs = covariance_of(surrogate, library, y), np.full((pairs, pairs), np.nan)
        if of_theta is not None:
            of_pairs = of_theta[singles:, singles:].reshape(pairs, 9, pairs, 9).mean((1, 3))
        return cls(theta[:singles].reshape(-1, 3).mean(1), theta[singles:].reshape(-1, 9).mean(1), of_pairs)

    def mean(self, first: Array, second: Array) -> tuple[float, float]:
        """Return the mean epistasis of all pairs of a site of the one and a site of the other, and its error.

        Where both are the same sites, each two of them count once; NaN where there are no two.
        """
        one, two = (ends.ravel() for ends in np.meshgrid(first, second))
        if np.array_equal(first, second):
            one, two = one[one < two], two[one < two]
        held = LinearMap(len(self.effects), "pairwise").pair_index(np.minimum(one, two), np.maximum(one, two))
        if not len(held):
            return float("nan"), float("nan")
        variance = float(self.covariance[np.ix_(held, held)].mean())
        return float(self.epistasis[held].mean()), float(
            np.sqrt(max(variance, 0.0))
        ) if variance == variance else variance


def syntax_table(
    designs: Sequence[Design], readings: Sequence[Reading], critical: Sequence[Array], ids: Sequence[str], target: str
) -> pd.DataFrame:
    """Return a row for each design of two elements.

    The logic is named by `logic_of` from the mean effects of critical substitutions, as if one broke an element: of two
    elements that need each other one is nothing without the other, and so on; an interaction within two standard errors
    of none, or less than half of the largest effect, is "beside". support is the row's share of the sizes of the
    interactions, "beside" counted as none.

    Parameters
    ----------
    designs
        Two elements at different distances.
    readings
        One a design.
    critical
        Of each element the positions over which is summarised, as its word reads.
    ids
        Of the elements' motifs.
    target
        Whose they are.
    """
    import pandas as pd

    rows = [_row(design, reading, critical, ids, target) for design, reading in zip(designs, readings, strict=True)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    size = table["interaction"].abs().where(table["logic"] != "beside", 0.0)
    return table.assign(support=size / (size.sum() or 1.0))


def _row(
    design: Design, reading: Reading, critical: Sequence[Array], ids: Sequence[str], target: str
) -> tuple[str | float, ...]:
    sites = [_sites(design, which, critical[which]) for which in (0, 1)]
    between, error = reading.mean(*sites)
    effects = [float(reading.effects[held].mean()) for held in sites]
    one, two = (-effect - between for effect in effects)  # of either element where the other is broken
    logic, turned = logic_of(Effects(one, two, -sum(effects) - between, 0.0 if np.isnan(error) else error))
    within = [reading.mean(held, held)[0] for held in sites]
    pair, after = list(ids), design.starts[1] > design.starts[0]
    orientation = "+-" if design.elements[1].reverse else "++"
    if turned:
        pair, within = pair[::-1], within[::-1]
        after = after != (orientation == "++")  # read on the strand on which the other motif reads forward
    order = "1-2" if after else "2-1"
    return (*pair, order, orientation, float(design.spacing), logic, 0.0, target, between, error, *within)


def _sites(design: Design, which: int, positions: Array) -> Array:
    """Return the numbers, among the design's sites, of an element's positions that have a base of their own."""
    element = design.elements[which]
    along = len(element) - 1 - positions if element.reverse else positions
    held = np.intersect1d(design.starts[which] + along, design.places(which))
    return np.searchsorted(design.sites, held)
