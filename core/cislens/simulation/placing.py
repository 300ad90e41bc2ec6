"""Where clusters of motifs stand: every way to place them without overlap is equally likely."""

from __future__ import annotations

from math import comb, factorial
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.simulation.grammar import Variant

Array = npt.NDArray[Any]


def placements(variant: Variant, room: int) -> int:
    """Return in how many ways a variant's clusters can stand in `room` bp."""
    k = len(variant.widths)
    orders = 1 if variant.ordered else factorial(k)
    return orders * comb(room - sum(variant.widths) + k, k)


def sample_starts(variant: Variant, room: int, n: int, rng: np.random.Generator) -> Array:
    """Return the starts (n, clusters) of n placements within `room` bp."""
    k = len(variant.widths)
    free = room - sum(variant.widths)
    slots = _distinct(n, k, free + k, rng)
    order = np.tile(np.arange(k), (n, 1)) if variant.ordered else rng.permuted(np.tile(np.arange(k), (n, 1)), axis=1)
    widths = np.asarray(variant.widths, int)[order]
    # The i-th slot from the left has i clusters before it, which took a slot each in place of their width.
    from_left = slots - np.arange(k) + np.cumsum(widths, 1) - widths
    starts = np.empty((n, k), np.intp)
    np.put_along_axis(starts, order, from_left, axis=1)
    return starts


def _distinct(n: int, k: int, among: int, rng: np.random.Generator) -> Array:
    """Return k distinct numbers below `among` in rising order, (n, k), every set equally likely."""
    drawn = np.empty((n, 0), np.intp)
    for taken in range(k):
        number = rng.integers(0, among - taken, n)
        for earlier in drawn.T:
            number += number >= earlier
        drawn = np.sort(np.column_stack([drawn, number]), axis=1)
    return drawn
