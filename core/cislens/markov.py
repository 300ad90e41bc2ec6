"""Markov models of sequences: probabilities of a base after those before it, and chains drawn from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.sequences.codes import codes_of, onehot_of
from cislens.sequences.container import OneHot, ones_by_position

Array = npt.NDArray[Any]


def drawn_bases(probabilities: Array, chance: Array) -> npt.NDArray[np.intp]:
    """Return the base for each chance in [0, 1): how many of the first three cumulated probabilities it has passed."""
    return _passed(chance, np.moveaxis(_bounds(probabilities), -1, 0))


def _passed(chance: Array, bounds: Iterable[Array]) -> npt.NDArray[np.intp]:
    """Return how many of three bounds each chance has passed."""
    first, second, third = bounds
    return np.asarray((chance >= first).astype(np.intp) + (chance >= second) + (chance >= third))


def _bounds(probabilities: Array) -> Array:
    """Return the first three cumulated probabilities (..., 3) of four."""
    # The last base that is possible is taken whatever rounding makes of the sum.
    cumulated = probabilities.cumsum(-1)
    return np.where(cumulated >= cumulated[..., -1:], np.inf, cumulated)[..., :3]


def first_context(order: int) -> int:
    """Return the row at which the contexts of an order begin in a table of all orders: 1 + 4 + 16 + ..."""
    return int((4**order - 1) // 3)


def markov_tables(x: OneHot, order: int, *, together: bool = False) -> Array:
    """Return P(base | context) for the contexts of all orders from 0 on, of each sequence or of all together.

    Returns
    -------
    (m, contexts, 4)
        One table where they are measured together.
    """
    known = ones_by_position(x).astype(bool)
    codes = codes_of(x).astype(np.intp)  # whatever they are where nothing is known
    m = 1 if together else len(x)
    tables = np.empty((m, first_context(order + 1), 4))
    shorter = np.full((m, 1, 4), 0.25)
    words, whole = np.zeros_like(codes), np.ones_like(known)
    for k in range(order + 1):
        # Words of k + 1 bases: the word that began one base earlier, and the base that follows it.
        span = max(codes.shape[1] - k, 0)
        words = words[:, :span] * 4 + codes[:, k : k + span]
        whole = whole[:, :span] & known[:, k : k + span]
        numbers = words if together else words + 4 ** (k + 1) * np.arange(m)[:, None]
        counts = np.bincount(numbers[whole], minlength=m * 4 ** (k + 1)).reshape(m, 4**k, 4)
        # A context's last k - 1 bases are its number modulo 4^(k-1), so that the shorter table repeats.
        repeated = np.tile(shorter, (1, 4**k // shorter.shape[1], 1))
        shorter = (counts + repeated) / (counts.sum(2, keepdims=True) + 1)
        tables[:, first_context(k) : first_context(k + 1)] = shorter
    return tables


def markov_chains(known: npt.NDArray[np.bool_], tables: Array, order: int, chance: Array) -> OneHot:
    """Return chains (m, n, length, 4) from chances (m, n, length), zero where the sequence (m, length) is not known.

    The tables are one for each sequence, or one for all.
    """
    m, n, length = chance.shape
    bounds = _bounds(tables).reshape(-1, 3).T.copy()
    own = (np.arange(m) * tables.shape[1] if len(tables) > 1 else np.zeros(m, np.intp))[:, None]
    first = np.array([first_context(k) for k in range(order + 1)])
    seen, context = np.zeros((m, 1), np.intp), np.zeros((m, n), np.intp)
    bases = np.empty((length, m, n), np.uint8)
    for position, at in enumerate(np.ascontiguousarray(chance.transpose(2, 0, 1))):
        place = own + first[seen] + context
        bases[position] = drawn = _passed(at, (bound[place] for bound in bounds))
        follows = known[:, position, None]
        seen = np.where(follows, np.minimum(seen + 1, order), 0)
        context = (context * 4 + drawn) % 4**seen  # without any context where it is not known
    onehot = onehot_of(np.ascontiguousarray(bases.transpose(1, 2, 0)))
    onehot *= known[:, None, :, None]
    return onehot
