"""What was derived of a report, kept beside it: the maps are not written again."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from cislens.report.report import TABLES, MotifReport
from cislens.report.store_json import read_attributes, write_group
from cislens.report.store_layout import Layout
from cislens.report.store_tables import read_motifs, read_table, write_motifs, write_table


def write_derived(layout: Layout, report: MotifReport) -> None:
    """Keep a report's motifs, tables and steps; what was derived before is replaced, whole or not at all."""
    unfinished = layout.workshop / "derived"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    tables = [name for name in TABLES if getattr(report, name) is not None]
    for name in tables:
        write_table(unfinished / name, getattr(report, name))
    write_motifs(unfinished / "motifs", report.motifs)
    steps = list(report.provenance.derivations)
    said = {"warnings": list(report.validity.warnings), "summary": dict(report.validity.summary)}
    write_group(unfinished, {"tables": tables, "steps": steps, **said})
    write_group(layout.derived)
    before = _times(layout)
    # The new one is there before the old one goes, so that a kill leaves one of them.
    os.rename(unfinished, layout.derived / f"{int(before[-1].name) + 1 if before else 0:06d}")
    for old in before:
        shutil.rmtree(old)


def remove_derived(layout: Layout) -> None:
    """Remove all that was derived of a report, at one go."""
    if layout.derived.exists():
        os.rename(layout.derived, layout.workshop / "outdated")
        shutil.rmtree(layout.workshop / "outdated")


def with_derived(layout: Layout, report: MotifReport) -> MotifReport:
    """Return a report with what was derived of it, itself where nothing was."""
    times = _times(layout)
    if not times:
        return report
    facts = read_attributes(times[-1])
    held = facts["tables"]
    tables: dict[str, Any] = {name: read_table(times[-1] / name) if name in held else None for name in TABLES}
    validity = replace(report.validity, summary=facts["summary"]).warned(*facts["warnings"])
    return replace(
        report,
        motifs=read_motifs(times[-1] / "motifs"),
        validity=validity,
        provenance=replace(report.provenance, derivations=tuple(facts["steps"])),
        **tables,
    )


def _times(layout: Layout) -> list[Path]:
    return sorted(path for path in layout.derived.glob("*") if path.name.isdigit())
