"""What the maps of a report say of the sequences' own bases, and what its targets are called."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.gauges import project, to_gauge
from cislens.report import MotifReport

Array = npt.NDArray[Any]


def contributions(report: MotifReport) -> Array:
    """Return what each sequence's own bases contribute, (t, n, length); 0 at N.

    Maps of all four bases are brought to the uniform gauge first, since a wild-type gauge is zero at the own base:
    there a base contributes what it does more than the mean base. Masks are taken as they are.

    Raises
    ------
    ReportError
        If the report holds neither maps nor masks.
    """
    onehot = report.sequences.onehot
    if report.attributions is not None:
        if not report.attributions.hypothetical:
            return report.projected() * onehot.any(-1)
        return project(to_gauge(report.attributions.values, "uniform")[0], onehot)
    if report.masks is not None:
        return np.asarray(report.masks.values * onehot.any(-1))
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
