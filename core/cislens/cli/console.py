"""What the command line says, and where: results on standard output, everything else on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from cislens.context import Progress
from cislens.json_text import json_text

QUIET_SECONDS = 10.0  # between lines of progress where there is no terminal


def say(text: str = "") -> None:
    """Print a result."""
    typer.echo(text)


def note(text: str) -> None:
    """Print a remark on standard error."""
    typer.echo(f"note: {text}", err=True)


def complain(text: str) -> None:
    """Print an error on standard error."""
    typer.secho(f"error: {text}", err=True, fg=typer.colors.RED)


def say_json(values: Any) -> None:
    """Print values as JSON; what is no number is null."""
    typer.echo(json_text(values, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """Print rows of text below the names of their columns, as wide as the terminal, or wide enough for a file."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140, highlight=False).print(table)


@contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
    """Yield a progress callable: a bar on a terminal, now and then a line elsewhere."""
    if not sys.stderr.isatty():
        yield _lines(label)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=int(done), total=int(total))


def _lines(label: str) -> Progress:
    began = last = time.monotonic()

    def line(done: float, total: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= QUIET_SECONDS:
            last = now
            typer.echo(f"{label}: {done:.0f} of {total:.0f} after {now - began:.0f} s", err=True)

    return line
