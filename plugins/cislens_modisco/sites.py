"""From a pattern's seqlets to a motif and its instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens import Motif, MotifReport
from cislens.discovery.instances import FURTHER
from cislens.discovery.maps import base_frequencies
from cislens.discovery.matching import Matching
from cislens.discovery.windows import Sites, windows
from cislens.report import TABLES
from cislens.sequences.codes import codes_with_n
from cislens_modisco.found import Found, Map
from cislens_modisco.patterns import Pattern

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Located:
    """Hold the sites of a motif and what is read there, each as the motif reads.

    Parameters
    ----------
    motif
        The counts of the sites.
    sites
        Where.
    onehot : (s, width, 4)
        Their sequences.
    contributed : (s, width)
        What their positions contribute.
    """

    motif: Motif
    sites: Sites
    onehot: Array
    contributed: Array

    def named(self, name: str) -> Located:
        """Return the same under another id."""
        return replace(self, motif=replace(self.motif, id=name, name=name))

    def rows(self, ids: Array, target: str) -> dict[str, Array]:
        """Return the sites as rows of a table, with the columns that the step `instances` gives."""
        matching = Matching(self.motif)
        grid = matching.scores(codes_with_n(self.onehot))[:, 0]
        profile = self.contributed.mean(0)
        length = np.linalg.norm(self.contributed, axis=1) * np.linalg.norm(profile)
        start = self.sites.centre - len(self.motif) // 2
        columns = (
            np.full(len(self.sites), self.motif.id, object),
            ids[self.sites.row],
            start,
            start + len(self.motif),
            np.where(self.sites.reverse, "-", "+").astype(object),
            grid * matching.step,
            matching.p_values(grid),
            self.contributed.sum(1),
            np.divide(self.contributed @ profile, length, out=np.zeros(len(length)), where=length > 0),
            np.full(len(self.sites), target, object),
        )
        return dict(zip((*TABLES["instances"], *FURTHER), columns, strict=True))


def instances(report: MotifReport, found: Sequence[Found]) -> pd.DataFrame:
    """Return the sites of all motifs as a table, by target, sequence and start."""
    import pandas as pd

    ids = np.array(report.sequences.ids, object)
    tables = [pd.DataFrame(each.rows(ids, part.target)) for part in found for each in part.located]
    if not tables:
        return pd.DataFrame({column: np.empty(0, object) for column in (*TABLES["instances"], *FURTHER)})
    table = pd.concat(tables, ignore_index=True)
    target = np.concatenate([np.full(len(each.sites), part.order) for part in found for each in part.located])
    row = np.concatenate([each.sites.row for part in found for each in part.located])
    return table.iloc[np.lexsort((table["start"], row, target))].reset_index(drop=True)


def located(pattern: Pattern, read: Map, trim: float) -> Located | None:
    """Return the motif of a pattern without the ends of which little is contributed, None if it has no site.

    Sites that reach beyond a sequence, or hold N, are left out.

    Parameters
    ----------
    pattern
        As modisco found it.
    read
        The map.
    trim
        Share of the largest contribution of a position in the mean over the seqlets that the outermost ones have.
    """
    onehot, length = read.onehot, read.onehot.shape[1]
    size = np.abs(_weighted(read, _sites(pattern, length), pattern.width).mean(0)).sum(1)
    kept = np.flatnonzero(size >= trim * size.max())
    first, end = int(kept[0]), int(kept[-1]) + 1
    start = pattern.start + np.where(pattern.reverse, pattern.width - end, first)
    trimmed = _sites(replace(pattern, start=start, width=end - first), length)
    bases = windows(onehot, trimmed, end - first)
    whole = np.flatnonzero(bases.sum((1, 2)) == end - first)
    if not len(whole):
        return None
    contributed = _weighted(read, trimmed, end - first).sum(-1)
    motif = Motif.from_windows("pattern", bases[whole], base_frequencies(onehot))
    return Located(motif, trimmed.take(whole), bases[whole], contributed[whole])


def _weighted(read: Map, sites: Sites, width: int) -> Array:
    """Return what the own bases contribute in windows around sites, (s, width, 4)."""
    return windows(read.onehot, sites, width) * windows(read.hypothetical, sites, width)


def _sites(pattern: Pattern, length: int) -> Sites:
    number = len(pattern.row)
    low, high = np.zeros(number, int), np.full(number, length)
    return Sites(pattern.row, pattern.start + pattern.width // 2, low, high, pattern.reverse)
