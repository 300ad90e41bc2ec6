"""Reading FASTA."""

from __future__ import annotations

from pathlib import Path

from cislens.errors import SequenceError
from cislens.sequences.container import Dropped
from cislens.sequences.files import read_bytes
from cislens.sequences.record import Reading, Record, counted, region_in_name, unique_names


def read_fasta(path: Path) -> Reading:
    """Read the records of a FASTA file, plain or gzipped.

    The id is the header up to its first white space. An id of the form chrom:start-end, or with (+) or (-) after it,
    that spans exactly the record's length also gives its coordinates, read as 0-based and half-open.

    Raises
    ------
    SequenceError
        If text comes before the first '>', or there is no record.
    """
    data = b"\n" + read_bytes(path)
    before, *entries = data.split(b"\n>")
    _refuse_text_before(before, path)
    if not entries:
        raise SequenceError(f"{path} must hold FASTA records, but holds none: check that the file is whole")
    headers, texts, nameless = [], [], 0
    for i, entry in enumerate(entries):
        header, _, body = entry.partition(b"\n")
        words = header.decode("utf-8", "replace").split(maxsplit=1)
        # A header such as "> name" has white space first, and is read the same.
        nameless += not words
        headers.append(words[0] if words else f"seq{i}")
        texts.append(body.translate(None, b" \t\n\v\f"))
    names, notes = unique_names(headers)
    if nameless:
        notes += (f"{counted(nameless, 'record')} without a name got seq and a number, counted from 0",)
    found = zip(names, headers, texts, strict=True)
    records = [Record(name, text, region_in_name(header, len(text))) for name, header, text in found if text]
    dropped = [Dropped(name, "the record is empty") for name, text in zip(names, texts, strict=True) if not text]
    return Reading(records, tuple(dropped), notes)


def _refuse_text_before(before: bytes, path: Path) -> None:
    for number, line in enumerate(before.split(b"\n")):
        if line.strip():
            shown = line[:40].decode("utf-8", "replace")
            raise SequenceError(f"a FASTA file must start with '>', got {shown!r} in line {number} of {path}")
