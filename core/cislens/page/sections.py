"""What each section of the page says, as plain values for the template."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.page.gathering import Gathered, target_texts
from cislens.page.instance_bands import Band
from cislens.page.logo import text_of
from cislens.page.payload import Plan
from cislens.report import TABLES, MotifReport

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

MOST_ROWS = 20
MOST_DROPPED = 200
MOST_COLUMNS = 12
DOI = re.compile(r"10\.\d{4,9}/\S+")


def warnings(gathered: Gathered) -> list[tuple[str, str]]:
    """Return (labels, sentence) of every warning, those of several reports once."""
    labels: dict[str, list[str]] = {}
    for label, report in gathered.reports.items():
        for sentence in report.validity.warnings:
            labels.setdefault(sentence, []).append(label)
    found = [(", ".join(held), sentence) for sentence, held in labels.items()]
    if len({str(r.provenance.model.get("fingerprint", "")) for r in gathered.reports.values()}) > 1:
        found.append(("", "These reports come from models with different fingerprints: compare them with care."))
    for track in gathered.tracks:
        if not np.isfinite(track.values).all():
            target = gathered.targets[track.target]
            found.append((track.label, f"The {track.kind} of {target} holds NaN or infinity, which is drawn as 0."))
    return found


def limits(gathered: Gathered, held: Plan, bands: Iterable[Band]) -> list[str]:
    """Return sentences on what the page leaves out of the store."""
    step = "1/32,767" if held.bits == 16 else "1/127"
    found = []
    if gathered.tracks:
        found.append(
            f"Drawing is rounded to {step} of each map's largest absolute value; the store holds exact values."
        )
    n, t = len(gathered.sequences), len(gathered.targets)
    if held.observed:
        found.append("To stay small, this page holds the values of the observed bases only; the store holds all four.")
    if held.sequences < n:
        found.append(f"To stay small, this page holds the first {held.sequences:,} of {n:,} sequences.")
    if held.targets < t:
        found.append(f"To stay small, this page holds the maps of the first {held.targets:,} of {t:,} targets.")
    for band in bands:
        drawn = sum(map(len, band.rows))
        if drawn < band.total:
            found.append(
                f"To stay small, the {drawn:,} instances of {band.label} with the best scores are drawn, of "
                f"{band.total:,}."
            )
    return found


def models(gathered: Gathered) -> list[dict[str, Any]]:
    """Return each model once: name, kind, fingerprint, length, heads, and the labels that explain it."""
    found: dict[str, dict[str, Any]] = {}
    for label, report in gathered.reports.items():
        model = report.provenance.model
        key = f"{model.get('name')} {model.get('fingerprint')}"
        entry = found.setdefault(
            key,
            {
                "name": model.get("name") or "unnamed model",
                "kind": model.get("kind", ""),
                "fingerprint": model.get("fingerprint", ""),
                "length": model.get("length"),
                "heads": [_head(head) for head in model.get("heads", ())],
                "labels": [],
            },
        )
        entry["labels"].append(label)
    return list(found.values())


def _head(head: Mapping[str, Any]) -> str:
    axes = zip(head.get("shape", ()), head.get("axes", ()), strict=False)
    shape = " × ".join(f"{size:,} {axis}{'' if size == 1 else 's'}" for size, axis in axes) or "1 number"
    scale = head.get("scale", "unknown")
    return f"{head.get('name', '?')} ({shape}; {'scale not declared' if scale == 'unknown' else scale})"


def explainers(gathered: Gathered) -> list[dict[str, Any]]:
    """Return a row for each report: label, explainer, settings, targets, what it emits, cost and references."""
    rows = []
    for label, report in gathered.reports.items():
        made = report.provenance
        rows.append(
            {
                "label": label,
                "explainer": made.explainer or "not recorded",
                "settings": _settings(made.settings),
                "targets": ", ".join(target_texts(report)) or "none",
                "emits": ", ".join(report.emits) or "nothing",
                "seed": made.seed,
                "seconds": text_of(made.cost.seconds, 3),
                "predictions": f"{made.cost.predictions:,}",
                "pullbacks": f"{made.cost.pullbacks:,}",
                "references": [reference(text) for text in made.references],
            }
        )
    return rows


def _settings(held: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_setting(value)}" for name, value in held.items()) or "none"


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " + ".join(map(str, value)) or "none"
    return {"True": "yes", "False": "no", "None": "none"}.get(str(value), str(value))


def reference(text: str) -> dict[str, str]:
    """Return a reference's text and, of a DOI, its address."""
    return {"text": text, "href": f"https://doi.org/{text}" if DOI.fullmatch(text) else ""}


