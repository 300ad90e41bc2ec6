"""How alike two motifs are: the correlation of their aligned cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cislens.motif import Motif

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.intp]

MINIMUM_OVERLAP = 5
# A column's squared distance from the uniform one: 0.07 is about 0.2 bits, 0.75 is a column of one base alone.
FLANK, CERTAIN = 0.07, 0.75
# What a column without a count gets, so that it reads as the background.
PSEUDOCOUNT = 1e-6


@dataclass(frozen=True, eq=False)
class Similarities:
    """Hold the best alignment of each of f motifs with each of r others.

    Parameters
    ----------
    correlation : (f, r)
        0 to 1.
    reverse : (f, r)
        Whether the first motif was turned to its reverse complement.
    offset : (f, r)
        The column of the other motif at which the first column of the first one lies, once that is turned.
    overlap : (f, r)
        How many informative columns lie on each other, 0 where no alignment was allowed.
    """

    correlation: Array
    reverse: npt.NDArray[np.bool_]
    offset: Whole
    overlap: Whole


def similarities(
    motifs: Sequence[Motif], others: Sequence[Motif], *, minimum_overlap: int = MINIMUM_OVERLAP
) -> Similarities:
    """Return how alike each motif is to each of the others, over both orientations and all offsets.

    Columns are read as distances from the uniform column, flanks of less than about 0.2 bits trimmed. For an alignment
    the columns that lie on each other are correlated as a whole (Pearson; each column's mean is 0.25, so it is the
    cosine of these distances); the correlation is multiplied by the root of the share of its own signal (sum of
    squared distances) that the motif which lies more wholly in the overlap has there. So one of the two must be
    explained whole: a part of a motif, or a motif within a longer pattern, may be 1; two that touch at their ends are
    not. It is symmetric, the same for reverse complements, and does not see uninformative flanks.

    Tomtom (Gupta et al. 2007, 10.1186/gb-2007-8-2-r24) adds up correlations of single columns, in which a weak column
    weighs as much as a strong one, and turns the sum into a p-value against a database. Here a column weighs by its
    information, and the number is the same whatever the database.

    Contributions are read as their distances from each column's mean, scaled so that the largest column is a certain
    one, and negated where the motif lowers the target (their cubes' sum is negative).

    Parameters
    ----------
    motifs, others
        Motifs of any kind.
    minimum_overlap
        Columns that must lie on each other: this many, or all of the wider motif where that has fewer. A motif with
        fewer columns is like no wider one.
    """
    shape = (2, len(motifs), len(others))
    if not shape[1] or not shape[2]:
        empty = np.zeros(shape[1:])
        return Similarities(empty, empty.astype(bool), empty.astype(int), empty.astype(int))
    cores, starts = zip(*map(_core, motifs), strict=True)
    held, places = zip(*map(_core, others), strict=True)
    turned = [core[::-1, ::-1] for core in cores]
    both = [_aligned(side, held, minimum_overlap) for side in (cores, turned)]
    correlation, offset, overlap = (np.stack(pair) for pair in zip(*both, strict=True))
    lost = np.stack([starts, [len(m) - len(c) - s for m, c, s in zip(motifs, cores, starts, strict=True)]])
    offset = offset + np.asarray(places) - lost[:, :, None]
    best = correlation.argmax(0)[None]
    correlation, offset, overlap = (np.take_along_axis(part, best, 0)[0] for part in (correlation, offset, overlap))
    return Similarities(correlation, best[0] == 1, offset, overlap)


def similarity(motif: Motif, other: Motif, *, minimum_overlap: int = MINIMUM_OVERLAP) -> float:
    """Return how alike two motifs are, 0 to 1: see `similarities`."""
    return float(similarities([motif], [other], minimum_overlap=minimum_overlap).correlation[0, 0])


def symmetric(motif: Motif, threshold: float) -> bool:
    """Tell whether a motif is like its own reverse complement, as CACGTG is, which has no orientation."""
    core, _ = _core(motif)
    return bool(_aligned([core], [core[::-1, ::-1]], MINIMUM_OVERLAP)[0][0, 0] >= threshold)


def _core(motif: Motif) -> tuple[Array, int]:
    """Return the distances from the uniform column without flanks, (width, 4), and the column where they start."""
    if motif.kind == "contributions":
        distance = motif.matrix - motif.matrix.mean(1, keepdims=True)
        largest = (distance**2).sum(1).max()
        turn = -1 if (distance**3).sum() < 0 else 1
        distance = distance * turn * np.sqrt(CERTAIN / largest) if largest > 0 else distance
    else:
        distance = motif.probabilities(PSEUDOCOUNT) - 0.25
    kept = np.flatnonzero((distance**2).sum(1) >= FLANK)
    if not len(kept):
        kept = np.array([(distance**2).sum(1).argmax()])
    return distance[kept[0] : kept[-1] + 1], int(kept[0])


def _padded(cores: Sequence[Array], before: int, after: int) -> tuple[Array, Array]:
    """Return cores in one array, zeros around them, (n, width, 4), and which columns are theirs, (n, width)."""
    width = max(map(len, cores))
    values = np.zeros((len(cores), before + width + after, 4))
    inside = np.zeros(values.shape[:2])
    for i, core in enumerate(cores):
        values[i, before : before + len(core)] = core
        inside[i, before : before + len(core)] = 1
    return values, inside


def _aligned(cores: Sequence[Array], others: Sequence[Array], minimum: int) -> tuple[Array, Whole, Whole]:
    """Return for each pair of cores, none turned, the best correlation, its offset and its overlap, each (f, r)."""
    one, one_inside = _padded(cores, 0, 0)
    width = one.shape[1]
    two, two_inside = _padded(others, width - 1, width - 1)
    signals, others_signals = (one**2).sum(2), (two**2).sum(2)
    widest = np.maximum.outer([len(c) for c in cores], [len(o) for o in others])
    needed = np.minimum(minimum, widest)
    best = np.zeros(widest.shape)
    offset, overlap = np.zeros(widest.shape, int), np.zeros(widest.shape, int)
    for start in range(two.shape[1] - width + 1):
        there = slice(start, start + width)
        columns = np.rint(one_inside @ two_inside[:, there].T).astype(int)
        product = one.reshape(len(one), -1) @ two[:, there].reshape(len(two), -1).T
        mine, yours = signals @ two_inside[:, there].T, one_inside @ others_signals[:, there].T
        # Correlation in the overlap times the root of the larger share is the product over the smaller of these two.
        scale = np.sqrt(np.minimum(signals.sum(1)[:, None] * yours, mine * others_signals.sum(1)))
        value = np.divide(product, scale, out=np.zeros_like(product), where=(scale > 0) & (columns >= needed))
        better = value > best
        best = np.where(better, np.minimum(value, 1), best)
        offset, overlap = np.where(better, start - width + 1, offset), np.where(better, columns, overlap)
    return best, offset, overlap
