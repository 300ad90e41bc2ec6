"""Bringing sequences to the length that a model takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from cislens.errors import SequenceError
from cislens.sequences.container import Dropped, Region, Sequences
from cislens.sequences.policy import Fit
from cislens.sequences.record import Reading, Record, counted

LISTED = 5  # lengths named in an error before the rest is counted
CHANGES: dict[str, str] = {
    "crop-center": "cropped around their centre",
    "crop-left": "cropped to their left end",
    "crop-right": "cropped to their right end",
    "pad-n": "padded with N on both sides",
    "fit": "cropped around their centre or padded with N on both sides",
}


def window_start(current: int, wanted: int, fit: Fit) -> int | None:
    """Return where the window of `wanted` bp starts in a sequence of `current` bp.

    Negative where it begins before the sequence, that is, where it pads; None where `fit` has no answer. Around the
    centre, the base at current // 2 comes to stand at wanted // 2, so that padding and cropping undo each other.
    """
    if current == wanted:
        return 0
    centred = current // 2 - wanted // 2
    if current > wanted:
        return {"crop-center": centred, "fit": centred, "crop-left": 0, "crop-right": current - wanted}.get(fit)
    return centred if fit in ("pad-n", "fit") else None


def fit_records(reading: Reading, length: int | None, fit: Fit) -> Reading:
    """Bring records to one length.

    Raises
    ------
    SequenceError
        If one does not fit and `fit` does not say what to do; the sentence counts the lengths and names the options.
    """
    lengths = Counter(len(record.text) for record in reading.records)
    wanted = _wanted(lengths, length, fit)
    starts = {current: window_start(current, wanted, fit) for current in lengths}
    if fit != "drop" and None in starts.values():
        raise SequenceError(_misfit(lengths, wanted, fit))
    kept, dropped = [], []
    for record in reading.records:
        start = starts[len(record.text)]
        if start is None:
            dropped.append(Dropped(record.id, f"is {len(record.text):,} bp long, not {wanted:,}"))
        else:
            kept.append(record if len(record.text) == wanted else _windowed(record, start, wanted))
    changed = sum(n for current, n in lengths.items() if current != wanted) if fit != "drop" else 0
    notes = _changed(changed, wanted, fit)
    return Reading(kept, reading.dropped + tuple(dropped), reading.notes + notes)


def fit_sequences(sequences: Sequences, length: int | None, fit: Fit) -> Sequences:
    """Bring sequences, which share a length, to another; see `fit_records`."""
    current, n = sequences.length, len(sequences)
    wanted = _wanted(Counter({current: n}), length, fit)
    if current == wanted:
        return sequences
    start = window_start(current, wanted, fit)
    if start is None:
        if fit != "drop":
            raise SequenceError(_misfit(Counter({current: n}), wanted, fit))
        reason = f"is {current:,} bp long, not {wanted:,}"
        dropped = tuple(Dropped(name, reason) for name in sequences.ids)
        empty = np.zeros((0, wanted, 4), np.uint8)
        return Sequences(empty, (), dropped=sequences.dropped + dropped, notes=sequences.notes)
    onehot = np.zeros((n, wanted, 4), np.uint8)
    first, last = max(start, 0), min(start + wanted, current)
    onehot[:, first - start : last - start] = sequences.onehot[:, first:last]
    regions = tuple(_moved(region, start, wanted) for region in sequences.regions)
    notes = sequences.notes + _changed(n, wanted, fit)
    return replace(sequences, onehot=onehot, regions=regions, notes=notes)


def _wanted(lengths: Counter[int], length: int | None, fit: Fit) -> int:
    if length is not None and length < 1:
        raise SequenceError(f"length must be at least 1 bp, got {length}")
    if length is not None:
        return length
    if len(lengths) > 1:
        raise SequenceError(
            f"sequences must share one length where none is asked for, got {_listed(lengths)}: "
            f"say which, as in --input-length 500 --length fit (in Python, length=500, fit='fit')"
        )
    return next(iter(lengths), 0)


def _windowed(record: Record, start: int, wanted: int) -> Record:
    left, right = max(-start, 0), max(start + wanted - len(record.text), 0)
    text = b"N" * left + record.text[max(start, 0) : start + wanted] + b"N" * right
    return Record(record.id, text, _moved(record.region, start, wanted), record.first + start)


def _moved(region: Region | None, start: int, wanted: int) -> Region | None:
    """Return the region of a window; None where it would begin before the chromosome does."""
    if region is None:
        return None
    # On the minus strand a sequence begins at its region's end.
    moved = region.end - start - wanted if region.strand == "-" else region.start + start
    return region._replace(start=moved, end=moved + wanted) if moved >= 0 else None


def _misfit(lengths: Counter[int], wanted: int, fit: Fit) -> str:
    what = "" if fit == "error" else f", which {fit} cannot bring there"
    return (
        f"sequences must be {wanted:,} bp long, got {_listed(lengths)}{what}: say --length crop-center, crop-left, "
        "crop-right, pad-n, fit (crop what is longer, pad what is shorter) or drop (in Python, fit='crop-center' and "
        "so on)"
    )


def _listed(lengths: Counter[int]) -> str:
    common = [f"{n:,} of {current:,} bp" for current, n in lengths.most_common(LISTED)]
    rest = sum(lengths.values()) - sum(n for _, n in lengths.most_common(LISTED))
    return _joined([*common, f"{rest:,} of other lengths"] if rest else common)


def _joined(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _changed(n: int, wanted: int, fit: Fit) -> tuple[str, ...]:
    return (f"{counted(n, 'sequence')} {CHANGES[fit]} to {wanted:,} bp",) if n else ()
