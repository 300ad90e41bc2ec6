"""Curves from a latent phenotype to a target, with the answers behind them, small enough to live in the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.page.gathering import Gathered
from cislens.page.payload import Plan, encode
from cislens.page.sequence_figures import Drawn, Share, fitting, shares

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

BUDGET = 450_000  # characters of all curves: about a hundred
MOST_POINTS = 500  # of answers
MOST_STEPS = 120  # of a line
BITS = 16
POINTS, MARK = "held out", "wild type"  # kinds of rows that are drawn as points, and as one mark; others are lines
FIT = "r2_mode"  # the measure that is written beside a curve


def curve_figures(gathered: Gathered, held: Plan) -> Drawn:
    """Return the curves of the page's sequences and of models.

    A picture holds its lines with their bands, the held-out answers, the wild type, and the held-out R2.
    """
    found, total = shares(gathered, "curves", held)
    return fitting((_picture(gathered, share) for share in found), total, BUDGET)


def _picture(gathered: Gathered, share: Share) -> dict[str, Any]:
    answers = share.rows["value"].to_numpy(float)
    by_kind = {str(kind): rows for kind, rows in share.rows.groupby("kind", sort=False)}
    fit = share.measure(FIT)
    return {
        **share.heading(gathered),
        "lines": [
            _packed(_line(rows, answers[np.isfinite(answers)]))
            for kind, rows in by_kind.items()
            if kind not in (POINTS, MARK)
        ],
        "points": _packed(_points(by_kind[POINTS], MOST_POINTS)) if POINTS in by_kind else None,
        "mark": _packed(_points(by_kind[MARK], 1)) if MARK in by_kind else None,
        "fit": None if fit is None or not np.isfinite(fit) else round(fit, 3),
    }


def _line(rows: pd.DataFrame, answers: Array) -> Array:
    """Return a line from left to right, (k, 4): latent, value, lower and upper; (k, 2) where it has no band.

    A band is cut off one range of the answers beyond them: heavy tails would round away all else.
    """
    ordered = rows.sort_values("latent", kind="stable")
    values = _finite(ordered[["latent", "value", "lower", "upper"]].to_numpy(float)[_spread(len(rows), MOST_STEPS)])
    if np.isnan(values).any() or not len(values):
        return values[:, :2]
    room = np.ptp(answers)
    values[:, 2:] = values[:, 2:].clip(answers.min() - room, answers.max() + room)
    return values


def _points(rows: pd.DataFrame, most: int) -> Array:
    values = rows[["latent", "value"]].to_numpy(float)
    return _finite(values[_spread(len(values), most)])


def _finite(values: Array) -> Array:
    return values[np.isfinite(values[:, :2]).all(1)]


def _spread(n: int, most: int) -> Array:
    """Return up to so many indices, evenly over all, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def _packed(values: Array) -> dict[str, Any]:
    scale, text = encode(values, BITS)
    return {"columns": values.shape[1], "scale": scale, "data": text}
