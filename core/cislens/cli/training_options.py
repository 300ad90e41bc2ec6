"""The options that say how training data are read and split."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cislens.cli.console import note
from cislens.cli.shared_options import sharing

if TYPE_CHECKING:
    from cislens.training import TrainingData

PANEL = "How training data are read"
SPLIT = "How they are split"


def _option(name: str, help: str, panel: str = PANEL) -> Any:
    return typer.Option(name, help=help, rich_help_panel=panel)


def _declared(
    negatives: Annotated[
        str | None,
        _option(
            "--negatives",
            "What positives (FASTA or BED) are told apart from: dinucleotide (shuffles of each), gc (real sequences of "
            "the same GC), or a file.",
        ),
    ] = None,
    per_positive: Annotated[int, _option("--per-positive", "Negatives made for each positive.")] = 1,
    genome: Annotated[str | None, _option("--genome", "FASTA of the genome, for BED and for gc.")] = None,
    pool: Annotated[str | None, _option("--pool", "Candidates among which gc chooses, in place of the genome.")] = None,
    input_length: Annotated[int | None, _option("--input-length", "Length in bp, where sequences differ.")] = None,
    length: Annotated[
        str,
        _option(
            "--length",
            "What to do with a length that does not fit: error, crop-center, crop-left, crop-right, pad-n, fit, drop, "
            "or resize-center for BED.",
        ),
    ] = "error",
    lowercase: Annotated[str, _option("--lowercase", "keep: read as bases; n: as N.")] = "keep",
    ambiguous: Annotated[str, _option("--ambiguous", "IUPAC codes: n (read as N), drop or error.")] = "n",
    array_layout: Annotated[
        str | None,
        _option("--array-layout", "Axes of an array: 'length,4' or '4,length'; by default its shape tells."),
    ] = None,
    sequences: Annotated[
        str | None, _option("--sequences", "Column or array of the sequences, where several could be.")
    ] = None,
    values: Annotated[
        list[str] | None,
        _option("--values", "Column or array of the values, where several could be; may be repeated."),
    ] = None,
    task: Annotated[
        str | None, _option("--task", "binary or regression; by default binary where every value is 0 or 1.")
    ] = None,
    validation: Annotated[
        str,
        _option("--validation", "Held out to know when to stop: a fraction, or chromosomes as chr8+chr10.", SPLIT),
    ] = "0.1",
    test: Annotated[
        str, _option("--test", "Held out for the final figures: a fraction, or chromosomes.", SPLIT)
    ] = "0.1",
    data_seed: Annotated[
        int,
        _option(
            "--data-seed", "Of negatives that are made, of a random split, and of what a grammar holds out.", SPLIT
        ),
    ] = 0,
) -> None:
    """Declare the options; their values reach the command as one `TrainingDataOptions`."""


class TrainingDataOptions:
    """What the user said of how training data are to be read and split."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given

    @property
    def changed(self) -> list[str]:
        """The options that were given, but for the seed, which all data have."""
        defaults = inspect.signature(_declared).parameters
        return [
            f"--{name.replace('_', '-')}"
            for name, value in self.given.items()
            if name != "data_seed" and value not in (defaults[name].default, [])
        ]

    def read(self, data: str) -> TrainingData:
        """Read training data from a file, and tell what was changed or left out."""
        from cislens.training.options import DataOptions, parse_held_out
        from cislens.training.reading import read_training_data

        given = dict(self.given)
        options = DataOptions(
            length=given.pop("input_length"),
            fit=given.pop("length"),
            layout=given.pop("array_layout"),
            values=tuple(given.pop("values") or ()),
            validation=parse_held_out(given.pop("validation")),
            test=parse_held_out(given.pop("test")),
            seed=given.pop("data_seed"),
            **given,
        )
        read = read_training_data(data, options)
        for remark in read.record()["notes"]:
            note(remark)
        return read


with_training_options = sharing(_declared, "read", TrainingDataOptions)
