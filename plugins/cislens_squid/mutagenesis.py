"""Which substitutions the variants of a library hold, drawn or listed, without writing any sequence out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Substitutions:
    """Hold the substitutions of many variants of one element, variant after variant.

    Parameters
    ----------
    counts : (n,)
        How many each variant holds.
    sites : (m,)
        Where, in ascending order within a variant: 0 to width - 1.
    changes : (m,)
        Which of the three other bases: 0 to 2, as `changed` counts them.
    """

    counts: Array
    sites: Array
    changes: Array

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def offsets(self) -> Array:
        """Where each variant's substitutions begin, and after the last where they end, (n + 1,)."""
        return np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])

    def after_wild_type(self) -> Substitutions:
        """Return the same variants after one without a substitution."""
        return Substitutions(np.concatenate([[0], self.counts]), self.sites, self.changes)


def changed(wild: Array, changes: Array | int) -> Array:
    """Return the codes of other bases, counted by 0 to 2 from the wild type's upwards in ACGT, round.

    Codes and changes fit by numpy's rules.
    """
    return np.asarray((wild + 1 + changes) % 4)


def partial_mutagenesis(width: int, n: int, rate: float, rng: np.random.Generator) -> Substitutions:
    """Draw variants whose numbers of substitutions are Poisson distributed.

    Parameters
    ----------
    width
        Of the element, in bp.
    n
        How many variants.
    rate
        Mean number of substitutions a base: width x rate a variant. A number above the width counts as the width.
    rng
        Where chance comes from.

    References
    ----------
    Seitz et al. 2024, 10.1038/s42256-024-00851-5, Methods: the SQUID framework.
    """
    if not 0 < rate <= 1:
        raise CislensError(f"the mutation rate must lie above 0 and at most at 1, got {rate}")
    return _drawn(np.minimum(rng.poisson(width * rate, n), width), width, rng)


def exact_mutagenesis(width: int, n: int, substitutions: int, rng: np.random.Generator) -> Substitutions:
    """Draw variants that hold exactly so many substitutions each."""
    if not 1 <= substitutions <= width:
        raise CislensError(
            f"the number of substitutions must lie between 1 and the {width} bp that can change, got {substitutions}"
        )
    return _drawn(np.full(n, substitutions), width, rng)


def all_single_mutants(width: int) -> Substitutions:
    """List the 3 x width single mutants."""
    return Substitutions(np.ones(3 * width, np.int64), *_singles(width))


def all_double_mutants(width: int) -> Substitutions:
    """List all single mutants, then the 9 x width x (width - 1) / 2 double mutants."""
    first, second = np.triu_indices(width, 1)
    changes = np.stack(np.meshgrid(np.arange(3), np.arange(3), indexing="ij"), -1).reshape(9, 2)
    sites = np.repeat(np.stack([first, second], 1), 9, axis=0)
    pairs = np.tile(changes, (len(first), 1))
    single_sites, single_changes = _singles(width)
    return Substitutions(
        np.concatenate([np.ones(3 * width, np.int64), np.full(len(sites), 2)]),
        np.concatenate([single_sites, sites.ravel()]),
        np.concatenate([single_changes, pairs.ravel().astype(np.uint8)]),
    )


def _singles(width: int) -> tuple[Array, Array]:
    return np.repeat(np.arange(width), 3), np.tile(np.arange(3, dtype=np.uint8), width)


def _drawn(counts: Array, width: int, rng: np.random.Generator) -> Substitutions:
    """Draw so many different sites for each variant, every set of that size equally likely, and a change for each.

    Where more than half of the sites are to change, those that do not are drawn: the last free sites are hard to hit.
    """
    many = 2 * counts > width
    held = _different(np.where(many, width - counts, counts), width, rng)
    if many.any():
        whole = (np.flatnonzero(many)[:, None] * width + np.arange(width)).ravel()
        others = np.setdiff1d(whole, held, assume_unique=True)
        held = np.sort(np.concatenate([held[~many[held // width]], others]))
    return Substitutions(np.asarray(counts, np.int64), held % width, rng.integers(0, 3, len(held)).astype(np.uint8))


def _different(counts: Array, width: int, rng: np.random.Generator) -> Array:
    """Draw so many different sites for each variant; return variant x width + site, ascending.

    Sites are drawn with replacement, and what a variant holds twice is dropped and drawn anew until none is. No step
    tells one site from another, so that all sets of one size stay equally likely.
    """
    total = int(counts.sum())
    held, missing = np.empty(0, np.int64), counts
    while len(held) < total:
        drawn = np.repeat(np.arange(len(counts)) * width, missing)
        held = np.sort(np.concatenate([held, drawn + rng.integers(0, width, len(drawn))]))
        held = held[np.diff(held, prepend=-1) > 0]
        missing = counts - np.bincount(held // width, minlength=len(counts))
    return held
