"""Spans of sequences: which of those that overlap are kept, and what they cover."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def apart(
    owner: Array, start: Array, end: Array, ranked: Array, kind: Array | None = None, share: float = 0.0
) -> npt.NDArray[np.intp]:
    """Return which spans stand apart from every better one that is kept, the best first.

    Parameters
    ----------
    owner, start, end : (k,)
        Whose they are, and where: 0-based and half-open. Spans of two owners never overlap.
    ranked : (k,)
        Their places from the best to the worst.
    kind : (k,)
        Where given, spans of two kinds stand apart if they have no more than `share` of the shorter one in common.
    share
        0 to 1.
    """
    kinds = np.zeros(len(owner), int) if kind is None else kind
    spans = list(zip(owner.tolist(), kinds.tolist(), start.tolist(), end.tolist(), strict=True))
    kept: dict[Any, list[tuple[int, int, int]]] = defaultdict(list)
    chosen = []
    for i in ranked.tolist():
        whose, what, first, last = spans[i]
        for other, begin, stop in kept[whose]:
            allowed = 0 if other == what else share * min(last - first, stop - begin)
            if min(last, stop) - max(first, begin) > allowed:
                break
        else:
            kept[whose].append((what, first, last))
            chosen.append(i)
    return np.array(chosen, np.intp)


def cover(covered: Array, row: Array, start: Array, end: Array) -> None:
    """Set the positions (n, length) that spans of the rows cover, in place; no span may reach beyond `length`."""
    edges = np.zeros((covered.shape[0], covered.shape[1] + 1), int)
    np.add.at(edges, (row, start), 1)
    np.add.at(edges, (row, end), -1)
    covered |= np.cumsum(edges, axis=1)[:, :-1] > 0
