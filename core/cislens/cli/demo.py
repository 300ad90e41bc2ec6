"""`cislens demo`: the whole tour on a bundled model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cislens.cli.console import progress_bar, say


def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Where the tour leaves its files.")] = Path("cislens-demo"),
) -> None:
    """Take the whole tour on a small bundled model: open it, explain it, read the page. Offline, under a minute."""
    from cislens.demo.tour import run_demo

    with progress_bar("demo") as progress:
        page = run_demo(folder, say, progress)
    say(f"page: {page.resolve()}")
