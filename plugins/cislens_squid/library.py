"""A library of variants, kept as substitutions and written out as one-hot blocks when the oracle is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens.sequences.codes import onehot_of
from cislens_squid.mutagenesis import Substitutions, changed

Array = npt.NDArray[Any]
BLOCK = 2048  # variants written out at a time
UNKNOWN = 4  # the code of N


@dataclass(frozen=True, eq=False)
class Library:
    """Hold variants of an element in a frame.

    A library of 100,000 variants of 249 bp, each with 25 substitutions, takes about 25 MB, a quarter of its one-hot
    form. In a local library the frame is the sequence of interest; in a global one each variant has a frame of its own.

    Parameters
    ----------
    frames : (length,) or (n, length)
        Codes of the sequences around the element, 0 to 3 for ACGT and 4 for N; one for all, or one for each variant.
    sites : (width,)
        Positions of the element's bases in the frame.
    wild : (width,)
        Codes of the element's wild type at these sites.
    substitutions
        Of each variant, at places 0 to width - 1 of `sites`.
    """

    frames: Array
    sites: Array
    wild: Array
    substitutions: Substitutions

    def __post_init__(self) -> None:
        if self.frames.ndim == 2 and len(self.frames) != len(self.substitutions):
            raise CislensError(
                f"a library of {len(self.substitutions)} variants needs a frame for each, got {len(self.frames)}"
            )
        if len(self.sites) != len(self.wild) or (len(self.wild) and self.wild.max() >= UNKNOWN):
            raise CislensError("the element must have a known base at each of its sites")

    def __len__(self) -> int:
        return len(self.substitutions)

    @property
    def width(self) -> int:
        """How many bp can change."""
        return len(self.sites)

    def element(self, rows: Array) -> Array:
        """Return the codes of some variants' elements, (rows, width)."""
        codes = np.tile(self.wild, (len(rows), 1))
        counts = self.substitutions.counts[rows]
        begin = self.substitutions.offsets[rows]
        held = np.repeat(begin - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        places = self.substitutions.sites[held]
        codes[np.repeat(np.arange(len(rows)), counts), places] = changed(
            self.wild[places], self.substitutions.changes[held]
        )
        return codes

    def blocks(self, size: int = BLOCK) -> Iterator[Array]:
        """Yield the variants as one-hot blocks, uint8 (up to size, length, 4), in order."""
        for start in range(0, len(self), size):
            rows = np.arange(start, min(start + size, len(self)))
            codes = self.frames[rows] if self.frames.ndim == 2 else np.tile(self.frames, (len(rows), 1))
            codes[:, self.sites] = self.element(rows)
            yield _onehot(codes)


def _onehot(codes: Array) -> Array:
    known = codes < UNKNOWN
    onehot = onehot_of(np.where(known, codes, 0))
    return onehot if known.all() else onehot * known[..., None]


def mutable_sites(codes: Array, window: tuple[int, int]) -> Array:
    """Return the positions of a window at which a sequence (length,) has a known base: an N is never changed."""
    start, stop = window
    if not 0 <= start < stop <= len(codes):
        raise CislensError(f"a window must lie within the {len(codes)} bp of the sequence, got {start}-{stop}")
    sites = np.flatnonzero(codes[start:stop] < UNKNOWN) + start
    if not len(sites):
        raise CislensError(f"the window {start}-{stop} must hold a base that can change, but is all N")
    return sites
