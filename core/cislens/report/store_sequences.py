"""The sequences of a report in a store: bases, ids, regions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cislens.report.store_arrays import decode_text, encode_text, open_array, read, write_whole
from cislens.report.store_json import write_group
from cislens.sequences import BASES, Region, Sequences
from cislens.sequences.codes import codes_with_n

CODES = f"{BASES}N"


def write_sequences(folder: Path, sequences: Sequences, block: int) -> None:
    """Write bases as one code a position (0 to 3 for ACGT, 4 for N), ids, and regions where there are any."""
    onehot = sequences.onehot
    write_whole(folder / "bases", codes_with_n(onehot), block, {"codes": CODES})
    write_whole(folder / "ids", encode_text(sequences.ids), block)
    if not any(sequences.regions):
        return
    places = folder / "regions"
    write_group(places)
    regions = sequences.regions
    write_whole(places / "chrom", encode_text([r.chrom if r else None for r in regions]), block)
    write_whole(places / "strand", encode_text([r.strand if r else None for r in regions]), block)
    write_whole(places / "start", np.array([r.start if r else -1 for r in regions], np.int64), block)
    write_whole(places / "end", np.array([r.end if r else -1 for r in regions], np.int64), block)


def read_sequences(folder: Path, rows: slice) -> Sequences:
    """Return some of the sequences; nothing else is loaded."""
    # The row past ACGT is all zero: N.
    rows_of_codes = np.concatenate([np.eye(len(BASES), dtype=np.uint8), np.zeros((1, len(BASES)), np.uint8)])
    onehot = rows_of_codes[read(open_array(folder / "bases"), rows)]
    return Sequences(onehot, read_ids(folder, rows), read_regions(folder, rows))


def read_ids(folder: Path, rows: slice = slice(None)) -> tuple[str, ...]:
    """Return the ids of some sequences."""
    return tuple(str(text) for text in decode_text(read(open_array(folder / "ids"), rows)))


def read_regions(folder: Path, rows: slice = slice(None)) -> tuple[Region | None, ...]:
    """Return the regions of some sequences; empty where none has one."""
    places = folder / "regions"
    if not places.exists():
        return ()
    chroms, strands = (decode_text(read(open_array(places / name), rows)) for name in ("chrom", "strand"))
    starts, ends = (read(open_array(places / name), rows) for name in ("start", "end"))
    return tuple(
        None if chrom is None else Region(chrom, int(start), int(end), str(strand))
        for chrom, start, end, strand in zip(chroms, starts, ends, strands, strict=True)
    )
