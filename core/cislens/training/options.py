"""How the data of a training are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cislens import settings
from cislens.errors import CislensError, require_choice
from cislens.sequences.policy import Ambiguous, Fit, Layout, LowerCase, ReadPolicy
from cislens.training.data import Task

HeldOut = float | tuple[str, ...]


@dataclass(frozen=True)
class DataOptions:
    """Say how training data are read, what they are told apart from, and which part is held out.

    Parameters
    ----------
    negatives
        What positives (FASTA or BED) are told apart from: "dinucleotide" (shuffles of each), "gc" (real sequences of
        the same GC, from `pool` or `genome`), or a file of negatives.
    per_positive
        How many negatives are made for each positive.
    genome
        FASTA of the genome, for BED and for "gc".
    pool
        A file of candidates from which "gc" chooses; None chooses from the genome.
    length
        Length in bp; None where all sequences share one.
    fit
        What is done with a sequence of another length, as in `read_sequences`.
    lowercase
        "keep" reads lower-case letters as bases, "n" as N.
    ambiguous
        IUPAC codes: "n" reads them as N, "drop" leaves the sequence out, "error" refuses the file.
    layout
        The last two axes of an array of sequences; None reads them off its shape.
    sequences
        Name of the column or array that holds the sequences; None finds it where only one can be meant.
    values
        Names of the columns or arrays that hold the values; none finds it where only one can be meant.
    task
        "binary" or "regression"; None says "binary" where every value is 0 or 1.
    validation
        Held out for stopping: a fraction, drawn at random, or names of chromosomes.
    test
        Held out for the final word: a fraction or names of chromosomes, as `validation`.
    seed
        Of the negatives that are made and of a random split.

    Raises
    ------
    CislensError
        If a choice is none of those named, or the two held-out parts cannot be.
    """

    negatives: str | None = None
    per_positive: int = 1
    genome: str | None = None
    pool: str | None = None
    length: int | None = None
    fit: Fit = "error"
    lowercase: LowerCase = "keep"
    ambiguous: Ambiguous = "n"
    layout: Layout | None = None
    sequences: str | None = None
    values: tuple[str, ...] = ()
    task: Task | None = None
    validation: HeldOut = 0.1
    test: HeldOut = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        require_choice("fit", self.fit, Fit)
        require_choice("lowercase", self.lowercase, LowerCase)
        require_choice("ambiguous", self.ambiguous, Ambiguous)
        if self.layout is not None:
            require_choice("layout", self.layout, Layout)
        if self.task is not None:
            require_choice("the task", self.task, Task)
        if self.per_positive < 1:
            raise CislensError(f"at least one negative must be made for each positive, got {self.per_positive}")
        if self.seed < 0:
            raise CislensError(f"the seed of the data must not be negative, got {self.seed}")
        if self.pool is not None and self.negatives != "gc":
            raise CislensError(
                f"a pool is what gc chooses from, but negatives are {self.negatives!r}: say --negatives gc"
            )
        _check_held_out(self.validation, self.test)

    @property
    def policy(self) -> ReadPolicy:
        """How letters are read."""
        return ReadPolicy(self.lowercase, self.ambiguous)

    def record(self) -> dict[str, Any]:
        """Return the options as JSON values."""
        return settings.values(self)


def _check_held_out(validation: HeldOut, test: HeldOut) -> None:
    if isinstance(validation, tuple) != isinstance(test, tuple):
        raise CislensError(
            f"validation and test must both be fractions or both chromosomes, got {validation!r} and {test!r}: "
            "name chromosomes for both, as in --validation chr8+chr10 --test chr1"
        )
    if isinstance(validation, tuple) and isinstance(test, tuple):
        both = sorted(set(validation) & set(test))
        if not validation or not test or both:
            raise CislensError(
                "validation and test must each name chromosomes that the other does not, got "
                f"{'+'.join(validation) or 'none'} and {'+'.join(test) or 'none'}"
            )
    elif not isinstance(validation, tuple) and not isinstance(test, tuple):
        if not (validation > 0 and test > 0 and validation + test < 1):
            raise CislensError(
                "the fractions of validation and test must be above 0 and leave something for training, got "
                f"{validation} and {test}"
            )


def parse_held_out(text: str) -> HeldOut:
    """Read the text form of a held-out part: a fraction such as 0.1, or chromosomes such as chr8+chr10.

    A number from 0 to below 1 with a decimal point is a fraction; what else there is, such as "1", names chromosomes.
    """
    try:
        fraction = float(text) if "." in text else None
    except ValueError:
        fraction = None
    return fraction if fraction is not None and 0 <= fraction < 1 else tuple(filter(None, text.split("+")))
