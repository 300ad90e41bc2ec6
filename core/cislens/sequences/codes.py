"""DNA as numbers: 0 to 3 for A, C, G and T, for what is computed base by base."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.sequences.container import BASES, OneHot, ones_by_position

Codes = npt.NDArray[np.uint8]
# A row of four bytes is looked up as one number; only its bytes are ever looked at, so byte order plays no part.
_ROWS = np.eye(4, dtype=np.uint8).view(np.uint32)[:, 0]
_LETTERS = np.frombuffer(BASES.encode(), np.uint8)


def onehot_of(codes: npt.NDArray[Any]) -> OneHot:
    """Return one-hot rows (..., 4) of codes (...)."""
    rows: OneHot = _ROWS[codes].view(np.uint8)
    return rows.reshape(*codes.shape, 4)


def codes_of(onehot: OneHot) -> Codes:
    """Return the codes (...) of one-hot rows (..., 4) that hold no N."""
    # Twenty times as fast as argmax over so short an axis.
    return np.asarray(onehot[..., 1] + 2 * onehot[..., 2] + 3 * onehot[..., 3])


def codes_with_n(onehot: OneHot) -> Codes:
    """Return the codes (...) of one-hot rows (..., 4), 4 for N."""
    return np.where(ones_by_position(onehot), codes_of(onehot), np.uint8(len(BASES)))


def letters_of(codes: Codes) -> npt.NDArray[np.uint8]:
    """Return the letters (...), as bytes."""
    return _LETTERS[codes]


def complemented(codes: Codes) -> Codes:
    """Return codes (..., width) as they read on the other strand."""
    return np.asarray(3 - codes[..., ::-1])
