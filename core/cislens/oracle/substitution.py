"""Single substitutions: one mutant each, or computed together where the oracle can share the work."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.oracle.answers import checked_outputs
from cislens.oracle.hooks import Outputs

if TYPE_CHECKING:
    from cislens.oracle.base import Oracle

Array = npt.NDArray[Any]
CHUNK_BYTES = 32_000_000  # of mutants made at a time
CHUNK_ROWS = 8192


def substituted(oracle: Oracle, x: Array, sites: Array) -> Iterator[tuple[slice, Outputs]]:
    """Yield which sites, and the answers to them.

    Parameters
    ----------
    oracle
        The model.
    x
        (n, length, 4), one-hot.
    sites
        Rows (sequence, position, new base), sorted by sequence.
    """
    ends = np.searchsorted(sites[:, 0], np.arange(len(x) + 1))
    unshared = 0  # the first site that was not answered yet
    for i, (start, stop) in enumerate(itertools.pairwise(ends)):
        shared = oracle._substitutions(np.asarray(x[i], oracle.dtype), sites[start:stop, 1:]) if stop > start else {}
        if shared is None:
            break
        if shared:
            rows = slice(int(start), int(stop))
            oracle.counts.predictions += rows.stop - rows.start
            yield rows, checked_outputs(shared, rows, oracle)
        unshared = int(stop)
    size = max(1, min(CHUNK_ROWS, CHUNK_BYTES // max(x[:1].size, 1)))
    for start in range(unshared, len(sites), size):
        chunk = sites[start : start + size]
        done = start
        for outputs in oracle.stream(mutants(x, chunk)):
            n = len(next(iter(outputs.values())))
            yield slice(done, done + n), outputs
            done += n


def mutants(x: Array, sites: Array) -> Array:
    """Return one mutant for each row (sequence, position, new base), (rows, length, 4)."""
    index, position, base = sites.T
    changed = x[index]
    row = np.arange(len(sites))
    changed[row, position] = 0
    changed[row, position, base] = 1
    return np.asarray(changed)
