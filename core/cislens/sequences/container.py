"""The one form in which cislens holds DNA."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cislens.errors import SequenceError

BASES = "ACGT"

OneHot = npt.NDArray[np.uint8]


class Region(NamedTuple):
    """A place in a genome: 0-based, half-open, with a strand."""

    chrom: str
    start: int
    end: int
    strand: str = "+"


class Dropped(NamedTuple):
    """A sequence that was left out, and why."""

    id: str
    reason: str


@dataclass(frozen=True, eq=False)
class Sequences:
    """Hold one-hot DNA with its ids and coordinates.

    Every explainer reads sequences in this form and no other: base order ACGT, one row a position,
    an all-zero row for N. Ids are unique and survive from the input file to every output.

    Parameters
    ----------
    onehot
        (n, length, 4), uint8; each row holds a single one, or none (N).
    ids
        One unique name for each sequence.
    regions
        Genomic coordinates for each sequence, or None where they are not known.
    dropped
        What was left out on the way here, with the reason.
    notes
        What was changed on the way here (ambiguous bases read as N, ids made unique), in plain words.

    Raises
    ------
    SequenceError
        If shapes, values, ids or regions do not agree.
    """

    onehot: OneHot
    ids: tuple[str, ...]
    regions: tuple[Region | None, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_onehot(self.onehot)
        n = len(self.onehot)
        object.__setattr__(self, "ids", tuple(self.ids))
        object.__setattr__(self, "regions", tuple(self.regions) or (None,) * n)
        if len(self.ids) != n:
            raise SequenceError(f"every sequence needs one id, got {n} sequences and {len(self.ids)} ids")
        if len(set(self.ids)) != n:
            twice = next(name for i, name in enumerate(self.ids) if name in self.ids[:i])
            raise SequenceError(f"ids must be unique, {twice!r} came twice: rename one of them")
        if len(self.regions) != n:
            raise SequenceError(f"regions must be one a sequence, got {len(self.regions)} for {n} sequences")

    @classmethod
    def from_onehot(cls, onehot: npt.ArrayLike, ids: Sequence[str] | None = None) -> Sequences:
        """Wrap a one-hot array (n, length, 4) of any number type; ids default to seq0, seq1, ..."""
        array = np.asarray(onehot)
        if array.dtype != np.uint8:
            if not np.isin(array, (0, 1)).all():
                raise SequenceError(
                    "one-hot sequences must hold only 0 and 1, got other values: "
                    "relaxed sequences go to oracle.predict directly"
                )
            array = array.astype(np.uint8)
        return cls(array, tuple(ids) if ids is not None else tuple(f"seq{i}" for i in range(len(array))))

    @classmethod
    def from_strings(cls, strings: Sequence[str], ids: Sequence[str] | None = None) -> Sequences:
        """Encode strings of one length; lower case is upper-cased, U is T, ambiguous codes are N."""
        from cislens.sequences.alphabet import encode

        if len({len(s) for s in strings}) > 1:
            raise SequenceError(
                "sequences in one set must have one length, got "
                f"{min(map(len, strings))} to {max(map(len, strings))} nt: crop or pad them first"
            )
        onehot = np.stack([encode(s) for s in strings]) if strings else np.zeros((0, 0, 4), np.uint8)
        return cls.from_onehot(onehot, ids)

    def __len__(self) -> int:
        return len(self.onehot)

    @property
    def length(self) -> int:
        """Length of every sequence in bp."""
        return int(self.onehot.shape[1])

    def take(self, index: Any) -> Sequences:
        """Return the sequences at these positions (slice, integers or boolean mask), in that order."""
        rows = np.arange(len(self))[index]
        return replace(
            self,
            onehot=self.onehot[rows],
            ids=tuple(self.ids[i] for i in rows),
            regions=tuple(self.regions[i] for i in rows),
            dropped=(),
            notes=(),
        )

    def blocks(self, size: int) -> Iterator[Sequences]:
        """Yield consecutive blocks of at most `size` sequences."""
        for start in range(0, len(self), size):
            yield self.take(slice(start, start + size))

    def strings(self) -> list[str]:
        """Return the sequences as text, N where a row is all zero."""
        letters = np.frombuffer(b"ACGTN", np.uint8)
        codes = np.where(self.onehot.any(-1), self.onehot.argmax(-1), 4)
        return [letters[row].tobytes().decode("ascii") for row in codes]

    def hashes(self) -> tuple[str, ...]:
        """Return a hash of the bases of each sequence; ids and coordinates play no part."""
        return tuple(hash_bases(row) for row in self.onehot)


def check_onehot(onehot: npt.NDArray[Any]) -> None:
    """Raise unless the array is uint8 one-hot (n, length, 4)."""
    if onehot.ndim != 3 or onehot.shape[2] != 4:
        hint = ""
        if onehot.ndim == 3 and onehot.shape[1] == 4:
            hint = ": transpose with x.swapaxes(1, 2)"
        elif onehot.ndim == 2 and onehot.shape[1] == 4:
            hint = ": add an axis with x[None]"
        raise SequenceError(f"sequences must have shape (n, length, 4), got {onehot.shape}{hint}")
    if onehot.dtype != np.uint8:
        raise SequenceError(
            f"one-hot sequences must be uint8, got {onehot.dtype}: use Sequences.from_onehot, which converts"
        )
    if onehot.size and (onehot.max() > 1 or ones_by_position(onehot).max() > 1):
        raise SequenceError(
            "each position must hold one base or none, got a row with several ones or a value above 1: "
            "check that the last axis is the four bases"
        )


def ones_by_position(onehot: npt.NDArray[Any]) -> OneHot:
    """Return the sum over the bases of an array of ones and zeros (..., 4)."""
    # Nine times as fast as numpy's sum over so short an axis.
    a, c, g, t = (onehot[..., base].view(np.uint8) for base in range(4))
    return np.asarray(a + c + g + t)


def hash_bases(onehot: OneHot) -> str:
    """Return a 128-bit hash of one sequence (length, 4), stable over machines and versions."""
    digest = hashlib.blake2b(np.ascontiguousarray(onehot).tobytes(), digest_size=16)
    return digest.hexdigest()
