"""Which intervals of a genome overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cislens.sequences.container import Region

Index = npt.NDArray[np.intp]
Spans = dict[str, tuple[Index, Index]]  # starts and ends by chromosome, each sorted


def spans_of(regions: Sequence[Region | None]) -> Spans:
    """Return the starts and the ends, each sorted, of the regions of each chromosome."""
    by_chromosome: dict[str, list[Region]] = {}
    for region in regions:
        if region is not None:
            by_chromosome.setdefault(region.chrom, []).append(region)
    return {
        chrom: (np.sort([region.start for region in those]), np.sort([region.end for region in those]))
        for chrom, those in by_chromosome.items()
    }


def overlapping(spans: Spans, chrom: str, starts: npt.ArrayLike, ends: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell for each interval of a chromosome whether it shares a base with a span there."""
    if chrom not in spans:
        return np.zeros(np.shape(starts), np.bool_)
    # Spans that began before an interval's end and did not end by its start.
    begun = np.searchsorted(spans[chrom][0], ends, "left")
    ended = np.searchsorted(spans[chrom][1], starts, "right")
    return np.asarray(begun > ended)


def touching(spans: Spans, regions: Sequence[Region | None]) -> npt.NDArray[np.bool_]:
    """Tell for each region whether it shares a base with a span; one without a place never does."""
    found = (
        False if region is None else bool(overlapping(spans, region.chrom, region.start, region.end))
        for region in regions
    )
    return np.fromiter(found, np.bool_, len(regions))
