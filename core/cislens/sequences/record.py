"""What readers of text hand on: named pieces of DNA that are not yet of one length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cislens.sequences.container import Dropped, Region

# Also as bedtools writes it with -name+: "peak_1::chr1:100-200(+)".
COORDINATES = re.compile(r"(?:.*::)?([^:\s]+):(\d+)-(\d+)(?:\(([+-])\))?")


class Record(NamedTuple):
    """One sequence as text, with where it came from.

    Parameters
    ----------
    id
        Its name, unique among the records of a file.
    text
        Its letters as the file has them, without white space.
    region
        Where in a genome the text lies, None where that is not known.
    first
        How many letters of the file's record stand before `text`; negative where it was padded.
    """

    id: str
    text: bytes
    region: Region | None = None
    first: int = 0


@dataclass(frozen=True)
class Reading:
    """Hold the records of a file on their way to `Sequences`, with what was dropped and what was changed."""

    records: Sequence[Record]
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()


def unique_names(names: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return the names, those that came before numbered #2, #3, ..., and a note where that was done."""
    if len(set(names)) == len(names):
        return list(names), ()
    taken, seen, unique = set(names), dict.fromkeys(names, 0), []
    for name in names:
        seen[name] += 1
        given = name
        if seen[name] > 1:
            while (given := f"{name}#{seen[name]}") in taken:
                seen[name] += 1
            taken.add(given)
        unique.append(given)
    changed = len(names) - len(seen)
    return unique, (f"{counted(changed, 'id')} had come before and got a number (#2, #3, ...)",)


def region_in_name(name: str, length: int) -> Region | None:
    """Read a region from a name such as "chr1:100-200" or "chr1:100-200(-)", 0-based and half-open.

    A name whose coordinates do not span exactly `length` bp gives none: names that count from 1 are off by one, and
    are so told apart.
    """
    match = COORDINATES.fullmatch(name)
    if match is None:
        return None
    chrom, start, end, strand = match.groups()
    if int(end) - int(start) != length:
        return None
    return Region(chrom, int(start), int(end), strand or "+")


def counted(n: int, noun: str) -> str:
    """Return "1 base", "1,204 bases"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
