"""What is tested of two motifs: whether they share sequences, where they stand, and what both do together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cislens.syntax.logic import Effects, effects_by_presence
from cislens.syntax.runs import Run, enriched_runs
from cislens.syntax.sites import Pairs, Sites
from cislens.syntax.spacing import SpacingCounts, spacing_counts

Array = npt.NDArray[Any]


class CoOccurrence(NamedTuple):
    """In how many sequences both motifs are, in how many they would be by chance, and how surprising that is."""

    both: int
    expected: float
    p_value: float


@dataclass(frozen=True, eq=False)
class Evidence:
    """Hold what was tested of two motifs.

    Parameters
    ----------
    motif_1, motif_2
        Indices into the motifs, the smaller first.
    together
        Whether they share sequences.
    effects
        What they do to the prediction by presence; None where that cannot be told.
    spacings
        Where they stand.
    runs
        Runs of spacings that hold too many pairs, and the first that does not.
    """

    motif_1: int
    motif_2: int
    together: CoOccurrence
    effects: Effects | None
    spacings: SpacingCounts
    runs: tuple[Run, ...]

    @property
    def p_values(self) -> tuple[float, ...]:
        """The p-values of the tests that were made: co-occurrence, interaction where it can be told, runs."""
        interaction = () if self.effects is None else (self.interaction_p_value,)
        return (self.together.p_value, *interaction, *(run.p_value for run in self.runs))

    @property
    def interaction_p_value(self) -> float:
        """That an interaction is as large by chance, two-sided and normal; 1 where it cannot be told."""
        from scipy.stats import norm  # type: ignore[import-untyped]

        if self.effects is None or self.effects.interaction == 0:
            return 1.0
        if self.effects.error == 0:
            return 0.0
        return float(2 * norm.sf(abs(self.effects.interaction) / self.effects.error))


@dataclass(frozen=True, eq=False)
class Counted:
    """Hold the instances of a report counted by sequence, and their pairs, for the tests of all motifs.

    Parameters
    ----------
    sites
        The instances.
    held : (n, motifs)
        How many of each motif in each sequence.
    pairs
        Every two instances of one sequence.
    spacings : (d,)
        The bp between two motifs that are looked at.
    predictions : (n,) or None
        Of one target.
    """

    sites: Sites
    held: Array
    pairs: Pairs
    spacings: Array
    predictions: Array | None

    def evidence(self, motif_1: int, motif_2: int, bound: float) -> Evidence:
        """Test two motifs; runs are looked for until one has a p-value above the bound."""
        same = motif_1 == motif_2
        count_1, count_2 = self.held[:, motif_1], self.held[:, motif_2]
        effects = None
        if self.predictions is not None:
            effects = effects_by_presence(self.predictions, count_1, count_2, same=same)
        spacings = spacing_counts(self.sites, self.pairs, motif_1, motif_2, self.spacings)
        runs = tuple(enriched_runs(spacings.count, np.stack([spacings.expected, spacings.anywhere]), bound))
        together = _shared(count_1) if same else _together(count_1 > 0, count_2 > 0)
        return Evidence(motif_1, motif_2, together, effects, spacings, runs)


def _together(first: Array, second: Array) -> CoOccurrence:
    """Test whether two motifs share sequences more often than if each chose its sequences alone (hypergeometric)."""
    from scipy.stats import hypergeom

    n, both = len(first), int((first & second).sum())
    p_value = float(hypergeom.sf(both - 1, n, int(first.sum()), int(second.sum())))
    return CoOccurrence(both, float(first.sum() * second.sum() / max(n, 1)), p_value)


def _shared(count: Array) -> CoOccurrence:
    """Test whether more sequences hold a motif twice than if each instance chose its sequence alone (binomial)."""
    from scipy.stats import binom

    n, instances, both = len(count), int(count.sum()), int((count > 1).sum())
    chance = float(binom.sf(1, instances, 1 / max(n, 1)))
    return CoOccurrence(both, n * chance, float(binom.sf(both - 1, n, chance)))
