"""Seqlets and patterns, as modisco finds them on one map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from modiscolite.core import Seqlet, TrackSet
from modiscolite.extract_seqlets import extract_seqlets
from modiscolite.tfmodisco import seqlets_to_patterns

from cislens_modisco.found import LEAST_PASSING

if TYPE_CHECKING:
    from cislens_modisco.found import Map
    from cislens_modisco.modisco import Modisco

Array = npt.NDArray[Any]
# modisco's own: the quantile of the windows' sums from which a seqlet counts, and how many seqlets of two patterns are
# compared.
COUNTED = 0.8
COMPARED = 1000


@dataclass(frozen=True, eq=False)
class Seqlets:
    """Hold the windows over which the sum of contributions is large.

    Parameters
    ----------
    row, start : (s,)
        The sequence of each, and where its window starts, 0-based.
    total : (s,)
        The sum of contributions over the window.
    threshold
        What the size of the sum exceeds, which where `passing` decides may be by far; infinite where modisco's null
        could not be fitted.
    refusal
        Why it could not, empty where it was.
    """

    row: Array
    start: Array
    total: Array
    threshold: float
    refusal: str = ""

    def of_sign(self, sign: int) -> Seqlets:
        """Return those that raise (1) or lower (-1) the target, the largest first."""
        passed = np.flatnonzero(sign * self.total > self.threshold)
        return self.take(passed[np.argsort(-np.abs(self.total[passed]), kind="stable")])

    def take(self, index: Any) -> Seqlets:
        """Return the seqlets at these positions."""
        return Seqlets(self.row[index], self.start[index], self.total[index], self.threshold, self.refusal)

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, eq=False)
class Pattern:
    """Hold the sites of a pattern as they lie on each other, all `width` bp wide.

    Parameters
    ----------
    row, start : (s,)
        The sequence of each, and where it starts, 0-based; it may reach beyond the ends.
    reverse : (s,)
        Whether it reads on the reverse strand.
    width
        In bp.
    """

    row: Array
    start: Array
    reverse: Array
    width: int


def called(contributions: Array, asked: Modisco) -> Seqlets:
    """Return the seqlets of a map (n, length), those in the middle of the sequences alone if that is asked for."""
    length = contributions.shape[1]
    central = length if asked.central is None else asked.central
    first = max(length - central, 0) // 2
    inside = np.asarray(contributions[:, first : first + central], np.float64)
    try:
        seqlets, threshold = extract_seqlets(
            attribution_scores=inside,
            window_size=asked.window,
            flank=asked.flank,
            suppress=asked.window // 2 + asked.flank,
            target_fdr=asked.rate,
            min_passing_windows_frac=LEAST_PASSING,
            max_passing_windows_frac=asked.passing,
            weak_threshold_for_counting_sign=COUNTED,
        )
    except (ArithmeticError, IndexError, ValueError) as error:
        # So it ends on a map of a single sign, or of nearly nothing, and nothing tells beforehand on which.
        none = np.empty(0, int)
        return Seqlets(none, none, np.empty(0), math.inf, f"{type(error).__name__}: {error}")
    row = np.array([seqlet.example_idx for seqlet in seqlets], int)
    start = np.array([seqlet.start for seqlet in seqlets], int) + asked.flank
    total = inside[row[:, None], start[:, None] + np.arange(asked.window)].sum(1)
    return Seqlets(row, start + first, total, float(threshold))


def patterns(read: Map, seqlets: Seqlets, sign: int, asked: Modisco) -> list[Pattern]:
    """Return the patterns of seqlets that raise (1) or lower (-1) the target, in modisco's order."""
    # As many N stand before and after each sequence as a pattern is wide. Without them modisco would leave out each
    # seqlet whose pattern reaches beyond an end, which of short sequences are most.
    beyond = asked.core + 2 * asked.margin
    tracks = _continued(read, beyond)
    starts = (seqlets.start - asked.flank + beyond).tolist()
    width = asked.window + 2 * asked.flank
    placed = [Seqlet(row, start, start + width, False) for row, start in zip(seqlets.row.tolist(), starts, strict=True)]
    found = seqlets_to_patterns(
        tracks.create_seqlets(placed),
        tracks,
        sign,
        n_leiden_runs=asked.leiden_runs,
        trim_to_window_size=asked.core,
        initial_flank_to_add=asked.margin,
        final_min_cluster_size=asked.sites,
        merging_max_seqlets_subsample=COMPARED,
    )
    return [_pattern(pattern.seqlets, beyond) for pattern in found or ()]


def _continued(read: Map, beyond: int) -> TrackSet:
    """Return sequences and map as modisco takes them, with so many N at either end.

    An N is a quarter of each base, which contributes nothing: where no base at all stands, frequencies are undefined.
    """
    around = ((0, 0), (beyond, beyond), (0, 0))
    onehot = np.pad(read.onehot.astype(np.float32), around)
    onehot[~onehot.any(-1)] = 0.25
    hypothetical = np.pad(read.hypothetical.astype(np.float32), around)
    return TrackSet(one_hot=onehot, contrib_scores=onehot * hypothetical, hypothetical_contribs=hypothetical)


def _pattern(seqlets: Sequence[Seqlet], beyond: int) -> Pattern:
    return Pattern(
        np.array([seqlet.example_idx for seqlet in seqlets], int),
        np.array([seqlet.start for seqlet in seqlets], int) - beyond,
        np.array([seqlet.is_revcomp for seqlet in seqlets], bool),
        len(seqlets[0]),
    )
