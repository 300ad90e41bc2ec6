"""From surrogates of two elements to the table of syntax: interactions within and between them at each distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.report import TABLES
from cislens.syntax.logic import Effects, effects_by_presence, logic_of
from cislens_squid.describing import covariance_of
from cislens_squid.genotype import LinearMap
from cislens_squid.global_library import Design
from cislens_squid.surrogate import Surrogate

if TYPE_CHECKING:
    import pandas as pd

    from cislens_squid.library import Library

Array = npt.NDArray[Any]
COLUMNS = (
    *TABLES["syntax"],
    "target",
    "interaction",
    "standard_error",
    "within_1",
    "within_2",
    "effect_1",
    "effect_2",
    "effect",
)


@dataclass(frozen=True, eq=False)
class Reading:
    """Hold what pairs of substitutions of a design do to the latent phenotype on average, in the target's unit.

    Parameters
    ----------
    library, answers
        What the surrogate was fitted to; answers (n,).
    epistasis : (pairs,)
        What substitutions at two sites do together beyond the sum, in the order of `LinearMap.pair_sites`.
    covariance : (pairs, pairs)
        Of the epistases; NaN where there are too many parameters to work it out, and where all pair terms are zero.
    """

    library: Library
    answers: Array
    epistasis: Array
    covariance: Array

    @classmethod
    def of(cls, surrogate: Surrogate, library: Library, y: Array) -> Reading:
        """Read a surrogate with a pairwise map that was fitted to the answers y (n,) of a library."""
        genotype, theta = surrogate.genotype, surrogate.theta
        assert isinstance(genotype, LinearMap)
        singles, pairs = genotype.singles, genotype.pairs
        of_theta, of_pairs = covariance_of(surrogate, library, y), np.full((pairs, pairs), np.nan)
        # Where pair terms make validation variants no likelier the additive fit is kept, which is no estimate of them.
        if of_theta is not None and theta[singles:].any():
            of_pairs = of_theta[singles:, singles:].reshape(pairs, 9, pairs, 9).mean((1, 3))
        return cls(library, y, theta[singles:].reshape(-1, 9).mean(1), of_pairs)

    @property
    def fitted(self) -> bool:
        """Whether there is any pair term."""
        return bool(self.epistasis.any())

    def mean(self, first: Array, second: Array) -> tuple[float, float]:
        """Return the mean epistasis of all pairs of a site of the one and a site of the other, and its error.

        Where both are the same sites, each two of them count once; NaN where there are no two.
        """
        one, two = (ends.ravel() for ends in np.meshgrid(first, second))
        if np.array_equal(first, second):
            one, two = one[one < two], two[one < two]
        held = LinearMap(self.library.width, "pairwise").pair_index(np.minimum(one, two), np.maximum(one, two))
        if not len(held):
            return float("nan"), float("nan")
        error = np.sqrt(np.maximum(self.covariance[np.ix_(held, held)].mean(), 0))
        return float(self.epistasis[held].mean()), float(error)

    def effects(self, first: Array, second: Array) -> Effects | None:
        """Return what either element, and both, add to the answer where the other is broken at one of its sites.

        None where hardly any variant has both unbroken, or both broken.
        """
        one, two = (self._unbroken(sites) for sites in (first, second))
        return effects_by_presence(self.answers, one, two, same=False)

    def _unbroken(self, sites: Array) -> Array:
        """Return 1 for each variant without a substitution at some sites, 0 for others, (n,)."""
        held = self.library.substitutions
        variants = np.repeat(np.arange(len(held)), held.counts)
        return np.asarray(np.bincount(variants[np.isin(held.sites, sites)], minlength=len(held)) == 0, np.int64)


def syntax_table(
    designs: Sequence[Design], readings: Sequence[Reading], critical: Sequence[Array], ids: Sequence[str], target: str
) -> pd.DataFrame:
    """Return a row for each design of two elements.

    The logic is named by `logic_of` from the mean answers to variants in which both elements, either one, or none of
    them are without a substitution at critical positions; `effect_1`, `effect_2` and `effect` are how far these are
    from the last. support is the row's share of the sizes of the interactions, "beside" counted as none.

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
    effects = reading.effects(*sites) or Effects(*[float("nan")] * 4)
    logic, turned = logic_of(effects) if np.isfinite(effects.both) else ("beside", False)
    alone = [effects.one, effects.two]
    within = [reading.mean(held, held)[0] for held in sites]
    pair, after = list(ids), design.starts[1] > design.starts[0]
    orientation = "+-" if design.elements[1].reverse else "++"
    if turned:
        pair, within, alone = pair[::-1], within[::-1], alone[::-1]
        after = after != (orientation == "++")  # read on the strand on which the other motif reads forward
    order = "1-2" if after else "2-1"
    told: tuple[str | float, ...] = (*pair, order, orientation, float(design.spacing), logic, 0.0, target)
    return (*told, between, error, *within, *alone, effects.both)


def _sites(design: Design, which: int, positions: Array) -> Array:
    """Return the numbers, among the design's sites, of an element's positions that have a base of their own."""
    element = design.elements[which]
    along = len(element) - 1 - positions if element.reverse else positions
    held = np.intersect1d(design.starts[which] + along, design.places(which))
    return np.searchsorted(design.sites, held)
