"""TRANSFAC's format: entries of two-letter keys, with a matrix below a line of bases."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cislens.errors import ReportError
from cislens.motif import Motif
from cislens.sequences.container import BASES

STARTS = ("AC", "BA", "CC", "DE", "ID", "NA", "P0", "PO", "TF", "VV", "XX")  # two letters, then a space or nothing


def is_transfac(text: str) -> bool:
    """Tell whether a file's text begins as one of TRANSFAC does and holds a matrix."""
    lines = text.lstrip().splitlines()
    return bool(lines) and lines[0].partition(" ")[0].strip() in STARTS and any(_is_head(line) for line in lines)


def read_transfac(text: str, name: str) -> tuple[Motif, ...]:
    """Return the motifs of a file's text, as counts.

    The id is the entry's AC, else its ID; the name is its NA, else its ID. An entry without a matrix is no motif.

    Raises
    ------
    ReportError
        If a matrix lacks one of A, C, G and T or a number in a row, or has no row; the sentence names the motif.
    """
    return tuple(_motif(entry, name, number) for number, entry in enumerate(_entries(text), 1))


def _is_head(line: str) -> bool:
    return line.split(maxsplit=1)[:1] in (["P0"], ["PO"])


def _entries(text: str) -> Iterator[list[str]]:
    """Yield the lines of each entry that holds a matrix; '//' ends one."""
    entry: list[str] = []
    for line in [*map(str.strip, text.splitlines()), "//"]:
        if line != "//":
            entry.append(line)
            continue
        if any(map(_is_head, entry)):
            yield entry
        entry = []


def _motif(entry: list[str], name: str, number: int) -> Motif:
    facts: dict[str, str] = {}
    for line in entry:
        key, _, value = line.partition(" ")
        facts.setdefault(key, value.strip())
    identifier = "_".join((facts.get("AC") or facts.get("ID") or f"motif_{number}").split())
    head = next(place for place, line in enumerate(entry) if _is_head(line))
    bases = entry[head].upper().split()[1:]
    rows = []
    for line in entry[head + 1 :]:
        place, *values = line.split() or [""]
        if not place.isdigit():
            break
        rows.append(values[: len(bases)])  # a consensus letter may follow
    try:
        columns = [bases.index(base) for base in BASES]
        matrix = np.array([[float(row[column]) for column in columns] for row in rows])
    except (ValueError, IndexError) as error:
        raise _refused(identifier, name, bases, rows) from error
    if not rows:
        raise _refused(identifier, name, bases, rows)
    matrix = matrix.astype(int) if (matrix == matrix.round()).all() else matrix
    return Motif(identifier, matrix, "counts", name=facts.get("NA") or facts.get("ID") or "")


def _refused(identifier: str, name: str, bases: list[str], rows: list[list[str]]) -> ReportError:
    return ReportError(
        f"motif {identifier!r} of {name} must have numbered rows of counts below a line 'P0 A C G T', got the bases "
        f"{bases} and the rows {rows[:2]}"
    )
