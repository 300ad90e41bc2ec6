"""Where a motif matches and a map is large and alike: the candidates of instances, and which of them are called."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.discovery.matching import Matching
from cislens.discovery.seqlets import LEAST, PASSES, null_maps, threshold_at
from cislens.motif import Motif
from cislens.spans import apart, cover

Array = npt.NDArray[Any]
PROFILE_ROUNDS = 3  # of the mean profile, which settles at once


@dataclass(frozen=True, eq=False)
class Calls:
    """Hold windows of sequences that match a motif, (k,) each.

    Parameters
    ----------
    motif
        Its number.
    row, start, end
        Where, 0-based and half-open.
    reverse
        Whether the motif reads on the reverse strand.
    score, p_value
        Its log-odds in bits, and how often the background scores as much.
    likeness
        The cosine of what the window's positions contribute with the motif's profile.
    size
        The projection of what they contribute on that profile, in root mean squares of the map.
    """

    motif: Array
    row: Array
    start: Array
    end: Array
    reverse: Array
    score: Array
    p_value: Array
    likeness: Array
    size: Array

    def __len__(self) -> int:
        return len(self.row)

    def take(self, index: Any) -> Calls:
        """Return the calls at these positions."""
        return Calls(*(part[index] for part in vars(self).values()))


def joined(parts: Sequence[Calls]) -> Calls:
    """Return the calls of several motifs, of one at least."""
    return Calls(*(np.concatenate(column) for column in zip(*(vars(part).values() for part in parts), strict=True)))


@dataclass(frozen=True, eq=False)
class Caller:
    """Call the instances of motifs on one map.

    Parameters
    ----------
    codes : (n, length)
        0 to 3 for ACGT, 4 for N.
    values : (n, length)
        What the positions contribute, in root mean squares of the map.
    p_value
        Of a match, at most.
    likeness
        Cosine with the motif's profile, at least.
    rate
        False-discovery rate among the matches of a motif, against the same map with its positions drawn at random.
    """

    codes: Array
    values: Array
    p_value: float
    likeness: float
    rate: float

    def calls(self, motifs: Sequence[Motif], rng: np.random.Generator) -> Calls:
        """Return the matches of motifs, of one at least, where the map is large and alike."""
        matches = [self._matches(k, motif) for k, motif in enumerate(motifs)]
        profiles = [
            _profile(self._windows(self.values, found, len(motif)), motif)
            for found, motif in zip(matches, motifs, strict=True)
        ]
        called = np.zeros(self.values.shape, bool)
        calls = joined(matches)
        for _ in range(PASSES):
            null = self._by_chance(matches, profiles, null_maps(self.values, called, rng))
            calls = joined([self._large(*each) for each in zip(matches, profiles, null, strict=True)])
            cover(called, calls.row, calls.start, calls.end)
        return calls

    def _by_chance(
        self, matches: Sequence[Calls], profiles: Sequence[Array], chance_maps: Iterable[Array]
    ) -> list[list[Array]]:
        """Return for each motif how much of its profile the windows of its matches hold in chance maps, map by map."""
        null: list[list[Array]] = [[] for _ in matches]
        for values in chance_maps:
            for found, profile, sizes in zip(matches, profiles, null, strict=True):
                size, likeness = self._projected(values, found, profile)
                sizes.append(size[likeness >= self.likeness])
        return null

    def _large(self, matches: Calls, profile: Array, null: Sequence[Array]) -> Calls:
        """Return the matches whose windows hold more of the motif's profile than chance maps would."""
        size, likeness = self._projected(self.values, matches, profile)
        alike = likeness >= self.likeness
        threshold = max(LEAST, threshold_at(size[alike], null, self.rate))
        return replace(matches, likeness=likeness, size=size).take(np.flatnonzero(alike & (size >= threshold)))

    def _matches(self, number: int, motif: Motif) -> Calls:
        """Return the windows that match a motif on either strand, whatever the map says."""
        parts = []
        for reverse in (False, True):
            matching = Matching(motif.reverse_complement() if reverse else motif)
            scores = matching.scores(self.codes)
            row, start = np.nonzero(scores >= matching.least(self.p_value))
            score = scores[row, start]
            size = np.zeros(len(row))
            parts.append(
                Calls(
                    np.full(len(row), number),
                    row,
                    start,
                    start + len(motif),
                    np.full(len(row), reverse),
                    score * matching.step,
                    matching.p_values(score),
                    size,
                    size,
                )
            )
        return joined(parts)

    def _projected(self, values: Array, calls: Calls, profile: Array) -> tuple[Array, Array]:
        """Return the projections of windows on a profile of length 1, (k,), and their cosines with it."""
        contributed = self._windows(values, calls, len(profile))
        length = np.linalg.norm(contributed, axis=1)
        projected = contributed @ profile
        return projected, np.divide(projected, length, out=np.zeros_like(projected), where=length > 0)

    @staticmethod
    def _windows(values: Array, calls: Calls, width: int) -> Array:
        """Return what each position of the calls contributes, (k, width), as the motif reads."""
        places = np.arange(width)
        offsets = np.where(calls.reverse[:, None], places[::-1], places)
        return np.asarray(values[calls.row[:, None], calls.start[:, None] + offsets])


def _profile(contributed: Array, motif: Motif) -> Array:
    """Return what the positions of a motif contribute where it counts, (width,), of length 1.

    It starts from the information of the positions, with the sign of what contributes most, and is then the mean over
    the windows, each weighed by the square of how much of it they hold: chance matches hold little.
    """
    information = motif.information()
    profile = np.asarray(information / max(float(np.linalg.norm(information)), math.ulp(1)))
    if not len(contributed):
        return profile
    profile = profile * (-1 if ((contributed @ profile) ** 3).sum() < 0 else 1)
    for _ in range(PROFILE_ROUNDS):
        mean = (np.maximum(contributed @ profile, 0) ** 2) @ contributed
        length = float(np.linalg.norm(mean))
        profile = mean / length if length > 0 else profile
    return profile


def standing_apart(calls: Calls, share: float) -> Calls:
    """Return the calls that stand apart, of those that do not the one that explains most of the map, by place.

    Calls of one motif stand apart where they do not overlap; those of two where they share no more than `share` of the
    shorter one.
    """
    largest = np.argsort(-calls.size, kind="stable")
    kept = calls.take(apart(calls.row, calls.start, calls.end, largest, calls.motif, share))
    return kept.take(np.lexsort((kept.end, kept.start, kept.row)))
