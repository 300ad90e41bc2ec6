"""Motif instances: sampled from a motif's probabilities, its best sequence, or those that match well enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.sequences.codes import Codes
from cislens.simulation.grammar import Instances
from cislens.simulation.matching import SLACK, relative_score

Array = npt.NDArray[Any]
MOST_WORDS = 1 << 16  # up to so many, the share of instances that reach a fraction is counted word by word
UNIT = 1e-4  # of match scores summed over columns, to which more words are rounded
RAREST = 1e-4  # share of a motif's samples that must reach the fraction asked for


class InstanceSampler:
    """Draw instances of one motif.

    Parameters
    ----------
    motif
        Probabilities.
    instances
        As `Grammar.instances`.

    Raises
    ------
    CislensError
        If hardly any sample would reach the fraction.
    """

    def __init__(self, motif: Motif, instances: Instances) -> None:
        self.matrix = motif.probabilities()
        if instances == "best":
            self.matrix = np.eye(4)[self.matrix.argmax(1)]
        self.fraction = 0.0 if isinstance(instances, str) else float(instances)
        self.accepted = _share_reaching(self.matrix, self.fraction)
        if self.accepted < RAREST:
            raise CislensError(
                f"instances of motif {motif.id!r} must reach {self.fraction} of the best match, but only a share of "
                f"{self.accepted:.1e} of its samples does: ask for a smaller fraction, or for instances='best'"
            )
        self._cumulated = self.matrix.cumsum(1)[:, :3]

    def sample(self, n: int, rng: np.random.Generator) -> Codes:
        """Return n instances (n, width) as they read on the motif's strand."""
        drawn = self._draw(n, rng)
        while True:
            failing = np.flatnonzero(relative_score(self.matrix, drawn) < self.fraction - SLACK)
            if not len(failing):
                return drawn
            drawn[failing] = self._draw(len(failing), rng)

    def _draw(self, n: int, rng: np.random.Generator) -> Codes:
        chance = rng.random((n, len(self.matrix), 1))
        # A base of probability 0 is never drawn: chance stays below the sum, whatever rounding makes of it.
        top = self._cumulated[:, -1:] + self.matrix[:, 3:]
        return np.asarray((chance * top >= self._cumulated).sum(-1, dtype=np.uint8))

    def likelihood(self, windows: Codes) -> Array:
        """Return the probability of each window (..., width) under this way of drawing."""
        p = self.matrix[np.arange(len(self.matrix)), windows].prod(-1)
        if self.fraction:
            score = self.matrix[np.arange(len(self.matrix)), windows].sum(-1) / self.matrix.max(1).sum()
            p = np.where(score >= self.fraction - SLACK, p, 0) / self.accepted
        return np.asarray(p)


def _share_reaching(matrix: Array, fraction: float) -> float:
    """Return the share of samples whose match score is at least a fraction of the best."""
    if fraction <= 0:
        return 1.0
    allowed = (1 - fraction + SLACK) * matrix.max(1).sum()
    losses: Array = np.zeros(1)  # against the best match, of the words that can still reach it
    chances: Array = np.ones(1)
    for column in matrix:
        losses = (losses[:, None] + column.max() - column).ravel()
        chances = (chances[:, None] * column).ravel()
        kept = (losses <= allowed) & (chances > 0)
        losses, chances = losses[kept], chances[kept]
        if len(losses) > MOST_WORDS:
            losses, place = np.unique(np.rint(losses / UNIT) * UNIT, return_inverse=True)
            chances = np.bincount(place, chances)
    return float(chances.sum())
