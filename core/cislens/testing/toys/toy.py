"""What all toys share: they are oracles that bring their own examples."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

import numpy as np

from cislens.oracle.base import Array, Oracle
from cislens.oracle.fingerprint import fingerprint_of_weights
from cislens.sequences import Sequences


class Toy(Oracle):
    """An oracle in numpy and float64 whose answers are known in closed form."""

    dtype = np.float64
    unavailable = "this toy has no such inside"

    @abstractmethod
    def examples(self, n: int, rng: np.random.Generator) -> Sequences:
        """Return n sequences that hold what the toy responds to, without N."""

    @abstractmethod
    def _arrays(self) -> Iterable[Array]:
        """Return what makes the toy answer as it does, for its fingerprint."""

    def _fingerprint(self) -> str:
        return fingerprint_of_weights(self._arrays(), [self.name, self.length])


def random_onehot(n: int, length: int, rng: np.random.Generator) -> Array:
    """Return n random sequences (n, length, 4), uint8."""
    return np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (n, length))]


def plant(onehot: Array, starts: Array, bases: Array) -> None:
    """Write bases (width,), as indices into ACGT, into each sequence at its start, in place."""
    for row, start in zip(onehot, starts, strict=True):
        row[start : start + len(bases)] = np.eye(4, dtype=onehot.dtype)[bases]
