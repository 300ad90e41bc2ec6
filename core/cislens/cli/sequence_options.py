"""The options that say how sequences are read, shared by every command that reads some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cislens.cli.shared_options import sharing

if TYPE_CHECKING:
    from cislens.sequences import Sequences

PANEL = "How sequences are read"


def _declared(
    genome: Annotated[
        str | None, typer.Option("--genome", help="FASTA of the genome, for BED.", rich_help_panel=PANEL)
    ] = None,
    length: Annotated[
        str,
        typer.Option(
            "--length",
            help="What to do with a length that does not fit the model: error, crop-center, crop-left, crop-right, "
            "pad-n, fit, drop, or resize-center for BED.",
            rich_help_panel=PANEL,
        ),
    ] = "error",
    lowercase: Annotated[
        str, typer.Option("--lowercase", help="keep: read as bases; n: as N.", rich_help_panel=PANEL)
    ] = "keep",
    ambiguous: Annotated[
        str,
        typer.Option("--ambiguous", help="IUPAC codes: n (read as N), drop or error.", rich_help_panel=PANEL),
    ] = "n",
    key: Annotated[
        str | None, typer.Option("--key", help="Which array of an .npz or .h5 file.", rich_help_panel=PANEL)
    ] = None,
    array_layout: Annotated[
        str,
        typer.Option("--array-layout", help="Axes of an array file: 'length,4' or '4,length'.", rich_help_panel=PANEL),
    ] = "length,4",
) -> None:
    """Declare the options; their values reach the command as one `SequenceOptions`."""


class SequenceOptions:
    """What the user said of how sequences are to be read."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given

    def read(self, path: str, length: int | None) -> Sequences:
        """Read a file at the model's length."""
        from cislens.sequences import ReadPolicy, read_sequences

        given = self.given
        policy = ReadPolicy(given["lowercase"], given["ambiguous"], given["array_layout"])
        return read_sequences(
            path, length=length, fit=given["length"], genome=given["genome"], key=given["key"], policy=policy
        )


with_sequence_options = sharing(_declared, "read", SequenceOptions)
