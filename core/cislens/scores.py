"""How well predictions agree with what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def area_under_roc(positives: Array, negatives: Array) -> tuple[float, float]:
    """Return the area under the ROC curve of the scores of positives and of negatives, and its standard error.

    References
    ----------
    DeLong et al. 1988, 10.2307/2531595, for the error.
    """
    ordered_n, ordered_p = np.sort(negatives), np.sort(positives)
    below = (np.searchsorted(ordered_n, positives, "left") + np.searchsorted(ordered_n, positives, "right")) / 2
    above = (np.searchsorted(ordered_p, negatives, "left") + np.searchsorted(ordered_p, negatives, "right")) / 2
    wins, losses = below / len(negatives), 1 - above / len(positives)
    variance = sum(part.var(ddof=1) / len(part) for part in (wins, losses) if len(part) > 1)
    return float(wins.mean()), float(np.sqrt(variance))


def average_precision(scores: Array, labels: Array) -> float:
    """Return the area under the precision-recall curve, as the mean precision at each positive; ties count together."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    # Only where the next score is lower has a threshold been passed.
    ordered = scores[order]
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(scores) - 1)
    gained = np.diff(hits[last], prepend=0)
    return float((gained * hits[last] / (last + 1)).sum() / labels.sum())


def pearson(one: Array, two: Array) -> float:
    """Return Pearson's correlation, NaN where either does not vary."""
    if not (np.ptp(one) > 0 and np.ptp(two) > 0):
        return float("nan")
    one, two = one - one.mean(), two - two.mean()
    return float((one * two).sum() / np.sqrt((one**2).sum() * (two**2).sum()))


def spearman(one: Array, two: Array) -> float:
    """Return the correlation of ranks, equal values sharing one."""
    import pandas as pd

    return pearson(*(pd.Series(values).rank().to_numpy() for values in (one, two)))
