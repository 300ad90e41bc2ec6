"""Reading the intervals of a BED file from a genome."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cislens.errors import SequenceError
from cislens.sequences.container import Dropped, Region
from cislens.sequences.files import read_bytes
from cislens.sequences.genome import open_genome
from cislens.sequences.record import Reading, Record, unique_names

HEADERS = ("track", "browser", "#")
STRANDS = ("+", "-", ".")


class Interval(NamedTuple):
    """One line of a BED file."""

    name: str
    region: Region


def read_bed(path: Path, genome: Path, around_centre: int | None = None) -> Reading:
    """Read the sequences of a BED file (BED3 and more, narrowPeak too) from a genome.

    The minus strand is reverse complemented. Ids are the names of column 4, or chrom:start-end, with (strand) where
    there is one. Intervals outside of the genome, and those that are empty, are dropped.

    Parameters
    ----------
    path
        The BED file, plain or gzipped.
    genome
        FASTA, plain or bgzipped.
    around_centre
        If given, each interval is replaced by so many bp around its centre, read from the genome.

    Raises
    ------
    SequenceError
        If a line is not BED, or the genome cannot be read.
    """
    intervals = list(read_intervals(path))
    if not intervals:
        raise SequenceError(f"{path} must hold intervals, but holds none: check that the file is whole")
    names, notes = unique_names([interval.name for interval in intervals])
    records, dropped = [], []
    with open_genome(genome) as contigs:
        for name, (_, region) in zip(names, intervals, strict=True):
            wanted = region if around_centre is None else _resized(region, around_centre)
            empty = region.start >= region.end
            reason = f"start {region.start} is not below end {region.end}" if empty else contigs.why_outside(wanted)
            if reason is None:
                records.append(Record(name, contigs.read(wanted), wanted))
            else:
                dropped.append(Dropped(name, reason))
    return Reading(records, tuple(dropped), notes)


def read_intervals(path: Path) -> Iterator[Interval]:
    """Yield the intervals of a BED file as they stand there, without a genome.

    Raises
    ------
    SequenceError
        If a line is not BED.
    """
    for number, line in enumerate(read_bytes(path).decode("utf-8", "replace").split("\n"), 1):
        if line.strip() and not line.startswith(HEADERS):
            yield _interval(line, f"line {number} of {path}")


def _interval(line: str, where: str) -> Interval:
    fields = line.split("\t") if "\t" in line else line.split()
    try:
        chrom, start, end = fields[0].strip(), int(fields[1]), int(fields[2])
    except (IndexError, ValueError):
        raise SequenceError(
            f"a line of BED must begin with chromosome, start and end, got {line[:60]!r} in {where}: "
            "remove it if it is a header"
        ) from None
    strand = fields[5].strip() if len(fields) > 5 else "."
    if strand not in STRANDS:
        raise SequenceError(f"the strand (column 6) must be one of {' '.join(STRANDS)}, got {strand!r} in {where}")
    named = fields[3].strip() if len(fields) > 3 else "."
    place = f"{chrom}:{start}-{end}" + (f"({strand})" if strand != "." else "")
    region = Region(chrom, start, end, "-" if strand == "-" else "+")
    return Interval(place if named in ("", ".") else named, region)


def _resized(region: Region, length: int) -> Region:
    start = (region.start + region.end) // 2 - length // 2
    return region._replace(start=start, end=start + length)
