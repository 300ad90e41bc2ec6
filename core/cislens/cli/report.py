"""`cislens report`: from a store to a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cislens.cli.console import say


def report(
    store: Annotated[Path, typer.Argument(help="A .zarr store that `cislens explain` wrote.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The HTML page to write.")] = Path("report.html"),
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Reports to show; all of the store by default.")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Title of the page.")] = None,
) -> None:
    """Write one HTML page of a store: maps as logos, predictions, validity, provenance.

    The page is one file that needs no network; it can be mailed or put beside a paper.
    """
    from cislens.page import write_page
    from cislens.report.store import ReportStore

    opened = ReportStore.open(store, "r")
    reports = {name: opened.read(name) for name in (label or opened.labels)}
    write_page(reports, output, title=title)
    say(str(output))
