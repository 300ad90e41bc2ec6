"""What the maps of a report say of the sequences' own bases, and what its targets are called."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.report import MotifReport

Array = npt.NDArray[Any]
BLOCK = 1024  # sequences whose maps of four bases are copied at a time, of which a report may hold gigabytes


def maps_of(report: MotifReport) -> Array:
    """Return the maps that motifs are called on, (t, n, length), 0 at N: contributions, or masks as they are.

    Raises
    ------
    ReportError
        If the report holds neither maps nor masks.
    """
    if report.attributions is not None:
        starts = range(0, max(len(report.sequences), 1), BLOCK)
        return np.concatenate([report.take(slice(i, i + BLOCK)).contributions() for i in starts], axis=1)
    if report.masks is not None:
        return np.asarray(report.masks.values * report.sequences.onehot.any(-1))
    raise ReportError("motifs are called from attributions or masks, but the report holds neither: explain first")


def target_labels(report: MotifReport, count: int) -> tuple[str, ...]:
    """Return one word for each of `count` targets, what ids of motifs start with; a single target needs none."""
    if count == 1:
        return ("",)
    names = report.targets if len(report.targets) == count else tuple(f"target{t}" for t in range(count))
    words = [re.sub(r"\s+", "_", name) for name in names]
    return tuple(f"{word}." if words.count(word) == 1 else f"{word}.{t}." for t, word in enumerate(words))


def base_frequencies(onehot: Array) -> tuple[float, float, float, float]:
    """Return the frequencies of ACGT on both strands of sequences (n, length, 4), one pseudocount each."""
    counts = onehot.sum((0, 1), dtype=float) + 1
    a, c, g, t = ((counts + counts[::-1]) / (2 * counts.sum())).tolist()
    return a, c, g, t
