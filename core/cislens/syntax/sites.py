"""The instances of a report as arrays, and the pairs of them that share a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.report import MotifReport

Array = npt.NDArray[Any]
# What the codes of `arrangements` stand for.
ARRANGEMENTS = (("1-2", "++"), ("2-1", "++"), ("1-2", "+-"), ("2-1", "+-"))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Hold pairs of instances, those of two motifs next to each other.

    Parameters
    ----------
    left, right
        Indices into the instances: the one that starts first, and the other.
    key
        Which motifs they are of, rising: the smaller number times `motifs`, plus the larger.
    motifs
        How many motifs there are.
    """

    left: Array
    right: Array
    key: Array
    motifs: int

    def of(self, motif_1: int, motif_2: int) -> tuple[Array, Array]:
        """Return (left, right) of the pairs of two motifs, the smaller number first."""
        key = motif_1 * self.motifs + motif_2
        held = slice(*np.searchsorted(self.key, [key, key + 1]))
        return self.left[held], self.right[held]


@dataclass(frozen=True, eq=False)
class Sites:
    """Hold the k instances of a report, in the order in which they stand in each sequence.

    Parameters
    ----------
    motifs
        Ids of the motifs, in the order of the report's.
    n, length
        How many sequences they were looked for in, and their length in bp.
    motif, sequence : (k,)
        Indices into the motifs and the sequences.
    start, end : (k,)
        0-based and half-open.
    reverse : (k,)
        Whether it reads on the minus strand.
    """

    motifs: tuple[str, ...]
    n: int
    length: int
    motif: Array
    sequence: Array
    start: Array
    end: Array
    reverse: Array

    @classmethod
    def of(cls, report: MotifReport) -> Self:
        """Read the instances of a report.

        Raises
        ------
        ReportError
            If it holds no table of instances, or one lies in a sequence that it does not hold.
        """
        table = report.instances
        if table is None:
            raise ReportError("syntax is counted over instances, but the report holds no table of them")
        names = [motif.id for motif in report.motifs]
        motifs = tuple(dict.fromkeys([*names, *map(str, table["motif"])]))
        ids = report.sequences.ids or tuple(dict.fromkeys(map(str, table["sequence"])))
        place = {name: i for i, name in enumerate(ids)}
        if strangers := set(table["sequence"]) - set(place):
            raise ReportError(f"instances must lie in the report's sequences, got one in {sorted(strangers)[0]!r}")
        number = {name: i for i, name in enumerate(motifs)}
        sequence = table["sequence"].map(place).to_numpy(np.intp)
        start, end = table["start"].to_numpy(np.intp), table["end"].to_numpy(np.intp)
        order = np.lexsort((end, start, sequence))
        return cls(
            motifs,
            len(ids),
            report.sequences.length or int(end.max(initial=0)),
            table["motif"].map(number).to_numpy(np.intp)[order],
            sequence[order],
            start[order],
            end[order],
            (table["strand"] == "-").to_numpy(bool)[order],
        )

    def of_motif(self, motif: int) -> Array:
        """Return the indices of a motif's instances."""
        order, bounds = self._by_motif
        return np.asarray(order[bounds[motif] : bounds[motif + 1]])

    def spectrum(self, motif: int, *, reverse: bool, ends: bool) -> Array:
        """Return the Fourier transform of how many sites of a motif and strand start (or end) at each place, (f,).

        Sequences are told apart no more, and places are filled up to twice the length, so that those of two motifs
        can be multiplied.
        """
        key = (motif, reverse, ends)
        if key not in self._spectra:
            held = self.of_motif(motif)
            positions = (self.end if ends else self.start)[held[self.reverse[held] == reverse]]
            self._spectra[key] = np.fft.rfft(np.bincount(positions, minlength=self.length + 1), 2 * (self.length + 1))
        return self._spectra[key]

    @cached_property
    def _spectra(self) -> dict[tuple[int, bool, bool], Array]:
        return {}

    @cached_property
    def _by_motif(self) -> tuple[Array, Array]:
        order = np.argsort(self.motif, kind="stable")
        return order, np.searchsorted(self.motif[order], np.arange(len(self.motifs) + 1))

    def pairs(self, overlap: int) -> Pairs:
        """Return every two instances of one sequence that overlap by so many bp at most."""
        parts = [(np.empty(0, np.intp),) * 2, *self._by_distance(overlap)]
        left, right = (np.concatenate(part) for part in zip(*parts, strict=True))
        ends = np.sort([self.motif[left], self.motif[right]], axis=0)
        key = ends[0] * len(self.motifs) + ends[1]
        order = np.argsort(key, kind="stable")
        return Pairs(left[order], right[order], key[order], len(self.motifs))

    def _by_distance(self, overlap: int) -> Iterator[tuple[Array, Array]]:
        for lag in range(1, len(self.motif)):
            left = np.flatnonzero(self.sequence[lag:] == self.sequence[:-lag])
            if not len(left):
                return
            apart = self.start[left + lag] - self.end[left] >= -overlap
            yield left[apart], left[apart] + lag

    def counts(self) -> Array:
        """Return how many instances of each motif each sequence holds, (n, motifs)."""
        held = np.zeros((self.n, len(self.motifs)), np.intp)
        np.add.at(held, (self.sequence, self.motif), 1)
        return held


def arrangements(motif_left: Array, motif_right: Array, reverse_left: Array, reverse_right: Array) -> Array:
    """Return the order and orientation of pairs, as indices into `ARRANGEMENTS`.

    They are read on the strand on which motif_1 (the one with the smaller number) reads forward. Of two instances of
    one motif the first to be read is motif_1; where they face each other or away, the left one.
    """
    both_reverse = reverse_left & reverse_right
    first_is_left = (motif_left < motif_right) | ((motif_left == motif_right) & ~both_reverse)
    turned = np.where(first_is_left, reverse_left, reverse_right)
    return np.asarray(np.where(first_is_left == turned, 1, 0) + 2 * (reverse_left != reverse_right))
