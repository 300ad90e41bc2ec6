"""Pair terms as heat maps of positions by positions, small enough to live in the page."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.page.gathering import Gathered
from cislens.page.payload import Plan, encode, packed
from cislens.page.sequence_figures import Drawn, Share, fitting, shares
from cislens.sequences.container import BASES

Array = npt.NDArray[Any]

BUDGET = 900_000  # characters of all heat maps: about forty of windows of 40 bp
MOST_BLOCKS = 64  # bp of a window whose pairs are drawn base by base
MOST_PAIRS = 6_000  # pairs of positions that a heat map of a wider window shows
BITS = 8


def interaction_figures(gathered: Gathered, held: Plan) -> Drawn:
    """Return the pair terms of the page's sequences and of models.

    Of a window up to `MOST_BLOCKS` wide, or of neighbours alone, a pair of positions has all of its sixteen terms; of
    others the largest alone, with its bases, and only the pairs with the largest.
    """
    found, total = shares(gathered, "interactions", held)
    return fitting((_picture(gathered, share) for share in found), total, BUDGET)


def _picture(gathered: Gathered, share: Share) -> dict[str, Any]:
    pairs, terms = pair_terms(share)
    neighbours = len(pairs) > 1 and bool((pairs[:, 1] - pairs[:, 0] == 1).all())
    start, end = (int(pairs.min()), int(pairs.max()) + 1) if len(pairs) else (0, 1)
    said = terms.any(1)
    pairs, terms = pairs[said], terms[said]
    largest = np.abs(terms).argmax(1)
    wide = end - start > MOST_BLOCKS and not neighbours
    if wide:
        terms = np.take_along_axis(terms, largest[:, None], 1)
        kept = np.sort(np.argsort(-np.abs(terms[:, 0]), kind="stable")[:MOST_PAIRS])
        pairs, terms, largest = pairs[kept], terms[kept], largest[kept]
    scale, data = encode(terms, BITS)
    maps = share.report.attributions
    return {
        **share.heading(gathered),
        "unit": "target" if maps is None else maps.unit,
        "start": start,
        "span": end - start,
        "neighbours": neighbours,
        "pairs": packed((pairs - start).astype(np.int16)),
        "bases": packed(largest.astype(np.int8)) if wide else None,
        "scale": scale,
        "data": data,
    }


def pair_terms(share: Share) -> tuple[Array, Array]:
    """Return the pairs of positions (k, 2), the first before the second, and their terms (k, 16).

    Terms are in the order AA, AC, ... TT, the first position's base first; what the table does not hold is zero.
    """
    rows = share.rows
    positions = rows[["position_1", "position_2"]].to_numpy(int)
    bases = np.stack([rows[f"base_{k}"].map(BASES.index).to_numpy(int) for k in (1, 2)], 1)
    order = np.argsort(positions, 1, kind="stable")
    positions, bases = np.take_along_axis(positions, order, 1), np.take_along_axis(bases, order, 1)
    pairs, place = np.unique(positions, axis=0, return_inverse=True)
    terms = np.zeros((len(pairs), 16))
    terms[place.ravel(), 4 * bases[:, 0] + bases[:, 1]] = np.nan_to_num(rows["value"].to_numpy(float))
    return pairs, terms
