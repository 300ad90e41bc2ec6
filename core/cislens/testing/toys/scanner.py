"""What a motif scores along a sequence, pooled to one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cislens.oracle.base import Array
from cislens.testing.toys.windows import convolve, log_sum_exp, sigmoid, transposed_convolution

Pool = Literal["max", "sum"]
# From the slope of each sequence's score (n,) to the gradient (n, length, 4).
ScorePullback = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Scanner:
    """Score the windows of the strand that is given, and pool them.

    Parameters
    ----------
    pwm : (width, 4)
        Scores of the motif.
    pool
        "max": the score of the best window counts. "sum": the log of the sum of e to the score over all windows, as
        of sites that are bound one at a time.
    """

    pwm: Array
    pool: Pool = "sum"

    def windows(self, x: Array) -> Array:
        """Return the score of each window, (n, length - width + 1)."""
        return np.asarray(convolve(x, self.pwm[None])[..., 0])

    def pooled(self, scores: Array) -> Array:
        """Return the one score of windows along the last axis."""
        return np.asarray(scores.max(-1)) if self.pool == "max" else log_sum_exp(scores)

    def score(self, x: Array) -> Array:
        """Return the score of each sequence, (n,)."""
        return self.pooled(self.windows(x))

    def linearize(self, x: Array) -> tuple[Array, ScorePullback]:
        """Return the score of each sequence and its pullback."""
        windows = self.windows(x)
        score = self.pooled(windows)
        if self.pool == "max":
            share = np.asarray(np.arange(windows.shape[1]) == windows.argmax(1)[:, None], np.float64)
        else:
            share = np.exp(windows - score[:, None])

        return score, lambda slope: self.pull(share * slope[:, None], x.shape[1])

    def pull(self, slopes: Array, length: int) -> Array:
        """Return the gradient (n, length, 4) from the slope of each window, (n, length - width + 1)."""
        return transposed_convolution(slopes[..., None], self.pwm[None], length)

    def substituted(self, x: Array) -> Array:
        """Return the score after each substitution, (n, length, 4), of one-hot sequences.

        A substitution touches only the windows that cover it, which gives all of them in closed form.
        """
        scores = self.windows(x)
        after = np.zeros(x.shape)
        for i in range(x.shape[1]):
            windows = np.arange(max(0, i - len(self.pwm) + 1), min(scores.shape[1], i + 1))
            entries = self.pwm[i - windows]  # (windows, 4)
            changed = np.repeat(scores[:, None], 4, axis=1)  # (n, 4, all windows)
            changed[:, :, windows] += entries.T - (x[:, i] @ entries.T)[:, None]
            after[:, i] = self.pooled(changed)
        return after


@dataclass(frozen=True, eq=False)
class BothStrands(Scanner):
    """Score the windows of both strands, and pool them; a sequence and its reverse complement score exactly the same.

    The strands are scored by the same sums in the same order and only then pooled by a step in which they may change
    places, so that not even the last bit differs.
    """

    def windows(self, x: Array) -> Array:
        """Return the score of each window of the strand given, (n, length - width + 1)."""
        return super().windows(np.ascontiguousarray(x))  # numpy sums in the order in which values lie in memory

    def score(self, x: Array) -> Array:
        """Return the score of each sequence, (n,)."""
        return self._of_both(super().score(x), super().score(reverse_complement(x)))

    def linearize(self, x: Array) -> tuple[Array, ScorePullback]:
        """Return the score of each sequence and its pullback."""
        given, pull_given = super().linearize(x)
        turned, pull_turned = super().linearize(reverse_complement(x))

        def pullback(slope: Array) -> Array:
            one, other = self._share(given - turned) * slope, self._share(turned - given) * slope
            return pull_given(one) + reverse_complement(pull_turned(other))

        return self._of_both(given, turned), pullback

    def _share(self, lead: Array) -> Array:
        """Return the slope of the pooled score in that of the strand which leads by this much, half where they tie."""
        return np.heaviside(lead, 0.5) if self.pool == "max" else sigmoid(lead)

    def substituted(self, x: Array) -> Array:
        """Return the score after each substitution, (n, length, 4), of one-hot sequences."""
        turned = reverse_complement(super().substituted(reverse_complement(x)))
        return self._of_both(super().substituted(x), turned)

    def _of_both(self, given: Array, turned: Array) -> Array:
        return np.asarray(np.maximum(given, turned) if self.pool == "max" else np.logaddexp(given, turned))


def reverse_complement(x: Array) -> Array:
    """Return (..., length, 4) as it reads on the other strand."""
    return np.ascontiguousarray(x[..., ::-1, ::-1])
