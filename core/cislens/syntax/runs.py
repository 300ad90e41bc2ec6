"""Runs of spacings that hold more pairs than chance would give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
TINY = 1e-300


class Run(NamedTuple):
    """Neighbouring spacings of one order and orientation, as indices, both included, and how surprising they are."""

    arrangement: int
    first: int
    last: int
    p_value: float


def enriched_runs(count: Array, chances: Array, bound: float) -> Iterator[Run]:
    """Yield the runs of spacings that hold too many pairs for every kind of chance, the most surprising first.

    The run with the largest likelihood ratio (Kulldorff's scan statistic; the smallest over the kinds of chance) is
    tested by its binomial tail (the largest over them), times the number of all runs; it is then taken out, and the
    rest looked at again. The last one that is yielded is the first whose p-value is above the bound, since it was
    tested, too.

    Parameters
    ----------
    count : (arrangements, d)
        Pairs at each spacing.
    chances : (kinds, arrangements, d)
        What each kind of chance expects, in any unit.

    References
    ----------
    Kulldorff, A spatial scan statistic, 1997, 10.1080/03610929708831995.
    """
    from scipy.stats import binom  # type: ignore[import-untyped]

    rows, d = count.shape
    tests = rows * d * (d + 1) // 2
    count, chances = count.copy(), np.array(chances, float)
    while (total := int(count.sum())) > 0:
        shares = chances / chances.sum((1, 2), keepdims=True)
        arrangement, first, last = _best(count, shares, total)
        run = np.s_[..., arrangement, first : last + 1]
        held, chance = int(count[run].sum()), min(1.0, float(shares[run].sum(-1).max()))
        p_value = min(1.0, float(binom.sf(held - 1, total, chance)) * tests)
        yield Run(arrangement, first, last, p_value)
        if p_value > bound:
            return
        count[run] = 0
        chances[run] = 0


def _best(count: Array, shares: Array, total: int) -> tuple[int, int, int]:
    best = (-1.0, (0, 0, 0))
    for arrangement, row in enumerate(count):
        ends = np.flatnonzero(row)  # a shorter run that holds as many is the more surprising one
        if not len(ends):
            continue
        counted = np.append(0, row.cumsum())
        cumulated = np.pad(shares[:, arrangement].cumsum(-1), ((0, 0), (1, 0)))
        k = np.triu(counted[ends + 1] - counted[ends][:, None])
        # The chance that expects most is the least surprised.
        p = np.clip((cumulated[:, None, ends + 1] - cumulated[:, ends, None]).max(0), TINY, 1.0)
        ratio = np.where(k > total * p, _log_ratio(k, total, p), 0.0)
        one, two = np.unravel_index(int(ratio.argmax()), ratio.shape)
        if ratio[one, two] > best[0]:
            best = (float(ratio[one, two]), (arrangement, int(ends[one]), int(ends[two])))
    return best[1]


def _log_ratio(k: Array, total: int, p: Array) -> Array:
    from scipy.special import xlogy  # type: ignore[import-untyped]

    return np.asarray(xlogy(k, k / (total * p)) + xlogy(total - k, (total - k) / (total * np.maximum(1 - p, TINY))))
