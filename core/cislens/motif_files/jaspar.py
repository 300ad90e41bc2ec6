"""JASPAR's text format: a header, and a line of counts for each base."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from cislens.errors import ReportError
from cislens.motif import Motif
from cislens.sequences.container import BASES

ROW = re.compile(r"([ACGT])\s*\[\s*(.*?)\s*\]")


def read_jaspar(text: str, name: str) -> tuple[Motif, ...]:
    """Return the motifs of a file's text, as counts.

    Raises
    ------
    ReportError
        If a motif does not have one row of numbers for each of A, C, G and T, all of one length.
    """
    return tuple(_motif(header, rows, name) for header, rows in _entries(text))


def write_jaspar(motifs: Sequence[Motif]) -> str:
    """Return the text of a file; counts as they are, to six decimals where they are no whole numbers.

    Raises
    ------
    ReportError
        If a motif holds no counts.
    """
    return "".join(map(_text, motifs))


def _entries(text: str) -> Iterator[tuple[str, list[str]]]:
    header, rows = "", list[str]()
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith(">"):
            if header:
                yield header, rows
            header, rows = line[1:].strip(), []
        else:
            rows.append(line)
    yield header, rows


def _motif(header: str, rows: list[str], name: str) -> Motif:
    identifier, _, called = header.partition("\t") if "\t" in header else header.partition(" ")
    matches = [ROW.fullmatch(row) for row in rows]
    held = {match[1]: match[2].split() for match in matches if match}
    try:
        matrix = np.array([[float(value) for value in held[base]] for base in BASES]).T
    except (KeyError, ValueError) as error:
        raise ReportError(
            f"motif {identifier!r} of {name} must have a row 'A [ 1 2 3 ]' of numbers for each of A, C, G and T, all "
            f"of one length, got {rows!r}"
        ) from error
    matrix = matrix.astype(int) if (matrix == matrix.round()).all() else matrix
    return Motif(identifier, matrix, "counts", name=called.strip())


def _text(motif: Motif) -> str:
    if motif.kind != "counts":
        raise ReportError(f"JASPAR's format holds counts, but motif {motif.id!r} holds {motif.kind}: write MEME")
    whole = (motif.matrix == motif.matrix.round()).all()
    lines = [f">{motif.id}\t{motif.name}"]
    for base, row in zip(BASES, motif.matrix.T, strict=True):
        values = " ".join(f"{value:.0f}" if whole else f"{value:.6f}" for value in row)
        lines.append(f"{base} [ {values} ]")
    return "\n".join(lines) + "\n"