def prediction_rows(gathered: Gathered, held: Plan) -> list[dict[str, Any]]:
    """Return a row for each sequence of the page: id, coordinates, predictions of the first targets."""
    rows = []
    for i in range(held.sequences):
        region = gathered.sequences.regions[i]
        values = gathered.predictions[:MOST_COLUMNS, i]
        rows.append(
            {
                "id": gathered.sequences.ids[i],
                "region": ""
                if region is None
                else f"{region.chrom}:{region.start:,}–{region.end:,} ({region.strand})".replace("(-)", "(−)"),
                "values": [
                    {"text": text_of(value), "sort": repr(float(value)) if np.isfinite(value) else ""}
                    for value in values
                ],
            }
        )
    return rows


def dropped(gathered: Gathered) -> tuple[list[dict[str, str]], int]:
    """Return rows of what was left out, with its reason and the reports it is missing from, and how many there are."""
    labels: dict[tuple[str, str], list[str]] = {}
    for label, report in gathered.reports.items():
        for name, reason in dict.fromkeys((*report.sequences.dropped, *report.dropped)):
            labels.setdefault((name, reason), []).append(label)
    everywhere = len(gathered.reports)
    rows = [
        {"id": name, "reason": reason, "labels": "all" if len(held) == everywhere else ", ".join(held)}
        for (name, reason), held in labels.items()
    ]
    return rows[:MOST_DROPPED], len(rows)


def notes(gathered: Gathered) -> list[str]:
    """Return what was changed in the sequences when they were read."""
    return list(dict.fromkeys(note for report in gathered.reports.values() for note in report.sequences.notes))


def tables(gathered: Gathered) -> list[dict[str, Any]]:
    """Return the first rows of each table of each report; curves, whose rows say little, are but drawn."""
    found = []
    for name in TABLES:
        if name == "curves":
            continue
        for label, report in gathered.reports.items():
            table: pd.DataFrame | None = getattr(report, name)
            if table is not None and len(table):
                rows = [[_cell(value) for value in row] for row in table.head(MOST_ROWS).itertuples(index=False)]
                columns = [str(column) for column in table.columns]
                found.append({"name": name, "label": label, "columns": columns, "rows": rows, "total": len(table)})
    return found


def _cell(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return text_of(float(value))
    if isinstance(value, tuple | list | np.ndarray):
        return ", ".join(_cell(item) for item in value)
    return str(value)


def steps(gathered: Gathered) -> list[dict[str, Any]]:
    """Return a row for each step that derived a part of a report."""
    return [
        {
            "label": label,
            "derivation": step["derivation"],
            "gives": ", ".join(step["gives"]),
            "settings": _settings(step["settings"]),
            "seed": step["seed"],
            "seconds": text_of(float(step["seconds"]), 3),
            "references": [reference(text) for text in step["references"]],
        }
        for label, report in gathered.reports.items()
        for step in report.provenance.derivations
    ]


def provenance(gathered: Gathered) -> list[tuple[str, str]]:
    """Return (label, pretty JSON) of each report's provenance."""
    return [(label, _pretty(report)) for label, report in gathered.reports.items()]


def _pretty(report: MotifReport) -> str:
    return json.dumps(report.provenance.to_json(), indent=2, ensure_ascii=False, default=str)
