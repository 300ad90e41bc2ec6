"""The windows around peaks that contributions of other tools belong to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from cislens.errors import ReportError
from cislens.sequences import Region, Sequences
from cislens.sequences.alphabet import encode
from cislens.sequences.bed import HEADERS
from cislens.sequences.files import read_bytes, require_file
from cislens.sequences.genome import open_genome
from cislens.sequences.record import unique_names

SUMMIT = 9  # column of narrowPeak, counted from 0; -1 where it is not known


def with_windows(sequences: Sequences, regions: str | None, genome: str | None) -> Sequences:
    """Return sequences with the coordinates that a BED file gives them, and named by these.

    A window is as long as the sequences and lies around the peak's summit, or around its middle where no summit is
    given; an interval of the sequences' own length is so taken as it is. All are of the plus strand, as the programs
    read them that these files come from.

    Parameters
    ----------
    sequences
        As many as the file has lines, in their order.
    regions
        BED or narrowPeak, plain or gzipped; None leaves the sequences as they are.
    genome
        FASTA; where given, the sequences must be what stands there.

    Raises
    ------
    ReportError
        If their numbers differ, a window begins before its chromosome, or the genome has other bases.
    """
    if regions is None:
        if genome is not None:
            raise ReportError("a genome is compared at regions, and none are given: say regions=BED too")
        return sequences
    windows = read_windows(regions, sequences.length)
    if len(windows) != len(sequences):
        raise ReportError(
            f"regions must be one a sequence, got {len(windows)} in {regions} for {len(sequences)} sequences: they are "
            "the regions that were explained, without those that were left out"
        )
    names, notes = unique_names([f"{w.chrom}:{w.start}-{w.end}" for w in windows])
    placed = replace(sequences, ids=tuple(names), regions=windows, notes=(*sequences.notes, *notes))
    if genome is not None:
        _require_bases(placed, Path(genome))
    return placed


def read_windows(regions: str, length: int) -> tuple[Region, ...]:
    """Return the window of each line of a BED file.

    Raises
    ------
    ReportError
        If a line is no interval, or a window begins before its chromosome.
    """
    path = Path(regions)
    require_file(path, "regions")
    return tuple(_windows(path, length))


def _windows(path: Path, length: int) -> Iterator[Region]:
    for number, line in enumerate(read_bytes(path).decode("utf-8", "replace").split("\n"), 1):
        if not line.strip() or line.startswith(HEADERS):
            continue
        fields = line.split("\t")
        try:
            chrom, start, end = fields[0], int(fields[1]), int(fields[2])
            summit = int(fields[SUMMIT]) if len(fields) > SUMMIT else -1
        except (IndexError, ValueError):
            raise ReportError(
                f"regions must be lines of chromosome, start and end, with whole numbers, got {line[:60]!r} in line "
                f"{number} of {path}"
            ) from None
        first = (start + summit if summit >= 0 else (start + end) // 2) - length // 2
        if first < 0:
            raise ReportError(f"the window of {length:,} bp around line {number} of {path} begins before {chrom} does")
        yield Region(chrom, first, first + length)


def _require_bases(sequences: Sequences, genome: Path) -> None:
    with open_genome(genome) as contigs:
        for name, region, onehot in zip(sequences.ids, sequences.regions, sequences.onehot, strict=True):
            assert region is not None
            why = contigs.why_outside(region)
            if why is None and not np.array_equal(encode(contigs.read(region)), onehot):
                why = "the bases there are others"
            if why is not None:
                raise ReportError(
                    f"sequences must stand in {genome} where the regions say, and {name} does not: {why}; are they the "
                    "regions that were explained, of this genome?"
                )
