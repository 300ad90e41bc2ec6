"""Seqlets: the places of a map that are larger than the map's own values would make by chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.spans import cover

Array = npt.NDArray[Any]
NULL_VALUES = 1_000_000  # drawn positions that a threshold is measured on, for small sets over several rounds
MOST_ROUNDS = 50
PASSES = 2  # what the first one calls is left out of the null of the second one
# Of the map's root mean square. Where a map is nearly all of one sign, specks of the other have no null to speak of.
LEAST = 0.25


@dataclass(frozen=True, eq=False)
class Seqlets:
    """Hold places of n sequences around which a map is large, the largest first.

    Parameters
    ----------
    row, centre : (s,)
        The sequence of each and the position of its middle, 0-based.
    score : (s,)
        The mean contribution there, weighted by the window, in root mean squares of the map.
    threshold
        The score that each must reach; infinite where none can.
    """

    row: Array
    centre: Array
    score: Array
    threshold: float

    def __len__(self) -> int:
        return len(self.row)


def call_seqlets(values: Array, window: int, rate: float, rng: np.random.Generator) -> Seqlets:
    """Return the peaks of a map that pass a threshold, which is measured on the map itself.

    The map is smoothed with a Hann window, whose maximum lies in the middle of a site also where the map is level
    there. The null are the peaks of maps whose positions are drawn at random from the same sequence: they have the
    values of the map and its zeros, but not their places. What is called by that is left out of the null of a second
    pass, since a site's values are no chance. The threshold is the lowest at which at most the share `rate` of the
    peaks is expected by chance.

    Contributions are measured in root mean squares of the map, half of the sequence's own and half of all: so a strong
    sequence's chance peaks do not hide the sites of a weak one, and one of which the map says nearly nothing is not
    blown up.

    Parameters
    ----------
    values : (n, length)
        Contributions, those that are looked for positive.
    window
        Width of the window in bp.
    rate
        False-discovery rate, 0 to 1.
    rng
        Of the null.
    """
    values = values / spread(values)
    row, centre, score = peaks(values, window)
    reach, length = window // 2, values.shape[1]
    called = np.zeros(values.shape, bool)
    kept, threshold = np.empty(0, int), math.inf
    for _ in range(PASSES):
        null = [peaks(chance, window)[2] for chance in null_maps(values, called, rng)]
        threshold = max(LEAST, threshold_at(score, null, rate))
        kept = np.flatnonzero(score >= threshold)
        cover(called, row[kept], np.maximum(centre[kept] - reach, 0), np.minimum(centre[kept] + reach + 1, length))
    kept = kept[np.argsort(-score[kept], kind="stable")]
    return Seqlets(row[kept], centre[kept], score[kept], threshold)


def null_maps(values: Array, called: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Yield maps (n, length) of chance: each position's value is that of a random one of the same sequence.

    Parameters
    ----------
    values : (n, length)
        The map; small ones are drawn from more often.
    called : (n, length)
        Positions that are known to be no chance, which are not drawn.
    """
    order = np.argsort(called, axis=1, kind="stable")
    left = (~called).sum(1, keepdims=True)
    for _ in range(max(1, min(MOST_ROUNDS, math.ceil(NULL_VALUES / max(values.size, 1))))):
        drawn = np.take_along_axis(order, (rng.random(values.shape) * left).astype(np.intp), axis=1)
        yield np.where(left > 0, np.take_along_axis(values, drawn, axis=1), 0)


def spread(values: Array) -> Array:
    """Return the root mean square of each sequence's map, joined with that of all, (n, 1)."""
    square = np.square(values, dtype=np.float64).mean(1, keepdims=True)
    return np.asarray(np.sqrt(np.maximum(square + square.mean(), np.finfo(float).tiny)))


def peaks(values: Array, window: int) -> tuple[Array, Array, Array]:
    """Return row, position and height of the positive local maxima of a smoothed map, half a window apart at least."""
    from scipy.ndimage import convolve1d, maximum_filter1d  # type: ignore[import-untyped]

    kernel = np.hanning(window + 2)[1:-1]
    smooth = convolve1d(np.asarray(values, np.float64), kernel / kernel.sum(), axis=1, mode="constant")
    # Sums of zeros and of what cancels leave rounding errors, which are no peaks.
    least = 1e-9 * max(np.abs(values).max(initial=0), np.finfo(float).tiny)
    reach = window // 2
    top = smooth >= maximum_filter1d(smooth, 2 * reach + 1, axis=1, mode="constant")
    row, centre = np.nonzero(top & (smooth > least))
    # On a level stretch every position is a maximum: its first one stands for it.
    repeated = (np.diff(row, prepend=-1) == 0) & (np.diff(centre, prepend=-1) <= reach)
    row, centre = row[~repeated], centre[~repeated]
    return row, centre, smooth[row, centre]


def threshold_at(scores: Array, null: Sequence[Array], rate: float) -> float:
    """Return the lowest score at which the expected share of chance among what reaches it is at most `rate`.

    Parameters
    ----------
    scores
        What was found.
    null
        What each round of chance gave. One more is counted, so that few scores are not trusted for want of a null.
    """
    by_chance = np.sort(np.concatenate(null))
    ordered = np.sort(scores)[::-1]
    chance = len(by_chance) - np.searchsorted(by_chance, ordered, "left") + 1
    passed = np.flatnonzero(chance / len(null) <= rate * np.arange(1, len(ordered) + 1))
    return float(ordered[passed[-1]]) if len(passed) else math.inf
