"""Two passes over sequences, a few at a time: what a unit's largest value is, and what it saw near it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cislens import Sequences, Targeted
from cislens.context import Progress
from cislens_filters.units import Units

Array = npt.NDArray[Any]
BLOCK = 64  # sequences


class Seen(NamedTuple):
    """What the units of a layer see: the extremes of their values, (units,), and counts of bases, (units, width, 4)."""

    smallest: Array
    largest: Array
    counts: Array


@dataclass(frozen=True)
class Active:
    """Say which windows activate a unit: those where its value is above 0, and large.

    Parameters
    ----------
    share
        Of its largest value over all windows; as large are those that count.
    least
        How many windows, those of its largest values, count all the same where fewer are as large.
    best_only
        Whether of each sequence only the window of its largest value may count, the first of several.
    """

    share: float
    least: int
    best_only: bool

    def ranked(self, values: Array) -> Array:
        """Return the values (n, positions, units) of windows that may count, minus infinity for the others.

        Windows whose value is NaN never do.
        """
        known = np.where(np.isnan(values), -np.inf, values)
        if not self.best_only:
            return known
        best = np.arange(values.shape[1])[:, None] == known.argmax(1)[:, None] if values.shape[1] else True
        return np.asarray(np.where(best, known, -np.inf))

    def top(self, ranked: Array) -> Array:
        """Return the largest values of each unit, (least, units), one at least; the first is the smallest of them."""
        flat = ranked.reshape(-1, ranked.shape[-1])
        kept = max(self.least, 1)
        padded = np.concatenate([np.full((kept, flat.shape[1]), -np.inf), flat])
        return np.asarray(np.partition(padded, -kept, axis=0)[-kept:])

    def threshold(self, top: Array) -> Array:
        """Return the least value of a window that counts, (units,), from `top` of all windows."""
        asked = self.share * top.max(0)
        return np.asarray(np.minimum(asked, top[0]) if self.least else asked)


def seen(oracle: Targeted, units: Units, sequences: Sequences, active: Active, progress: Progress) -> Seen:
    """Return the bases of the windows that activate each unit.

    Windows that reach over an end or hold N are left out of both passes.
    """
    total = 2 * len(sequences)
    smallest, top = np.array(np.inf), np.empty((0, 0))
    for done, (_, values) in enumerate(_blocks(oracle, units, sequences), 1):
        smallest = np.minimum(smallest, np.where(np.isnan(values), np.inf, values).min((0, 1), initial=np.inf))
        found = active.top(active.ranked(values))
        top = active.top(np.concatenate([top, found])) if top.size else found
        progress(min(done * BLOCK, len(sequences)), total)
    counts = np.zeros((top.shape[1], units.width, 4), np.int64)
    for done, (windows, values) in enumerate(_blocks(oracle, units, sequences), 1):
        ranked = active.ranked(values)
        counts += _counted((ranked > 0) & (ranked >= active.threshold(top)), windows, units)
        progress(len(sequences) + min(done * BLOCK, len(sequences)), total)
    return Seen(smallest, top.max(0), counts)


def _blocks(oracle: Targeted, units: Units, sequences: Sequences) -> Iterator[tuple[Array, Array]]:
    """Yield the bases from the first window on, and the units' values, NaN where a window holds N."""
    for block in sequences.blocks(BLOCK):
        values = oracle.activations(block.onehot, units.read, pre=False)
        inside = units.inside(block.length, values.shape[1])
        first = units.offset + inside.start * units.step if len(inside) else 0
        bases = block.onehot[:, first:]
        unknown = np.pad(np.cumsum(~bases.any(-1), axis=1), ((0, 0), (1, 0)))
        starts = np.arange(len(inside)) * units.step
        whole = unknown[:, starts + units.width] == unknown[:, starts]
        yield bases, np.where(whole[..., None], values[:, inside.start : inside.stop], np.nan)


def _counted(taken: Array, bases: Array, units: Units) -> Array:
    """Return how often each base stands at each place of the windows taken, (units, width, 4)."""
    n, positions, number = taken.shape
    flat = taken.reshape(n * positions, number).T.astype(np.float32)  # a block's counts are exact in float32
    counts = np.zeros((number, units.width, 4), np.int64)
    if not positions:
        return counts
    last = (positions - 1) * units.step + 1
    for place in range(units.width):
        there = bases[:, place : place + last : units.step].reshape(n * positions, 4)
        counts[:, place] = np.rint(flat @ there.astype(np.float32))
    return counts
