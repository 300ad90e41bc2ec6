"""`cislens report`: from a store to a page, or to files for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cislens.cli.console import note, say
from cislens.cli.export_options import Asked, asked_for
from cislens.errors import CislensError
from cislens.files import ELSEWHERE, writing

if TYPE_CHECKING:
    from cislens.report.store import ReportStore


def report(
    context: typer.Context,
    store: Annotated[Path, typer.Argument(help="A .zarr store that `cislens explain` wrote.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The HTML page to write; report.html where no other file is asked for."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Reports to show; all of the store by default.")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Title of the page.")] = None,
) -> None:
    """Write one HTML page of a store: maps as logos, predictions, validity, provenance.

    The page is one file that needs no network; it can be mailed or put beside a paper.

    Or write what other tools read, for which a report need not fit into memory.

    Example: cislens report report.zarr --meme motifs.meme --bed instances.bed --bigwig maps.bw
    """
    from cislens.report.store import ReportStore

    asked = asked_for(context)
    opened = ReportStore.open(store, "r")
    labels = label or list(opened.labels)
    if asked:
        _export(opened, labels, asked)
    if output is None and asked:
        return
    from cislens.page import write_page

    page = output or Path("report.html")
    reports = {name: opened.read(name) for name in labels}
    with writing(page, ELSEWHERE):
        write_page(reports, page, title=title)
    say(str(page))


def _export(opened: ReportStore, labels: list[str], asked: list[Asked]) -> None:
    from cislens.exchange import ReportBlocks, export

    if len(labels) != 1:
        raise CislensError(
            f"a file for other tools holds one report, and {opened.path} holds {', '.join(labels) or 'none'}: say "
            "which, as in --label NAME"
        )
    held = ReportBlocks.of(opened.reader(labels[0]))
    for exporter, path in asked:
        exported = export(held, exporter, path)
        for sentence in exported.notes:
            note(sentence)
        for written in exported.paths:
            say(str(written))
