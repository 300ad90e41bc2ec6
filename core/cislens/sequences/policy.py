"""What is done with letters that are no plain bases, and how an array is laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cislens.errors import SequenceError, require_choice

Fit = Literal["error", "crop-center", "crop-left", "crop-right", "pad-n", "fit", "drop", "resize-center"]
LowerCase = Literal["keep", "n"]
Ambiguous = Literal["n", "drop", "error"]
Layout = Literal["length,4", "4,length"]


@dataclass(frozen=True)
class ReadPolicy:
    """Say how letters and arrays are read.

    Parameters
    ----------
    lowercase
        Lower-case bases, which usually mark repeats: "keep" reads them as bases, "n" as N.
    ambiguous
        IUPAC codes such as R or Y: "n" reads them as N, "drop" leaves the sequence out, "error" refuses the file.
        N itself is no ambiguous code.
    layout
        Order of the last two axes of an array file. It is never guessed.
    """

    lowercase: LowerCase = "keep"
    ambiguous: Ambiguous = "n"
    layout: Layout = "length,4"

    def __post_init__(self) -> None:
        require_choice("lowercase", self.lowercase, LowerCase, SequenceError)
        require_choice("ambiguous", self.ambiguous, Ambiguous, SequenceError)
        require_choice("layout", self.layout, Layout, SequenceError)
