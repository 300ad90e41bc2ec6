"""Sequences as they were drawn: bases, and where each motif was planted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.sequences.codes import Codes, complemented

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Draw:
    """Hold sequences as they were drawn.

    Parameters
    ----------
    codes : (n, length)
        Bases, 0 to 3 for ACGT.
    arrangements : (n,)
        The number of each one's arrangement.
    rows, motifs, spans, reverse : (instances, ...)
        The sequence of each planted instance, its motif's number, its start and end, and whether it reads on the other
        strand; in the order of the sequences and of the starts.
    """

    codes: Codes
    arrangements: Array
    rows: Array
    motifs: Array
    spans: Array
    reverse: Array

    def take(self, n: int) -> Draw:
        """Return the first n sequences."""
        held = self.rows < n
        parts = (part[held] for part in (self.rows, self.motifs, self.spans, self.reverse))
        return Draw(self.codes[:n], self.arrangements[:n], *parts)

    def other_strand(self, turned: Array) -> Draw:
        """Return the draw with the sequences of a mask (n,) turned to their other strand."""
        codes, spans = self.codes.copy(), self.spans.copy()
        codes[turned] = complemented(codes[turned])
        held = turned[self.rows]
        spans[held] = codes.shape[1] - spans[held][:, ::-1]
        return in_order(replace(self, codes=codes, spans=spans, reverse=self.reverse ^ held))


def in_order(drawn: Draw) -> Draw:
    """Return a draw with its instances in the order of the sequences and of the starts."""
    order = np.lexsort([drawn.spans[:, 0], drawn.rows])
    parts = (part[order] for part in (drawn.rows, drawn.motifs, drawn.spans, drawn.reverse))
    return Draw(drawn.codes, drawn.arrangements, *parts)


def spans_by_row(drawn: Draw) -> Array:
    """Return each sequence's instances as (n, most in one, 2); (0, 0) where it holds fewer."""
    n = len(drawn.codes)
    counts = np.bincount(drawn.rows, minlength=n)
    spans = np.zeros((n, counts.max(initial=0), 2), np.intp)
    first = np.cumsum(counts) - counts
    spans[drawn.rows, np.arange(len(drawn.rows)) - first[drawn.rows]] = drawn.spans
    return spans
