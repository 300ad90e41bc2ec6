"""Applying the policy on letters, on the way from text to one-hot."""

from __future__ import annotations

from cislens.errors import SequenceError
from cislens.sequences.alphabet import AMBIGUOUS, KNOWN, LOWER_TO_N, first_stranger, rows_of
from cislens.sequences.container import Dropped, Sequences
from cislens.sequences.policy import ReadPolicy
from cislens.sequences.record import Reading, Record, counted

# What is deleted from a text so that the letters of one kind are left, to be counted.
ALL_BUT_AMBIGUOUS = bytes(set(range(256)) - set(AMBIGUOUS))
ALL_BUT_LOWER = bytes(set(range(256)) - set((KNOWN + AMBIGUOUS).lower()) | {ord("n")})


def refuse_strangers(reading: Reading) -> None:
    """Raise unless every letter is a base, N or an IUPAC code."""
    for record in reading.records:
        stranger = first_stranger(record.text)
        if stranger is not None:
            raise SequenceError(
                f"sequences must be DNA or RNA (A, C, G, T or U, N and IUPAC codes), got {stranger} of record "
                f"{record.id!r}: other alphabets, such as protein, are not read"
            )


def apply_policy(reading: Reading, policy: ReadPolicy) -> Reading:
    """Return records with lower case and IUPAC codes as the policy has them, and notes of what was changed.

    Raises
    ------
    SequenceError
        If there is an IUPAC code and the policy does not allow it.
    """
    if policy.lowercase == "n":
        reading = _mask_lower_case(reading)
    codes = [len(record.text.translate(None, ALL_BUT_AMBIGUOUS)) for record in reading.records]
    if not any(codes):
        return reading
    told = _told(codes, "IUPAC code")
    if policy.ambiguous == "n":
        return Reading(reading.records, reading.dropped, (*reading.notes, f"{told} read as N"))
    found = list(zip(reading.records, codes, strict=True))
    if policy.ambiguous == "error":
        first = _first_code(next(record for record, n in found if n))
        raise SequenceError(
            f"sequences must hold no IUPAC codes where ambiguous is 'error', got {told}, first {first}: "
            "say --ambiguous n (read them as N) or drop"
        )
    dropped = tuple(Dropped(record.id, f"holds {counted(n, 'IUPAC code')}") for record, n in found if n)
    return Reading([record for record, n in found if not n], reading.dropped + dropped, reading.notes)


def encode_records(reading: Reading) -> Sequences:
    """Encode records of one length whose letters were checked."""
    records = reading.records
    length = len(records[0].text) if records else 0
    onehot = rows_of(b"".join(record.text for record in records)).reshape(len(records), length, 4)
    ids, regions = tuple(record.id for record in records), tuple(record.region for record in records)
    return Sequences(onehot, ids, regions, reading.dropped, reading.notes)


def _mask_lower_case(reading: Reading) -> Reading:
    counts = [len(record.text.translate(None, ALL_BUT_LOWER)) for record in reading.records]
    masked = [record._replace(text=record.text.translate(LOWER_TO_N)) for record in reading.records]
    notes = (f"{_told(counts, 'lower-case base')} read as N",) if any(counts) else ()
    return Reading(masked, reading.dropped, reading.notes + notes)


def _first_code(record: Record) -> str:
    code = record.text.translate(None, ALL_BUT_AMBIGUOUS)[:1]
    position = record.first + record.text.index(code) + 1
    return f"{code.decode()!r} at position {position:,} (counted from 1) of {record.id!r}"


def _told(counts: list[int], noun: str) -> str:
    return f"{counted(sum(counts), noun)} in {counted(sum(n > 0 for n in counts), 'sequence')}"
