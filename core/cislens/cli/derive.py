"""`cislens derive`: from maps to motifs, instances, syntax and matches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cislens.cli.console import note, print_table, progress_bar, say, say_json
from cislens.errors import CislensError, ReportError

if TYPE_CHECKING:
    from cislens.report import MotifReport


def derive(
    store: Annotated[Path | None, typer.Argument(help="A .zarr store that `cislens explain` wrote.")] = None,
    steps: Annotated[
        list[str] | None,
        typer.Argument(help="NAME or NAME:setting=value,..., in their order; without any, they are listed."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Reports to derive from; all of the store by default.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of every random stream.", min=0)] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Derive motifs, their instances, their syntax and their matches in a database from maps.

    What is derived is kept in the store, beside the maps. A step taken again replaces what it gave before, and what was
    made of that.

    Example: cislens derive report.zarr motifs instances syntax matches
    """
    from cislens.derivation import derive as derived
    from cislens.derivation import parse_derivation
    from cislens.report.store import ReportStore

    if store is None:
        _list()
        return
    if not steps:
        raise CislensError(f"say what to derive from {store}, as in: cislens derive {store} motifs instances")
    chosen = [parse_derivation(step) for step in steps]
    opened = ReportStore.open(store, "r+")
    if not opened.labels:
        raise CislensError(f"{store} must hold a report to derive from, and it holds none: explain sequences first")
    facts: dict[str, MotifReport] = {}
    for name in label or opened.labels:
        try:
            with progress_bar(name) as progress:
                report = derived(opened.read(name), *chosen, seed=seed, progress=progress, tell=note)
            opened.keep_derived(name, report)
        except ReportError as error:
            others = ", ".join(facts)
            kept = f" (what was derived of {others} is kept; --label says which reports are meant)" if others else ""
            raise ReportError(f"report {name!r}: {error}{kept}") from error
        facts[name] = report
    if json:
        say_json({name: _facts(report) for name, report in facts.items()})
        return
    for name, report in facts.items():
        _summarise(name, report)
    say(f"\nnext      cislens report {store} -o report.html")


def _facts(report: MotifReport) -> dict[str, object]:
    return {
        "motifs": [{"id": motif.id, "consensus": motif.consensus(), "sites": motif.sites} for motif in report.motifs],
        "derivations": list(report.provenance.derivations),
        "warnings": report.validity.warnings,
    }


def _summarise(name: str, report: MotifReport) -> None:
    tables = {part: getattr(report, part) for part in ("instances", "syntax", "matches")}
    counted = ", ".join(f"{len(table):,} {part}" for part, table in tables.items() if table is not None)
    say(f"{name}: {len(report.motifs)} motifs{counted and ', ' + counted}")
    for sentence in report.validity.warnings:
        note(sentence)


def _list() -> None:
    from cislens.plugins import registry

    rows = (
        (name, " or ".join(kind.takes), ", ".join(kind.gives), kind.summary())
        for name, kind in registry().derivations.items()
    )
    print_table(("step", "takes", "gives", "what it does"), rows)
    say("\nuse    cislens derive STORE NAME ...")
