"""How often two motifs stand at each spacing, and how often they would by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.syntax.sites import ARRANGEMENTS, Pairs, Sites, arrangements

Array = npt.NDArray[Any]
SMOOTHING = 10  # bp to each side over which chance is averaged, which knows no sharp preferences


@dataclass(frozen=True, eq=False)
class SpacingCounts:
    """Hold the pairs of two motifs at each order, orientation and spacing.

    Parameters
    ----------
    motif_1, motif_2
        Their ids.
    spacings : (d,)
        The bp between them; negative where they overlap.
    count : (4, d)
        How many pairs stand so; the rows are those of `ARRANGEMENTS`.
    sequences : (4, d)
        In how many sequences.
    expected : (4, d)
        How many pairs would by chance, if as many stood at these spacings: read off pairs across sequences.
    anywhere : (4, d)
        How many would if every place and strand were alike.
    """

    motif_1: str
    motif_2: str
    spacings: Array
    count: Array
    sequences: Array
    expected: Array
    anywhere: Array


def spacing_counts(sites: Sites, pairs: Pairs, motif_1: int, motif_2: int, spacings: Array) -> SpacingCounts:
    """Count the pairs of two motifs by order, orientation and spacing.

    What chance would give is read off pairs across different sequences: every instance of the one motif with every one
    of the other in another sequence, as if both lay in one. So motifs that keep to the middle of the sequences, or to
    one strand, are expected near each other without any preference. It is averaged over 10 bp to each side, and one
    pair a cell is added that stands anywhere where two sites fit, which decides where instances are few.

    Where a sequence holds one site that matters and others that do not, pairs across sequences are closer together than
    pairs of one sequence can be; so what would stand at each spacing if every place were alike is told besides.

    Parameters
    ----------
    sites
        All instances.
    pairs
        Those of one sequence: `Sites.pairs`.
    motif_1, motif_2
        The motifs, as indices into `sites.motifs`, the smaller first.
    spacings : (d,)
        Rising by 1.
    """
    left, right = pairs.of(motif_1, motif_2)
    gap = sites.start[right] - sites.end[left] - spacings[0]
    held = (gap >= 0) & (gap < len(spacings))
    left, right, gap = left[held], right[held], gap[held]
    kind = arrangements(sites.motif[left], sites.motif[right], sites.reverse[left], sites.reverse[right])
    shape = (len(ARRANGEMENTS), len(spacings))
    cell = kind * len(spacings) + gap
    count = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    cell_of_one = np.unique(np.stack([cell, sites.sequence[left]]), axis=1)[0]
    sequences = np.bincount(cell_of_one, minlength=shape[0] * shape[1]).reshape(shape)
    shares = _chances(sites, motif_1, motif_2, spacings, count)
    expected, anywhere = (count.sum() * share for share in shares)
    names = sites.motifs[motif_1], sites.motifs[motif_2]
    return SpacingCounts(*names, spacings, count, sequences, expected, anywhere)


def _chances(sites: Sites, motif_1: int, motif_2: int, spacings: Array, own: Array) -> tuple[Array, Array]:
    """Return the shares (4, d) of order, orientation and spacing across sequences, and if every place were alike."""
    across = -own.astype(float)  # pairs of one sequence are no chance
    anywhere = np.zeros(own.shape)
    for one, two in dict.fromkeys([(motif_1, motif_2), (motif_2, motif_1)]):
        width_1, width_2 = (_width(sites, motif) for motif in (one, two))
        fits = np.maximum(sites.length - width_1 - width_2 - spacings + 1, 0)
        for reverse_1 in (False, True):
            for reverse_2 in (False, True):
                code = int(arrangements(*map(np.asarray, (one, two, reverse_1, reverse_2))))
                across[code] += _at_distances(sites, (one, reverse_1), (two, reverse_2), spacings)
                anywhere[code] += fits
    window = np.ones(min(2 * SMOOTHING + 1, len(spacings) - 1 | 1))
    covered = np.convolve(np.ones(len(spacings)), window, "same")
    smooth = np.array([np.convolve(row, window, "same") / covered for row in across])
    if not anywhere.any():  # sequences in which no two sites fit: nothing is known of their places
        anywhere[:] = 1.0
    alike = anywhere / anywhere.sum()
    weights = np.maximum(smooth, 0) + alike * alike.size
    return weights / weights.sum(), alike


def _width(sites: Sites, motif: int) -> int:
    held = sites.of_motif(motif)
    return int(np.median(sites.end[held] - sites.start[held])) if len(held) else 0


def _at_distances(sites: Sites, one: tuple[int, bool], two: tuple[int, bool], spacings: Array) -> Array:
    """Return how many pairs of an end of the one and a start of the other lie each spacing apart, whatever sequence."""
    size = 2 * (sites.length + 1)
    (first, first_reverse), (second, second_reverse) = one, two
    ends = sites.spectrum(first, reverse=first_reverse, ends=True)
    starts = sites.spectrum(second, reverse=second_reverse, ends=False)
    reached = np.abs(spacings) <= sites.length
    found = np.rint(np.fft.irfft(np.conj(ends) * starts, size))[np.where(reached, spacings, 0) % size]
    return np.asarray(np.where(reached, found, 0))
