"""Values on a genome where sequences overlap: their mean, in one sweep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SPAN = 2**20  # positions of the genome that are held at a time


def averaged(starts: Array, rows: Iterable[Array], length: int, span: int = SPAN) -> Iterator[tuple[int, Array]]:
    """Yield stretches of one chromosome, each with its first position and its values without a gap.

    A position that several sequences cover gets the mean of what they have there; one that none covers is in no
    stretch.

    Parameters
    ----------
    starts : (k,)
        Where the sequences begin, ascending.
    rows
        The values of each, (length,), in the direction of the genome; NaN where it has none.
    length
        Of the sequences in bp.
    span
        Positions held at a time.
    """
    span = max(span, length)
    total, count = np.zeros(span + length), np.zeros(span + length, np.int64)
    waiting = iter(rows)
    done, base = 0, 0
    while done < len(starts) or count.any():
        if not count.any():
            base = int(starts[done])
        last = int(np.searchsorted(starts, base + span))
        # The starts come first: once they end, no row is taken that belongs to the next span.
        for start, row in zip(starts[done:last].tolist(), waiting, strict=False):
            known = np.isfinite(row)
            total[start - base : start - base + length][known] += row[known]
            count[start - base : start - base + length] += known
        yield from _stretches(base, total[:span], count[:span])
        # What lies past the span is not final yet: it is where the next one begins.
        total[:length], count[:length] = total[span:].copy(), count[span:].copy()
        total[length:], count[length:] = 0, 0
        done, base = last, base + span


def _stretches(base: int, total: Array, count: Array) -> Iterator[tuple[int, Array]]:
    covered = np.flatnonzero(count)
    if not len(covered):
        return
    breaks = np.flatnonzero(np.diff(covered) > 1) + 1
    for stretch in np.split(covered, breaks):
        inside = slice(stretch[0], stretch[-1] + 1)
        yield base + int(stretch[0]), total[inside] / count[inside]
