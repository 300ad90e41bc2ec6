"""`cislens import`: what other tools wrote, as a report in a store."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from cislens.cli.console import note, print_table, say

# What a report that holds a part is derived from next, the first that fits.
STEPS = {"motifs": "matches", "attributions": "motifs"}


def import_(
    file: Annotated[Path | None, typer.Argument(help="What another tool wrote; without one, kinds are listed.")] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The .zarr store to write to.")] = Path("report.zarr"),
    label: Annotated[str | None, typer.Option("--label", help="Names the report; by default after its kind.")] = None,
    kind: Annotated[
        str | None,
        typer.Option("--as", help="NAME or NAME:setting=value,...; by default the kind that the file looks like."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a report of that label.")] = False,
) -> None:
    """Read maps or motifs that another tool wrote, as a report that can be derived from, shown and exported.

    Example: cislens import peaks.counts_scores.h5 --as chrombpnet:regions=peaks.interpreted_regions.bed -o report.zarr
    """
    from cislens.exchange.importer import chosen_importer, import_report

    if file is None:
        _list()
        return
    importer = chosen_importer(file, kind)
    report = import_report(file, importer)
    named = label or importer.name
    report.save(output, named, overwrite=overwrite)
    for sentence in (*report.sequences.notes, *report.validity.warnings):
        note(sentence)
    held = ", ".join(report.emits) or "nothing but sequences"
    say(f"{named}: {len(report.sequences):,} sequences of {report.sequences.length:,} bp with {held}, in {output}")
    step = next((step for part, step in STEPS.items() if part in report.emits), None)
    derive = f"cislens derive {output} --label {quote(named)} {step} && " if step else ""
    say(f"\nnext      {derive}cislens report {output} -o report.html")


def _list() -> None:
    from cislens.plugins import registry
    from cislens.settings import describe

    rows = []
    for name, kind in registry().importers.items():
        fields = ", ".join(setting.name for setting in describe(kind))
        rows.append((name, " ".join(f"*{suffix}" for suffix in kind.suffixes), kind.summary(), fields))
    print_table(("kind", "files", "what is read", "settings"), rows)
    say("\nuse    cislens import FILE --as NAME:setting=value,... -o report.zarr")
