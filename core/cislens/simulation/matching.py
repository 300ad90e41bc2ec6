"""How well a window matches a motif: the mean probability of its bases, as it is or relative to the best match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.sequences.codes import Codes
from cislens.simulation.grammar import Grammar

Array = npt.NDArray[Any]
WORD = 8  # bases looked up at once: 65,536 words, whose table stays in the cache
SLACK = 1e-9  # of rounding, in a match score


@dataclass(frozen=True, eq=False)
class Matcher:
    """Find the windows of sequences that match any motif, on either strand.

    Parameters
    ----------
    matrices
        Probabilities (width, 4) of each motif.
    bounds
        The match score from which a window counts, one for each motif; none is reached above 1.
    """

    matrices: tuple[Array, ...]
    bounds: tuple[float, ...]

    def hits(self, codes: Codes) -> Hits:
        """Return the matching windows of sequences (n, length)."""
        found = []
        for size in {probe.size for probe in self._probes}:
            numbers = word_numbers(codes, size)
            # One look-up a position tells for all motifs at once where a match may be; few places hold one.
            places = np.flatnonzero(self._any_promising[size][numbers])
            rows, at = np.divmod(places, max(numbers.shape[1], 1))
            words = numbers.ravel()[places]
            for probe in self._probes:
                if probe.size == size:
                    promising = probe.promising[words]
                    found.append(probe.matches(codes, rows[promising], at[promising]))
        return _joined(found)

    @cached_property
    def _probes(self) -> list[_Probe]:
        both = zip(self.matrices, self.bounds, strict=True)
        reachable = [(m, bound) for m, bound in both if m.max(1).mean() >= bound - SLACK]
        return [_Probe(strand, bound) for m, bound in reachable for strand in (m, m[::-1, ::-1])]

    @cached_property
    def _any_promising(self) -> dict[int, Array]:
        joined: dict[int, Array] = {}
        for probe in self._probes:
            joined[probe.size] = joined.get(probe.size, np.zeros(4**probe.size, bool)) | probe.promising
        return joined


@dataclass(frozen=True, eq=False)
class _Probe:
    """A motif on one strand, with the words that can stand in a match where they tell most."""

    matrix: Array
    bound: float

    @property
    def size(self) -> int:
        return min(WORD, len(self.matrix))

    @cached_property
    def offset(self) -> int:
        """Where in the motif the word stands whose bases can lose most."""
        loss = self.matrix.max(1) - self.matrix.mean(1)
        return int(np.convolve(loss, np.ones(self.size), "valid").argmax())

    @cached_property
    def promising(self) -> Array:
        """Which words, with the best of bases around them, reach the bound: (4 ** size,)."""
        inside = slice(self.offset, self.offset + self.size)
        scores = np.zeros(1)
        for column in self.matrix[inside]:
            scores = (scores[:, None] + column).ravel()
        around = self.matrix.max(1).sum() - self.matrix[inside].max(1).sum()
        return np.asarray(scores + around >= (self.bound - SLACK) * len(self.matrix))

    def matches(self, codes: Codes, rows: Array, at: Array) -> Hits:
        """Return the windows that match among those whose word stands at `at`."""
        width = len(self.matrix)
        starts = at - self.offset
        fits = (starts >= 0) & (starts + width <= codes.shape[1])
        rows, starts = rows[fits], starts[fits]
        score = self.matrix[np.arange(width), codes[rows[:, None], starts[:, None] + np.arange(width)]].mean(1)
        matched = score >= self.bound - SLACK
        return Hits(rows[matched], starts[matched], starts[matched] + width)


@dataclass(frozen=True, eq=False)
class Hits:
    """Hold matching windows: the row of the sequence, start and end (0-based, half-open), each (hits,)."""

    rows: Array
    starts: Array
    ends: Array

    def apart_from(self, spans: Array) -> Hits:
        """Return the hits that overlap none of their sequence's spans (n, spans, 2)."""
        held = spans[self.rows]
        apart = ~((self.starts[:, None] < held[..., 1]) & (self.ends[:, None] > held[..., 0])).any(1)
        return Hits(self.rows[apart], self.starts[apart], self.ends[apart])


def matcher_of(grammar: Grammar) -> Matcher:
    """Return what finds the chance matches that a grammar removes."""
    matrices = tuple(motif.probabilities() for motif in grammar.motifs)
    if grammar.spurious == "kept":
        return Matcher((), ())
    if grammar.spurious == "relative":
        return Matcher(matrices, tuple(grammar.threshold * m.max(1).mean() for m in matrices))
    # "Over" the threshold, not at it, as ARGMINN states it.
    return Matcher(matrices, (grammar.threshold + 2 * SLACK,) * len(matrices))


def relative_score(matrix: Array, codes: Codes) -> Array:
    """Return the match scores of windows (n, width) as shares of the best attainable one."""
    return np.asarray(matrix[np.arange(len(matrix)), codes].sum(1) / matrix.max(1).sum())


def word_numbers(codes: Codes, size: int) -> Array:
    """Return the number, in base 4, of the word of `size` bases at each start, (n, length - size + 1)."""
    starts = max(codes.shape[1] - size + 1, 0)
    numbers = np.zeros((len(codes), starts), np.uint16)
    for place in range(size):
        numbers <<= np.uint16(2)
        numbers |= codes[:, place : place + starts]
    return numbers


def _joined(parts: Sequence[Hits]) -> Hits:
    if not parts:
        empty = np.empty(0, np.intp)
        return Hits(empty, empty, empty)
    return Hits(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "starts", "ends")))
