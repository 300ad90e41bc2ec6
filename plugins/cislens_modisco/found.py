"""What modisco reads of a report, and what it found there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from cislens import Attributions
from cislens.gauges import project, to_gauge

if TYPE_CHECKING:
    from cislens_modisco.patterns import Seqlets
    from cislens_modisco.sites import Located

Array = npt.NDArray[Any]
LEAST_PASSING = 0.03  # of all windows, which modisco takes for seqlets whatever the rate says


@dataclass(frozen=True, eq=False)
class Map:
    """Hold the map of one target as modisco reads it.

    Parameters
    ----------
    onehot : (n, length, 4)
        The sequences.
    hypothetical : (n, length, 4)
        What each base would contribute more than the mean base, 0 at N. Where a report tells of the observed bases
        alone, what they contribute, and 0 for the others.
    contributions : (n, length)
        What the sequences' own bases contribute, 0 at N.
    """

    onehot: Array
    hypothetical: Array
    contributions: Array

    @classmethod
    def of(cls, attributions: Attributions, onehot: Array, t: int) -> Map:
        """Return the map of target t on sequences (n, length, 4)."""
        values = attributions.values[t]
        if attributions.hypothetical:
            hypothetical = to_gauge(values, "uniform")[0] * onehot.any(-1, keepdims=True)
        else:
            hypothetical = onehot * values.sum(-1, keepdims=True)
        return cls(onehot, hypothetical, project(hypothetical, onehot))


@dataclass(frozen=True, eq=False)
class Found:
    """Hold what was found of one target and sign.

    Parameters
    ----------
    name
        What ids of its motifs start with.
    target, order
        The target's name, and its place among the targets.
    seqlets
        All that were called, the largest first.
    located
        The motifs with their sites, those of most sites first.
    """

    name: str
    target: str
    order: int
    seqlets: Seqlets
    located: tuple[Located, ...]

    @property
    def numbers(self) -> dict[str, float]:
        """How many seqlets there were, and above which sum."""
        numbers = {"seqlets": len(self.seqlets), "seqlet threshold": self.seqlets.threshold}
        return {f"{self.name} {what}": float(number) for what, number in numbers.items() if math.isfinite(number)}

    @property
    def seqlets_text(self) -> str:
        """The same in words."""
        if self.seqlets.refusal:
            return f"no {self.name} seqlets, since modisco cannot fit its null to the map ({self.seqlets.refusal})"
        return f"{len(self.seqlets):,} {self.name} seqlets (sums above {self.seqlets.threshold:.2g})"
