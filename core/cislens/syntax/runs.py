"""Runs of spacings that hold more pairs than chance would give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Run(NamedTuple):
    """Neighbouring spacings of one order and orientation, as indices, both included, and how surprising they are."""

    arrangement: int
    first: int
    last: int
    p_value: float


def enriched_runs(count: Array, expected: Array, bound: float) -> Iterator[Run]:
    """Yield the runs of spacings that hold too many pairs, the most surprising first.

    The run with the largest likelihood ratio to chance (Kulldorff's scan statistic) is tested by its binomial tail,
    times the number of all runs; it is then taken out, and the rest looked at again. The last one that is yielded is
    the first whose p-value is above the bound: it was tested, too.

    Parameters
    ----------
    count, expected : (arrangements, d)
        Pairs at each spacing, and by chance.

    References
    ----------
    Kulldorff, A spatial scan statistic, 1997, 10.1080/03610929708831995.
    """
    from scipy.stats import binom  # type: ignore[import-untyped]

    rows, d = count.shape
    tests = rows * d * (d + 1) // 2
    count, share = count.copy(), expected / max(expected.sum(), 1e-300)
    while (total := int(count.sum())) > 0:
        arrangement, first, last = _best(count, share / share.sum(), total)
        run = np.s_[arrangement, first : last + 1]
        held, chance = int(count[run].sum()), float(share[run].sum() / share.sum())
        p_value = min(1.0, float(binom.sf(held - 1, total, min(chance, 1.0))) * tests)
        yield Run(arrangement, first, last, p_value)
        if p_value > bound:
            return
        count[run] = 0
        share[run] = 0


def _best(count: Array, share: Array, total: int) -> tuple[int, int, int]:
    best = (-1.0, (0, 0, 0))
    for arrangement, (row, chance) in enumerate(zip(count, share, strict=True)):
        ends = np.flatnonzero(row)  # a shorter run that holds as many is the more surprising one
        if not len(ends):
            continue
        counted, cumulated = np.append(0, row.cumsum()), np.append(0.0, chance.cumsum())
        k = np.triu(counted[ends + 1] - counted[ends][:, None])
        p = np.clip(cumulated[ends + 1] - cumulated[ends][:, None], 1e-300, 1.0)
        ratio = np.where(k > total * p, _log_ratio(k, total, p), 0.0)
        one, two = np.unravel_index(int(ratio.argmax()), ratio.shape)
        if ratio[one, two] > best[0]:
            best = (float(ratio[one, two]), (arrangement, int(ends[one]), int(ends[two])))
    return best[1]


def _log_ratio(k: Array, total: int, p: Array) -> Array:
    from scipy.special import xlogy  # type: ignore[import-untyped]

    return np.asarray(xlogy(k, k / (total * p)) + xlogy(total - k, (total - k) / (total * np.maximum(1 - p, 1e-300))))
