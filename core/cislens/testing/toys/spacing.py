"""An oracle that prefers two motifs at a spacing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from cislens.errors import CislensError
from cislens.oracle.base import Array, Outputs, Pullback
from cislens.oracle.head import Head
from cislens.sequences import Sequences
from cislens.testing.toys.known import SPACED, Knowledge, Pair, Sought
from cislens.testing.toys.scanner import Scanner
from cislens.testing.toys.toy import Toy, plant, random_onehot
from cislens.testing.toys.windows import log_sum_exp, sigmoid
from cislens.truth import Rule

MIDPOINT = 20.0  # of the pair's score, about three quarters of that of two best sites
SLOPE = 0.5


class SpacingToy(Toy):
    """Answer to two motifs that stand at the preferred spacing, and ever less to others.

    Every pair of a window of the first and one of the second after it scores the sum of both, less
    (gap - preferred)^2 / (2 tolerance^2) for the bp between them; the log of the sum of e to that, over all pairs, goes
    through a sigmoid with midpoint 20 and slope 0.5. Pairs that overlap or stand in the other order do not count.
    `response` gives the answer to two best sites at each gap, and `spacings` are the gaps where that is above a half.
    A sequence is positive where one pair alone scores above the midpoint.

    Parameters
    ----------
    pwms
        Scores of the motifs "first" and "second", each (width, 4).
    length
        Length in bp.
    preferred
        The preferred gap, in bp.
    tolerance
        How far, in bp, a gap may be from it.

    Raises
    ------
    CislensError
        If no gap lets two best sites be answered with more than a half.
    """

    def __init__(self, pwms: tuple[Array, Array], length: int, preferred: int = 5, tolerance: float = 1.0) -> None:
        self.scanners = tuple(Scanner(np.asarray(pwm, np.float64)) for pwm in pwms)
        self.preferred, self.tolerance = preferred, tolerance
        first, second = (scanner.pwm for scanner in self.scanners)
        gaps = np.arange(length - len(first) - len(second) + 1)
        self.spacings = tuple(int(gap) for gap in gaps[self.response(gaps) > 0.5])
        if not self.spacings:
            raise CislensError(
                f"two best sites must score above {MIDPOINT} together, got {self._best():.3g} at most: use larger pwms"
            )
        sought = (
            Sought.of_pwm("first", first, MIDPOINT - second.max(1).sum()),  # with less there is no pair that counts
            Sought.of_pwm("second", second, MIDPOINT - first.max(1).sum()),
        )
        distances = {gap + len(first): float(self.preference(np.array(gap))) for gap in self.spacings}
        pair = Pair("first", "second", "and", distances, least=MIDPOINT)
        self.knowledge = Knowledge(sought, {SPACED: Rule(SPACED)}, (pair,))
        super().__init__("spacing toy", [Head("value", (), (), scale="probability")], length)

    def _arrays(self) -> Iterable[Array]:
        return [*(scanner.pwm for scanner in self.scanners), np.array([self.preferred, self.tolerance])]

    def _best(self) -> float:
        return float(sum(scanner.pwm.max(1).sum() for scanner in self.scanners))

    def preference(self, gap: Array) -> Array:
        """Return what a pair scores for the bp between its motifs."""
        return np.where(gap < 0, -np.inf, -(((gap - self.preferred) / self.tolerance) ** 2) / 2)

    def response(self, gap: Array) -> Array:
        """Return the answer to two best sites with these bp between them, and nothing else."""
        return sigmoid(SLOPE * (self._best() + self.preference(gap) - MIDPOINT))

    def _pairs(self, first: Array, second: Array) -> Array:
        gap = np.arange(second.shape[1]) - np.arange(first.shape[1])[:, None] - len(self.scanners[0].pwm)
        return first[:, :, None] + second[:, None] + self.preference(gap)

    def _predict(self, x: Array) -> Outputs:
        pairs = self._pairs(*(scanner.windows(x) for scanner in self.scanners))
        return {"value": sigmoid(SLOPE * (log_sum_exp(pairs, (1, 2)) - MIDPOINT))}

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        windows = [scanner.windows(x) for scanner in self.scanners]
        pairs = self._pairs(*windows)
        score = log_sum_exp(pairs, (1, 2))
        value = sigmoid(SLOPE * (score - MIDPOINT))
        share = np.exp(pairs - score[:, None, None])

        def pullback(cotangent: Mapping[str, Array]) -> Array:
            slope = cotangent.get("value", np.zeros(len(x))) * SLOPE * value * (1 - value)
            parts = zip(self.scanners, (share.sum(2), share.sum(1)), strict=True)
            return sum((scanner.pull(part * slope[:, None], x.shape[1]) for scanner, part in parts), np.zeros(x.shape))

        return {"value": value}, pullback

    def examples(self, n: int, rng: np.random.Generator) -> Sequences:
        """Return random sequences with the best sites of both motifs at a spacing that counts, at a random place."""
        return self.spaced(rng.choice(self.spacings, n), rng)

    def spaced(self, gaps: Array, rng: np.random.Generator) -> Sequences:
        """Return random sequences, in each the best sites of both motifs with these bp between, at a random place."""
        assert self.length is not None
        onehot = random_onehot(len(gaps), self.length, rng)
        first, second = (scanner.pwm for scanner in self.scanners)
        starts = rng.integers(0, self.length - len(first) - len(second) - gaps + 1)
        plant(onehot, starts, first.argmax(1))
        plant(onehot, starts + len(first) + gaps, second.argmax(1))
        return Sequences.from_onehot(onehot)
