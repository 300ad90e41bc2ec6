"""Two passes over sequences, a few at a time: what a unit's largest value is, and what it saw near it."""

from __future__ import annotations

from collections.abc import Iterator
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


def seen(
    oracle: Targeted, units: Units, sequences: Sequences, share: float, best_only: bool, progress: Progress
) -> Seen:
    """Return the bases of the windows that activate each unit.

    A window counts where the unit's value is above 0 and at least `share` of its largest value over all windows; with
    `best_only`, of each sequence only the window of its largest value, the first of several. Windows that reach over an
    end or hold N are left out of both passes.
    """
    total = 2 * len(sequences)
    smallest, largest = np.array(np.inf), np.array(-np.inf)
    for done, (_, values) in enumerate(_blocks(oracle, units, sequences), 1):
        smallest = np.minimum(smallest, np.where(np.isnan(values), np.inf, values).min((0, 1), initial=np.inf))
        largest = np.maximum(largest, np.where(np.isnan(values), -np.inf, values).max((0, 1), initial=-np.inf))
        progress(min(done * BLOCK, len(sequences)), total)
    counts = np.zeros((*largest.shape, units.width, 4), np.int64)
    for done, (windows, values) in enumerate(_blocks(oracle, units, sequences), 1):
        taken = (values > 0) & (values >= share * largest)
        if best_only:
            ranked = np.where(np.isnan(values), -np.inf, values)
            taken &= np.arange(values.shape[1])[:, None] == ranked.argmax(1)[:, None]
        counts += _counted(taken, windows, units)
        progress(len(sequences) + min(done * BLOCK, len(sequences)), total)
    return Seen(smallest, largest, counts)


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
