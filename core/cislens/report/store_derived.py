"""What was derived of a report, kept beside it: the maps are not written again."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import Any

from cislens.report.report import TABLES, MotifReport
from cislens.report.store_json import read_attributes, write_group, writing
from cislens.report.store_layout import Layout
from cislens.report.store_tables import read_motifs, read_table, write_motifs, write_table


def write_derived(layout: Layout, report: MotifReport) -> None:
    """Keep a report's motifs, tables and steps; what was derived before is replaced, whole or not at all."""
    with writing(layout.root):
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
        old = layout.workshop / "derived-before"
        shutil.rmtree(old, ignore_errors=True)
        if layout.derived.exists():
            os.rename(layout.derived, old)
        os.rename(unfinished, layout.derived)
        shutil.rmtree(old, ignore_errors=True)


def with_derived(layout: Layout, report: MotifReport) -> MotifReport:
    """Return a report with what was derived of it, itself where nothing was."""
    if not (layout.derived / "zarr.json").exists():
        return report
    facts = read_attributes(layout.derived)
    held = facts["tables"]
    tables: dict[str, Any] = {name: read_table(layout.derived / name) if name in held else None for name in TABLES}
    validity = replace(report.validity, summary=facts["summary"]).warned(*facts["warnings"])
    return replace(
        report,
        motifs=read_motifs(layout.derived / "motifs"),
        validity=validity,
        provenance=replace(report.provenance, derivations=tuple(facts["steps"])),
        **tables,
    )
