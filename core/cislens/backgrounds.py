"""Backgrounds: sequences that stand for "nothing in particular here", drawn at random."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from cislens.dinucleotide import shuffle_dinucleotides
from cislens.errors import CislensError, SequenceError
from cislens.markov import drawn_bases, first_context, markov_chains, markov_tables
from cislens.sequences.codes import onehot_of
from cislens.sequences.container import OneHot, Sequences, check_onehot, ones_by_position

Array = npt.NDArray[Any]
HELD_AT_ONCE = 1 << 26  # bytes of tables and chances
HIGHEST_ORDER = 8  # 65,536 contexts, more than any set of sequences explained could fill
GRAMMAR = "uniform, frequencies, frequencies:A/C/G/T, kmer:ORDER, dinucleotide or sequences"


@dataclass(frozen=True)
class Background(ABC):
    """Draw background sequences for the sequences that are explained.

    What a background measures, it measures on each sequence alone unless it was fitted on a set before, so that
    neighbours do not change what a sequence is given.
    """

    name: ClassVar[str]

    @final
    def sample(self, x: OneHot, n: int, rng: np.random.Generator) -> OneHot:
        """Draw `n` background sequences for each of `x`.

        Parameters
        ----------
        x : (m, length, 4)
            The sequences explained.
        n
            How many for each.
        rng
            Where chance comes from; the same stream gives the same sequences.

        Returns
        -------
        (m, n, length, 4)
            One-hot. Where a sequence holds N so do its backgrounds; only those of "sequences" are as they were given.

        Raises
        ------
        SequenceError
            If `x` is not one-hot, or does not fit the background.
        """
        check_onehot(x)
        if n < 0:
            raise CislensError(f"the number of background sequences must not be negative, got {n}")
        return self._sample(x, n, rng)

    @abstractmethod
    def _sample(self, x: OneHot, n: int, rng: np.random.Generator) -> OneHot:
        """Return (m, n, length, 4) for checked arguments."""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Frequencies(Background):
    """Draw each base by itself, with given frequencies or those of the sequence explained.

    Parameters
    ----------
    frequencies
        Of A, C, G and T, summing to 1; None to measure them on each sequence.
    """

    name: ClassVar[str] = "frequencies"
    frequencies: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        given = self.frequencies
        if given is not None and (len(given) != 4 or not min(given) >= 0 or abs(sum(given) - 1) > 1e-6):
            raise CislensError(f"base frequencies must be four numbers, none negative, that sum to 1, got {given}")

    @classmethod
    def fitted(cls, x: OneHot) -> Frequencies:
        """Measure the frequencies on a set of sequences (m, length, 4)."""
        a, c, g, t = map(float, _measured(x.reshape(1, -1, 4))[0])
        return cls((a, c, g, t))

    def _sample(self, x: OneHot, n: int, rng: np.random.Generator) -> OneHot:
        frequencies = _measured(x) if self.frequencies is None else np.tile(self.frequencies, (len(x), 1))
        return _independent(x, frequencies, n, rng)

    def __str__(self) -> str:
        return self.name if self.frequencies is None else f"{self.name}:{'/'.join(map(repr, self.frequencies))}"


@dataclass(frozen=True)
class Uniform(Background):
    """Draw each base by itself, all four equally likely."""

    name: ClassVar[str] = "uniform"

    def _sample(self, x: OneHot, n: int, rng: np.random.Generator) -> OneHot:
        return _where_known(x, rng.integers(0, 4, (len(x), n, x.shape[1]), np.uint8))


@dataclass(frozen=True, eq=False)
class Kmer(Background):
    """Draw each base given the bases before it, as a Markov model of the sequence explained or of a set.

    The probability of a base after a context mixes what was counted with the model that is one base shorter, which
    weighs as much as one count; the shortest mixes with 0.25. So no context is without an answer, and the first bases
    of a sequence, or those after N, come from the shorter models.

    Parameters
    ----------
    order
        How many bases before it a base depends on; 0 for none.
    table
        Probabilities (contexts, 4), as `fitted` measures them; None to measure on each sequence. It is no part of the
        text form.
    """

    name: ClassVar[str] = "kmer"
    order: int = 3
    table: Array | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.order <= HIGHEST_ORDER:
            raise CislensError(f"the order of a k-mer model must be 0 to {HIGHEST_ORDER}, got {self.order}")

    @classmethod
    def fitted(cls, x: OneHot, order: int = 3) -> Kmer:
        """Measure the model on a set of sequences (m, length, 4)."""
        return cls(order, markov_tables(x, cls(order).order, together=True)[0])

    def _sample(self, x: OneHot, n: int, rng: np.random.Generator) -> OneHot:
        drawn = np.zeros((len(x), n, *x.shape[1:]), np.uint8)
        # A table for each sequence can be large, and so can the chances of all.
        bytes_each = 8 * (2 * 4 * first_context(self.order + 1) * (self.table is None) + 2 * n * x.shape[1])
        rows = max(1, HELD_AT_ONCE // bytes_each)
        for first in range(0, len(x), rows):
            block = x[first : first + rows]
            tables = markov_tables(block, self.order) if self.table is None else self.table[None]
            chance = rng.random((len(block), n, x.shape[1]))
            known = ones_by_position(block).astype(bool)
            drawn[first : first + rows] = markov_chains(known, tables, self.order, chance)
        return drawn

    def __str__(self) -> str:
        return f"{self.name}:{self.order}"


@dataclass(frozen=True)
class Dinucleotide(Background):
    """Shuffle each sequence so that it keeps its dinucleotides exactly; see `shuffle_dinucleotides`."""

    name: ClassVar[str] = "dinucleotide"

    def _sample(self, x: OneHot, n: int, rng: np.random.Generator) -> OneHot:
        return shuffle_dinucleotides(x, n, rng)


@dataclass(frozen=True, eq=False)
class Sampled(Background):
    """Draw real sequences from a set, each at most once for a sequence as long as there are enough.

    Parameters
    ----------
    onehot : (k, length, 4)
        The set, of the length of the sequences explained.
    """

    name: ClassVar[str] = "sequences"
    onehot: OneHot

    def __post_init__(self) -> None:
        check_onehot(self.onehot)
        if not len(self.onehot):
            raise SequenceError("a background of real sequences needs at least one, got none")

    def _sample(self, x: OneHot, n: int, rng: np.random.Generator) -> OneHot:
        if x.shape[1] != self.onehot.shape[1]:
            raise SequenceError(
                f"background sequences must be {x.shape[1]:,} bp long, as those explained are, got "
                f"{self.onehot.shape[1]:,}: read them with length={x.shape[1]}"
            )
        size = len(self.onehot)
        chosen = [rng.choice(size, n, replace=n > size) for _ in x]
        return self.onehot[np.array(chosen, np.intp).reshape(len(x), n)]


def parse_background(text: str, sequences: Sequences | None = None) -> Background:
    """Read the text form of a background, as settings hold it and `str` gives it.

    Parameters
    ----------
    text
        One of uniform, frequencies, frequencies:A/C/G/T, kmer:ORDER, dinucleotide and sequences.
    sequences
        What "sequences" draws from.

    Raises
    ------
    CislensError
        If it is none of these, or there is nothing to draw from.
    """
    name, colon, value = text.partition(":")
    plain: dict[str, type[Background]] = {kind.name: kind for kind in (Uniform, Frequencies, Dinucleotide)}
    if name in plain and not colon:
        return plain[name]()
    if name == "sequences" and not colon:
        if sequences is None:
            raise CislensError("the background 'sequences' draws from real sequences, but none were given")
        return Sampled(sequences.onehot)
    try:
        if name == "kmer" and colon:
            return Kmer(int(value))
        if name == "frequencies" and colon:
            a, c, g, t = map(float, value.split("/"))
            return Frequencies((a, c, g, t))
    except ValueError:
        pass
    raise CislensError(f"a background must be one of {GRAMMAR}, got {text!r}")


def _measured(x: OneHot) -> Array:
    """Return base frequencies (m, 4) of each sequence; 0.25 where there are no bases."""
    counts = x.sum(1, dtype=np.int64)
    totals = counts.sum(1, keepdims=True)
    return np.where(totals > 0, counts / np.maximum(totals, 1), 0.25)


def _independent(x: OneHot, frequencies: Array, n: int, rng: np.random.Generator) -> OneHot:
    return _where_known(x, drawn_bases(frequencies[:, None, None], rng.random((len(x), n, x.shape[1]))))


def _where_known(x: OneHot, bases: npt.NDArray[Any]) -> OneHot:
    """Return bases (m, n, length) as one-hot rows, N where the sequences have it."""
    drawn = onehot_of(bases)
    known = ones_by_position(x)
    if not known.all():
        drawn *= known[:, None, :, None]
    return drawn
