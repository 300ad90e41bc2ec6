"""How well windows match a motif: log-odds, and how often chance matches as well."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.motif import Motif

Array = npt.NDArray[Any]
STEPS = 1000  # of the grid, from the lowest to the highest entry of the log-odds
PSEUDOCOUNT = 1.0  # of counts, in all
LEAST_SHARE = 1e-3  # of the background that every base of a position has, so that log-odds are finite
NO_MATCH = -(2**30)  # the grid score of a window that holds N or does not lie in the sequence


@dataclass(frozen=True, eq=False)
class Matching:
    """Score windows by a motif's log-odds, rounded to a grid, on which p-values are exact.

    Parameters
    ----------
    motif
        Counts, probabilities or weights; a reverse complement reads the other strand.
    """

    motif: Motif

    @cached_property
    def odds(self) -> Array:
        """Return the log2 odds (width, 4) against the motif's background."""
        background = np.asarray(self.motif.background)
        p = self.motif.probabilities(PSEUDOCOUNT) * (1 - LEAST_SHARE) + LEAST_SHARE * background
        return np.asarray(np.log2(p / background))

    @cached_property
    def step(self) -> float:
        """How many bits a step of the grid is."""
        return float(np.ptp(self.odds)) / STEPS or 1.0

    @cached_property
    def grid(self) -> Array:
        """Return the log-odds in whole steps, (width, 4)."""
        return np.asarray(np.rint(self.odds / self.step), np.int64)

    def scores(self, codes: Array) -> Array:
        """Return the grid score of the window at each start, (n, length - width + 1).

        Parameters
        ----------
        codes : (n, length)
            0 to 3 for ACGT, 4 for N.
        """
        width = len(self.grid)
        table = np.column_stack([self.grid, np.full(width, NO_MATCH // width)]).astype(np.int32)
        starts = max(codes.shape[1] - width + 1, 0)
        scores = np.zeros((len(codes), starts), np.int32)
        for column, entries in enumerate(table):
            scores += entries[codes[:, column : column + starts]]
        return scores

    @cached_property
    def survival(self) -> Array:
        """Return the chance that a background window scores at least so much, for each score from the lowest on."""
        background = np.asarray(self.motif.background) / sum(self.motif.background)
        chances = np.ones(1)
        for column in self.grid - self.grid.min(1, keepdims=True):
            longer = np.zeros(len(chances) + int(column.max()))
            for steps, share in zip(column, background, strict=True):
                longer[steps : steps + len(chances)] += share * chances
            chances = longer
        return np.asarray(np.cumsum(chances[::-1])[::-1])

    def p_values(self, scores: Array) -> Array:
        """Return the chance that a window drawn from the background scores at least as much; 1 where none is read."""
        return np.asarray(self.survival[np.maximum(scores - self._lowest, 0)])

    def least(self, p_value: float) -> int:
        """Return the lowest grid score whose p-value is at most this; of a motif too short for that, the best one."""
        return self._lowest + min(int((self.survival > p_value).sum()), len(self.survival) - 1)

    @property
    def _lowest(self) -> int:
        return int(self.grid.min(1).sum())
