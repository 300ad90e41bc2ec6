"""Where a report's sequences lie on the genome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.exchange.blocks import ReportBlocks
from cislens.sequences.record import counted

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Places:
    """Hold the places of those sequences that have one.

    Parameters
    ----------
    row : (k,)
        Which sequence of the report.
    chrom : (k,)
        Its chromosome, as an object array of text.
    start : (k,)
        Its first base on the genome, 0-based; it covers as many bp as the sequence is long.
    minus : (k,)
        Whether it was read on the minus strand, so that its last base is at `start`.
    notes
        How many sequences have no place.
    """

    row: Array
    chrom: Array
    start: Array
    minus: Array
    notes: tuple[str, ...]


def places_of(report: ReportBlocks, what: str, instead: str) -> Places:
    """Return the places of a report's sequences.

    Parameters
    ----------
    report
        The report.
    what
        What needs them, as a sentence begins.
    instead
        What to do where there are none, as a sentence ends.

    Raises
    ------
    ReportError
        If no sequence has coordinates, or coordinates do not span the sequence.
    """
    regions = report.found.sequences.regions
    rows = [row for row, region in enumerate(regions) if region is not None]
    kept = [region for region in regions if region is not None]
    if not kept:
        raise ReportError(
            f"{what}, but none of the {counted(len(regions), 'sequence')} has coordinates, which come from BED with a "
            f"genome or from FASTA names such as chr1:100-200(-): explain such sequences, or {instead}"
        )
    for row, region in zip(rows, kept, strict=True):
        if region.end - region.start != report.length:
            raise ReportError(
                f"coordinates must span their sequence, {report.length:,} bp, got {region.chrom}:{region.start}-"
                f"{region.end} of {report.found.sequences.ids[row]}"
            )
    absent = len(regions) - len(kept)
    return Places(
        np.array(rows),
        np.array([region.chrom for region in kept], object),
        np.array([region.start for region in kept], np.int64),
        np.array([region.strand == "-" for region in kept]),
        (f"{counted(absent, 'sequence')} without coordinates left out",) if absent else (),
    )
