"""Windows of contribution-weighted sequence, and how they lie on each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Sites:
    """Hold sites of sequences.

    Parameters
    ----------
    row, centre : (s,)
        The sequence of each and the position of its middle.
    low, high : (s,)
        The stretch that is its own, 0-based and half-open: its windows are empty beyond.
    reverse : (s,)
        Whether it is read backwards.
    """

    row: Array
    centre: Array
    low: Array
    high: Array
    reverse: Array

    @classmethod
    def around(cls, row: Array, centre: Array, length: int) -> Sites:
        """Return sites as they stand, each of which owns what is closer to it than to another one.

        So two motifs that stand side by side are not read as one, whatever is between them.
        """
        order = np.lexsort((centre, row))
        low, high = np.zeros(len(row), int), np.full(len(row), length)
        beside = np.diff(row[order]) == 0
        border = (centre[order][1:] + centre[order][:-1] + 1) // 2
        low[order[1:][beside]] = border[beside]
        high[order[:-1][beside]] = border[beside]
        return cls(row, centre, low, high, np.zeros(len(row), bool))

    def __len__(self) -> int:
        return len(self.row)

    def take(self, index: Any) -> Sites:
        """Return the sites at these positions."""
        return Sites(*(part[index] for part in (self.row, self.centre, self.low, self.high, self.reverse)))

    def moved(self, by: Array) -> Sites:
        """Return the sites with their middles moved along the strand on which they read."""
        return replace(self, centre=self.centre + np.where(self.reverse, -by, by))

    def turned(self, reverse: Array) -> Sites:
        """Return the sites with some read on the other strand."""
        return replace(self, reverse=self.reverse ^ reverse)


def windows(arrays: Array, sites: Sites, width: int) -> Array:
    """Return the windows (s, width, c) of arrays (n, length, c) around sites, as they read; 0 beyond their own."""
    places = sites.centre[:, None] + np.arange(width) - width // 2
    inside = (places >= sites.low[:, None]) & (places < sites.high[:, None])
    found = arrays[sites.row[:, None], np.where(inside, places, 0)] * inside[..., None]
    return np.asarray(np.where(sites.reverse[:, None, None], found[:, ::-1, ::-1], found))


def features(onehot: Array, values: Array, sites: Sites, width: int) -> Array:
    """Return windows of contribution-weighted sequence of length 1, (s, width, 4), which fade towards their ends."""
    weighted = windows(onehot, sites, width) * windows(values[..., None], sites, width)
    return unit((weighted * np.hanning(width + 2)[1:-1, None]).astype(np.float32))


def unit(vectors: Array) -> Array:
    """Return windows (s, width, 4) scaled to length 1; what is zero stays so."""
    length = np.sqrt((vectors**2).sum((1, 2), keepdims=True))
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0))


@dataclass(frozen=True, eq=False)
class Alignment:
    """Hold how each of a windows lies best on each of b others.

    Parameters
    ----------
    similarity : (a, b)
        Their cosine.
    shift : (a, b)
        Where the middle of the other lies, in bp after the middle of the first as that reads once it is turned.
    reverse : (a, b)
        Whether the first is turned.
    """

    similarity: Array
    shift: Array
    reverse: Array


def align(one: Array, other: Array, reach: int) -> Alignment:
    """Return the best alignments of windows (a, width, 4) with others (b, width, 4), shifted by up to `reach` bp."""
    shape = len(one), len(other)
    best = np.full(shape, -np.inf, np.float32)
    shift, reverse = np.zeros(shape, np.int16), np.zeros(shape, bool)
    width = one.shape[1]
    for turned in (False, True):
        mine = (one[:, ::-1, ::-1] if turned else one).reshape(len(one), -1)
        # No shift first: of equal alignments that one is kept.
        for by in sorted(range(-reach, reach + 1), key=abs):
            moved = np.zeros_like(other)
            moved[:, max(by, 0) : width + min(by, 0)] = other[:, max(-by, 0) : width - max(by, 0)]
            value = mine @ moved.reshape(len(other), -1).T
            better = value > best
            best[better], shift[better], reverse[better] = value[better], by, turned
    return Alignment(best, shift, reverse)
