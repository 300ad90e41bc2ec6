"""MEME's minimal text format: probabilities, a background, several motifs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from cislens.errors import ReportError
from cislens.motif import UNIFORM, Motif

FREQUENCY = re.compile(r"([ACGT])\s+([-+.\deE]+)")
SITES = re.compile(r"nsites\s*=\s*([-+.\deE]+)")
PLACES = 6  # decimals


def read_meme(text: str, name: str) -> tuple[Motif, ...]:
    """Return the motifs of a file's text, as probabilities against the file's background.

    Raises
    ------
    ReportError
        If a motif has no matrix of four numbers a line, or the alphabet is not that of DNA.
    """
    lines = text.splitlines()
    alphabet = next((line[8:].lstrip("= ") for line in lines if line.startswith("ALPHABET")), "ACGT")
    if alphabet.split()[:1] != ["ACGT"] and not alphabet.startswith('"DNA"'):
        raise ReportError(f"the motifs of {name} must be of the alphabet ACGT, got {alphabet!r}")
    return tuple(_motif(header, rows, _background(lines), name) for header, rows in _entries(lines))


def write_meme(motifs: Sequence[Motif]) -> str:
    """Return the text of a file, probabilities to six decimals.

    The format has one background for all motifs: where theirs differ the uniform one is stated.

    Raises
    ------
    ReportError
        If a motif holds contributions.
    """
    backgrounds = {motif.background for motif in motifs}
    background = backgrounds.pop() if len(backgrounds) == 1 else UNIFORM
    stated = " ".join(f"{base} {value:g}" for base, value in zip("ACGT", background, strict=True))
    head = f"MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\nBackground letter frequencies\n{stated}\n"
    return head + "".join(map(_text, motifs))


def _background(lines: Sequence[str]) -> tuple[float, float, float, float]:
    for place, line in enumerate(lines):
        if line.startswith("Background letter frequencies"):
            found = {base: float(value) for base, value in FREQUENCY.findall(" ".join(lines[place + 1 : place + 3]))}
            if set(found) == set("ACGT"):
                a, c, g, t = (found[base] for base in "ACGT")
                return a, c, g, t
    return UNIFORM


def _entries(lines: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    header, rows = "", list[str]()
    for line in map(str.strip, lines):
        if line.startswith("MOTIF"):
            if header:
                yield header, rows
            header, rows = line[5:].strip(), []
        elif header and line:
            rows.append(line)
    if header:
        yield header, rows


def _motif(header: str, rows: list[str], background: tuple[float, float, float, float], name: str) -> Motif:
    identifier, called = [*header.split(maxsplit=1), ""][:2]
    start = next((i + 1 for i, row in enumerate(rows) if row.startswith("letter-probability matrix")), len(rows))
    numbers = []
    for row in rows[start:]:
        try:
            numbers.append([float(value) for value in row.split()])
        except ValueError:
            break  # a URL or another section ends the matrix
    if not numbers or any(len(row) != 4 for row in numbers):
        raise ReportError(
            f"motif {identifier!r} of {name} must have a letter-probability matrix of four numbers a line, got "
            f"{numbers[:2] or rows[:2]}"
        )
    sites = SITES.search(rows[start - 1])
    return Motif(
        identifier,
        np.array(numbers),
        "probabilities",
        background,
        called.strip(),
        int(float(sites[1])) if sites else None,
    )


def _text(motif: Motif) -> str:
    matrix = motif.probabilities()
    sites = motif.sites if motif.sites is not None else _sites_counted(motif)
    stated = "" if sites is None else f" nsites= {sites}"
    lines = [f"\nMOTIF {motif.id}" + (f" {motif.name}" if motif.name != motif.id else "")]
    lines.append(f"letter-probability matrix: alength= 4 w= {len(motif)}{stated} E= 0")
    lines += [" ".join(f"{value:.{PLACES}f}" for value in row) for row in matrix]
    return "\n".join(lines) + "\n"


def _sites_counted(motif: Motif) -> int | None:
    return round(float(motif.matrix.sum(1).max())) if motif.kind == "counts" else None
