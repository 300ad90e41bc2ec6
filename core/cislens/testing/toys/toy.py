"""What all toys share: they are oracles that bring their own examples, and know the answer."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np

from cislens.errors import CislensError
from cislens.oracle.base import Array, Oracle
from cislens.oracle.fingerprint import fingerprint_of_weights
from cislens.oracle.substitution import mutants
from cislens.sequences import Sequences
from cislens.testing.toys.known import Knowledge
from cislens.truth import Truth


class Toy(Oracle):
    """An oracle in numpy and float64 whose answers are known in closed form.

    `attribution` says what each substitution does, `truth` what is in a sequence and why it is positive.
    """

    dtype = np.float64
    unavailable = "this toy has no such inside"
    # What it responds to, where that is motifs.
    knowledge: Knowledge | None = None

    @abstractmethod
    def examples(self, n: int, rng: np.random.Generator) -> Sequences:
        """Return n sequences that hold what the toy responds to, without N."""

    @abstractmethod
    def _arrays(self) -> Iterable[Array]:
        """Return what makes the toy answer as it does, for its fingerprint."""

    def _fingerprint(self) -> str:
        return fingerprint_of_weights(self._arrays(), [self.name, self.length])

    def attribution(self, sequences: Sequences) -> Array:
        """Return the exact effect of every substitution, by asking for each; toys with a closed form give that.

        Nothing is counted: this is the answer, not a way to it.

        Returns
        -------
        Array
            (t, n, length, 4), one map for each number that the toy answers with: what the answer changes by when the
            base is set there. Zero at the observed base (the wild-type gauge) and at N; only the linear toy, whose map
            speaks of no sequence, gives it in the uniform gauge.
        """
        x = sequences.onehot.astype(np.float64)
        before = self._scalars(x)
        effects = np.zeros((before.shape[1], *x.shape))
        for i, one in enumerate(sequences.onehot):
            sites = np.argwhere(one.any(-1, keepdims=True) & (one == 0))
            changed = mutants(x[i : i + 1], np.insert(sites, 0, 0, axis=1))
            effects[:, i, sites[:, 0], sites[:, 1]] = (self._scalars(changed) - before[i]).T
        return effects

    def _scalars(self, x: Array) -> Array:
        answers = self._predict(x).values()
        return np.concatenate([answer.reshape(len(x), math.prod(answer.shape[1:])) for answer in answers], axis=1)

    def truth(self, sequences: Sequences) -> Truth:
        """Return what is in the sequences: instances, labels, and the rule that makes them.

        An instance is a window that scores at least what the toy asks of one; a sequence is positive where the rule
        holds for the instances in it. Sufficient and necessary masks follow from both (`Truth.masks`).

        Raises
        ------
        CislensError
            If the toy does not respond to motifs: then the answer is its attribution.
        """
        if self.knowledge is None:
            raise CislensError(
                f"a truth speaks of motifs, and the {self.name} responds to none: compare with its attribution"
            )
        return self.knowledge.truth(sequences)


def random_onehot(n: int, length: int, rng: np.random.Generator) -> Array:
    """Return n random sequences (n, length, 4), uint8."""
    return np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (n, length))]


def plant(onehot: Array, starts: Array, bases: Array) -> None:
    """Write bases (width,), as indices into ACGT, into each sequence at its start, in place."""
    for row, start in zip(onehot, starts, strict=True):
        row[start : start + len(bases)] = np.eye(4, dtype=onehot.dtype)[bases]


def two_places(length: int, widths: Sequence[int], rng: np.random.Generator) -> tuple[int, int]:
    """Return random starts of two motifs of these widths that do not overlap, in either order."""
    before, between = np.sort(rng.integers(0, length - sum(widths) + 1, 2))
    if rng.random() < 0.5:
        return int(before), int(between) + widths[0]
    return int(between) + widths[1], int(before)


def substitutions_only(effects: Array, sequences: Sequences) -> Array:
    """Return effects (n, length, 4) where they are of a substitution: zero at the observed base and at N."""
    known = sequences.onehot.any(-1, keepdims=True)
    return np.asarray(np.where(known & (sequences.onehot == 0), effects, 0.0))
