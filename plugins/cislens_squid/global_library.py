"""Global libraries: an element or two, partially mutagenised, each variant in a background of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cislens.backgrounds import Sampled, parse_background
from cislens.errors import CislensError
from cislens.motif import IUPAC
from cislens.sequences import Sequences
from cislens.sequences.codes import codes_with_n
from cislens_squid.library import BLOCK, UNKNOWN, Library
from cislens_squid.mutagenesis import partial_mutagenesis

Array = npt.NDArray[Any]
Order = Literal["1-2", "2-1"]


@dataclass(frozen=True)
class Element:
    """A site that is put into backgrounds.

    Parameters
    ----------
    word
        IUPAC letters. N is left to the background; of a letter that stands for two or three bases, the first in ACGT is
        the wild type.
    reverse
        Whether it reads on the minus strand.

    Raises
    ------
    CislensError
        If the word holds another letter, or nothing but N.
    """

    word: str
    reverse: bool = False

    def __post_init__(self) -> None:
        if not set(self.letters) <= set(IUPAC[1:]) or not set(self.letters) - {"N"}:
            raise CislensError(
                f"an element is a word of IUPAC letters that are not all N, such as TGASTCA, got {self.word!r}"
            )

    def __str__(self) -> str:
        return self.letters + ("-" if self.reverse else "+")

    def __len__(self) -> int:
        return len(self.word)

    @property
    def letters(self) -> str:
        """The word in capitals, U read as T."""
        return self.word.upper().replace("U", "T")

    @cached_property
    def codes(self) -> Array:
        """The wild type on the plus strand, (width,): 0 to 3 for ACGT, 4 where the background stays."""
        held = [IUPAC.index(letter) for letter in self.letters]
        codes = np.array([UNKNOWN if bases == 15 else (bases & -bases).bit_length() - 1 for bases in held], np.uint8)
        return np.where(codes == UNKNOWN, codes, 3 - codes)[::-1] if self.reverse else codes

    def read_forward(self, values: Array) -> Array:
        """Return values (width, 4) of the plus strand as the word reads."""
        return values[::-1, ::-1] if self.reverse else values


@dataclass(frozen=True)
class Design:
    """Say which elements stand where.

    Parameters
    ----------
    elements
        One or two, that do not overlap.
    starts
        The first position of each in the frame, 0-based.
    """

    elements: tuple[Element, ...]
    starts: tuple[int, ...]

    @classmethod
    def of_one(cls, element: Element, length: int, start: int | None = None) -> Design:
        """Return the design of an element in the middle of a frame of a length in bp, or at a start."""
        return cls((element,), ((length - len(element)) // 2 if start is None else start,))

    @classmethod
    def of_two(
        cls, elements: tuple[Element, Element], length: int, spacing: int, order: Order, start: int | None = None
    ) -> Design:
        """Return the design of two elements with these bp between them, the first placed as if it were alone.

        So what changes with the spacing is not the first one's own place. The order is "1-2" where the second stands
        after the first.
        """
        first = cls.of_one(elements[0], length, start).starts[0]
        after, before = first + len(elements[0]) + spacing, first - spacing - len(elements[1])
        return cls(elements, (first, after if order == "1-2" else before))

    @property
    def span(self) -> tuple[int, int]:
        """Where the design begins and ends in the frame."""
        ends = (start + len(element) for start, element in zip(self.starts, self.elements, strict=True))
        return min(self.starts), max(ends)

    @property
    def spacing(self) -> int:
        """How many bp lie between two elements."""
        return self.span[1] - self.span[0] - sum(map(len, self.elements))

    def fits(self, length: int) -> bool:
        """Return whether all of it lies in a frame of a length in bp."""
        return self.span[0] >= 0 and self.span[1] <= length

    def places(self, which: int) -> Array:
        """Return the positions in the frame, ascending, at which an element has bases of its own."""
        return np.asarray(self.starts[which] + np.flatnonzero(self.elements[which].codes < UNKNOWN))

    @property
    def sites(self) -> Array:
        """The positions in the frame of all elements' bases, ascending, (width,)."""
        return np.sort(np.concatenate([self.places(which) for which in range(len(self.elements))]))

    @property
    def wild(self) -> Array:
        """The elements' wild type at `sites`, (width,)."""
        ordered = sorted(zip(self.starts, self.elements, strict=True), key=lambda placed: placed[0])
        codes = np.concatenate([element.codes for _, element in ordered])
        return np.asarray(codes[codes < UNKNOWN])

    def __str__(self) -> str:
        if len(self.elements) == 1:
            return str(self.elements[0])
        one, two = self.elements if self.starts[0] < self.starts[1] else self.elements[::-1]
        return f"{one} {self.spacing} bp {two}"


def background_frames(background: str, sequences: Sequences, n: int, rng: np.random.Generator) -> Array:
    """Draw backgrounds for n variants, as codes, uint8 (n, length).

    Parameters
    ----------
    background
        In the text form of `cislens.backgrounds.parse_background`.
    sequences
        What backgrounds are made of, one each; every sequence serves before any serves again.
    n
        How many.
    rng
        Where chance comes from.
    """
    kind = parse_background(background, sequences)
    order = np.resize(rng.permutation(len(sequences)), n)
    frames = np.empty((n, sequences.length), np.uint8)
    for start in range(0, n, BLOCK):
        given = sequences.onehot[order[start : start + BLOCK]]
        drawn = given if isinstance(kind, Sampled) else kind.sample(given, 1, rng)[:, 0]
        frames[start : start + BLOCK] = codes_with_n(drawn)
    return frames


def global_library(design: Design, frames: Array, rate: float, rng: np.random.Generator) -> Library:
    """Return a library of a design whose elements are partially mutagenised, the wild type first.

    With the same frames and a generator of the same state, designs of the same elements get the same substitutions in
    the same backgrounds, so that they differ by nothing but where the elements stand.

    Parameters
    ----------
    design
        The elements and their places.
    frames : (n, length)
        A background for each variant, as codes.
    rate
        Mean number of substitutions a base of the elements; the numbers are Poisson distributed.
    rng
        Where chance comes from.
    """
    if not design.fits(frames.shape[1]):
        raise CislensError(
            f"a design must lie in the {frames.shape[1]} bp of its frames, got {design} at {design.span}"
        )
    drawn = partial_mutagenesis(len(design.sites), len(frames) - 1, rate, rng).after_wild_type()
    return Library(frames, design.sites, design.wild, drawn)
