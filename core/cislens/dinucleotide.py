"""Shuffles of sequences that keep their dinucleotides."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.sequences.container import OneHot

Codes = npt.NDArray[np.intp]
Array = npt.NDArray[Any]
EDGES_AT_ONCE = 300_000  # their keys and order stay in the cache


def _trees_to(root: int) -> list[tuple[int, ...]]:
    """List the trees over the four bases in which every base leads to `root`: the next base of each."""
    trees = []
    for following in product(range(4), repeat=4):
        reached = {root}
        for _ in range(3):
            reached |= {base for base in range(4) if following[base] in reached}
        if following[root] == root and len(reached) == 4:
            trees.append(following)
    return trees


TREES = np.array([_trees_to(root) for root in range(4)])  # (root, 16, base)


def shuffle_dinucleotides(x: OneHot, n: int, rng: np.random.Generator) -> OneHot:
    """Return `n` shuffles of each sequence that hold each dinucleotide as often as it does.

    A sequence is a walk over the four bases, each dinucleotide an edge; a shuffle is another walk over the same edges.
    The last edge out of each base must form a tree towards the walk's end; such a tree is drawn with the
    probability that it has among all walks, the other edges are put in random order, and the walk is read off. Every
    sequence with the same first base and dinucleotides is equally likely, the one shuffled included.

    N stays where it is, and what lies between is shuffled piece by piece. A walk keeps its first and last base, so
    that short pieces may have few shuffles or none but themselves.

    Parameters
    ----------
    x : (m, length, 4)
        The sequences.
    n
        Shuffles of each.
    rng
        Where chance comes from.

    Returns
    -------
    (m, n, length, 4)
        The shuffles, one-hot.

    References
    ----------
    Altschul & Erickson, Significance of nucleotide sequence alignments: a method for random sequence permutation that
    preserves dinucleotide and codon usage, 1985, 10.1093/oxfordjournals.molbev.a040370. They draw last edges until
    these form a tree; over four bases there are sixteen trees, so that we draw among those directly.
    """
    shuffled = np.repeat(x[:, None], n, axis=1)
    for rows, start, end in _pieces(np.asarray(x.any(-1))):
        codes = x[rows, start:end].argmax(-1)
        size = max(1, EDGES_AT_ONCE // (max(n, 1) * (end - start)))
        for first in range(0, len(rows), size):
            part = slice(first, first + size)
            walks = _walks(codes[part], n, rng)
            shuffled[rows[part], :, start:end] = np.eye(4, dtype=np.uint8)[walks]
    return shuffled


def _pieces(known: npt.NDArray[np.bool_]) -> Iterator[tuple[Codes, int, int]]:
    """Yield (sequences, start, end) of stretches without N that have shuffles; whole sequences all at once."""
    if known.shape[1] < 4:  # a walk over fewer than three edges has no other order
        return
    whole = known.all(1)
    if whole.any():
        yield np.flatnonzero(whole), 0, known.shape[1]
    for row in np.flatnonzero(~whole):
        bounds = np.flatnonzero(np.diff(known[row].astype(np.int8), prepend=0, append=0))
        for start, end in bounds.reshape(-1, 2):
            if end - start >= 4:
                yield np.array([row]), int(start), int(end)


def _walks(codes: Codes, n: int, rng: np.random.Generator) -> Codes:
    """Return random walks (m, n, length) over the edges of each sequence (m, length)."""
    m, length = codes.shape
    source, target = codes[:, :-1], codes[:, 1:]
    rows = np.arange(m * n)
    owner = rows // n
    # Edges in random order within each source; the one chosen to come last gets the highest key.
    keys = rng.random((m * n, length - 1))
    for edge in _last_edges(source, target, owner, rng).T:
        chosen = edge >= 0
        keys[rows[chosen], edge[chosen]] = 1.0
    order = np.argsort(keys + 2 * source[owner], axis=1)
    successors = np.take_along_axis(target[owner], order, axis=1)
    used = np.stack([(source == base).sum(1) for base in range(4)], 1)
    # Where in `successors`, seen as one long list, the next edge out of each base of each walk stands.
    following = ((np.cumsum(used, 1) - used)[owner] + rows[:, None] * (length - 1)).ravel()
    successors = successors.ravel()
    walks = np.empty((length, m * n), np.intp)
    walks[0] = codes[owner, 0]
    for position in range(1, length):
        slot = rows * 4 + walks[position - 1]
        walks[position] = successors[following[slot]]
        following[slot] += 1
    return walks.T.reshape(m, n, length)


def _last_edges(source: Codes, target: Codes, owner: Codes, rng: np.random.Generator) -> Codes:
    """Draw for each walk the edge (walks, 4) by which it leaves each base for the last time; -1 where it never does."""
    m, bases = len(source), np.arange(4)
    edges = np.stack([(source == a) & (target == b) for a in range(4) for b in range(4)], 1)
    counts = edges.sum(-1).reshape(m, 4, 4)
    first = edges.argmax(-1).reshape(m, 4, 4)
    end = target[:, -1]
    leads = counts.any(-1) & (bases != end[:, None])
    # A base that the sequence lacks hangs from the end, so that it takes no part in the choice.
    absent, base = np.nonzero(~leads & (bases != end[:, None]))
    counts[absent, base, end[absent]] = 1
    trees = TREES[end]
    ways = counts[np.arange(m)[:, None, None], bases, trees].astype(float)
    ways[np.arange(m), :, end] = 1  # the end itself leads nowhere
    weights = ways.prod(-1)
    # The first of exponential clocks to ring, each at its weight, is a draw in proportion to the weights.
    drawn = (weights[owner] / rng.standard_exponential((len(owner), weights.shape[1]))).argmax(1)
    following = trees[owner, drawn]
    return np.where(leads[owner], first[owner[:, None], bases, following], -1)
