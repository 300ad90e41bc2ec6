"""The letters of DNA: which are read, and how text becomes one-hot rows."""

from __future__ import annotations

import numpy as np

from cislens.errors import SequenceError
from cislens.sequences.container import BASES, OneHot

KNOWN = b"ACGTUNacgtun"  # read as they are: bases, U as T, and N
AMBIGUOUS = b"RYSWKMBDHVryswkmbdhv"  # the IUPAC codes for sets of bases
LOWER_TO_N = bytes(ord("N") if chr(i).islower() else i for i in range(256))
COMPLEMENT = bytes.maketrans(b"ACGTURYSWKMBDHVNacgturyswkmbdhvn", b"TGCAAYRSWMKVHDBNtgcaayrswmkvhdbn")
ENCODED_AT_ONCE = 1 << 16  # letters: their indices, 8 bytes each inside numpy, stay in the cache


def _rows_by_letter() -> OneHot:
    rows = np.zeros((256, 4), np.uint8)
    for column, base in enumerate(BASES):
        rows[[ord(base), ord(base.lower())], column] = 1
    rows[[ord("U"), ord("u")]] = rows[ord("T")]
    return rows


# A row of four bytes is looked up as one number; only its bytes are ever looked at, so byte order plays no part.
_ROWS = np.ascontiguousarray(_rows_by_letter()).view(np.uint32)[:, 0]


def encode(text: str | bytes) -> OneHot:
    """Encode text as one-hot rows (length, 4).

    Upper and lower case are read alike, U as T, and N and the IUPAC codes for sets of bases as N, an all-zero row.

    Raises
    ------
    SequenceError
        If there is any other letter; the sentence names it and its position.
    """
    letters = text if isinstance(text, bytes) else _as_bytes(text)
    stranger = first_stranger(letters)
    if stranger is not None:
        raise SequenceError(f"a sequence must be DNA (A, C, G, T, N or IUPAC codes), got {stranger}")
    return rows_of(letters)


def rows_of(letters: bytes) -> OneHot:
    """Return the one-hot rows (length, 4) of letters that were checked; all but A, C, G, T and U become N."""
    codes = np.frombuffer(letters, np.uint8)
    rows = np.empty(len(codes), np.uint32)
    for start in range(0, len(codes), ENCODED_AT_ONCE):
        piece = slice(start, start + ENCODED_AT_ONCE)
        # "clip" lets numpy write into `out` without a copy; no code of a byte can be out of range.
        _ROWS.take(codes[piece], out=rows[piece], mode="clip")
    return rows.view(np.uint8).reshape(-1, 4)


def reverse_complement(letters: bytes) -> bytes:
    """Return the other strand, IUPAC codes complemented too and case kept; U becomes A."""
    return letters.translate(COMPLEMENT)[::-1]


def first_stranger(letters: bytes, first: int = 0) -> str | None:
    """Name the first letter that is no DNA and its position, None where there is none.

    Parameters
    ----------
    letters
        A sequence.
    first
        How many letters stand before it in what the user wrote.
    """
    strangers = letters.translate(None, KNOWN + AMBIGUOUS)
    if not strangers:
        return None
    position = first + letters.index(strangers[:1]) + 1
    return f"{_shown(strangers[0])} at position {position:,} (counted from 1)"


def _as_bytes(text: str) -> bytes:
    # One byte a letter, whatever the letter: those outside of Latin-1 become "?", which is refused like them.
    return text.encode("latin-1", "replace")


def _shown(code: int) -> str:
    return repr(chr(code)) if code < 128 else f"byte 0x{code:02x}"
