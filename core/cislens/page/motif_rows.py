"""The table of motifs: logos, counts, and the best match of each, aligned below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from cislens.errors import ReportError
from cislens.motif import Motif
from cislens.page.figures import MOTIF_STEP, motif_logo
from cislens.page.gathering import Gathered
from cislens.page.logo import text_of, with_shared_glyphs
from cislens.report import MotifReport

if TYPE_CHECKING:
    import pandas as pd

MOST_MOTIFS = 60


class Found(NamedTuple):
    """How many instances of a motif there are, and in how many sequences."""

    instances: int
    sequences: int


def motifs(gathered: Gathered) -> list[dict[str, Any]]:
    """Return for each report with motifs a row a motif, and how many there are."""
    found = []
    for label, report in gathered.reports.items():
        if report.motifs:
            counts, matches, known = _counts(report), _best_matches(report), _known(report)
            rows = [_row(motif, report, counts, matches.get(motif.id), known) for motif in report.motifs[:MOST_MOTIFS]]
            has = {"instances": report.instances is not None, "matches": report.matches is not None}
            found.append({"label": label, "rows": rows, "total": len(report.motifs), "has": has})
    return found


def _row(
    motif: Motif,
    report: MotifReport,
    counts: Mapping[str, Found],
    match: dict[str, Any] | None,
    known: Mapping[str, Motif],
) -> dict[str, Any]:
    logo, meaning = motif_logo(motif)
    indent = 0
    target = known.get(str(match["target"])) if match is not None else None
    if match is not None and target is not None:
        turned = target.reverse_complement() if match["strand"] == "-" else target
        offset = MOTIF_STEP * int(match["offset"])
        indent = max(offset, 0)
        match = {**match, "logo": with_shared_glyphs(motif_logo(turned)[0]), "indent": max(-offset, 0)}
    held = counts.get(motif.id, Found(0, 0))
    n = len(report.sequences)
    share = f" ({held.sequences / n:.0%} of sequences)" if n else ""
    return {
        "id": motif.id,
        "name": motif.name,
        "facts": f"{len(motif)} bp, {motif.kind}",
        "meaning": meaning,
        "consensus": "" if motif.kind == "contributions" else motif.consensus(),
        "sites": "" if motif.sites is None else f"{motif.sites:,}",
        "instances": f"{held.instances:,}{share if held.instances else ''}",
        "logo": with_shared_glyphs(logo),
        "indent": indent,
        "match": match,
    }


def _counts(report: MotifReport) -> dict[str, Found]:
    if report.instances is None or not len(report.instances):
        return {}
    by_motif = report.instances.groupby("motif")["sequence"]
    return {
        str(name): Found(int(instances), int(sequences))
        for name, instances, sequences in zip(by_motif.size().index, by_motif.size(), by_motif.nunique(), strict=True)
    }


def _best_matches(report: MotifReport) -> dict[str, dict[str, Any]]:
    """Return each motif's match of the smallest q-value, with its facts as text."""
    table: pd.DataFrame | None = report.matches
    if table is None or not len(table):
        return {}
    best = table.sort_values("q_value", kind="stable").drop_duplicates("motif")
    further = [name for name in ("family", "database") if name in best]
    return {
        str(row["motif"]): {
            **{name: row[name] for name in ("target", "name", "offset", "strand")},
            **{name: str(row[name]) if name in further else "" for name in ("family", "database")},
            "q": text_of(float(row["q_value"]), 2),
            "logo": "",
            "indent": 0,
        }
        for row in best.to_dict("records")
    }


def _known(report: MotifReport) -> dict[str, Motif]:
    """Return the motifs that were matched with, none where their file is no longer there: then names must do."""
    from cislens.databases import load

    steps = [step for step in report.provenance.derivations if "matches" in step.get("gives", ())]
    name = steps[-1]["settings"].get("database") if steps else None
    if name is None:
        return {}
    try:
        return {motif.id: motif for motif in load(name).motifs}
    except ReportError:
        return {}
