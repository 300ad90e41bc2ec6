"""What a table says of one sequence and one target, so that the page's script can draw it beside the sequence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cislens.page.gathering import Gathered, target_texts
from cislens.page.payload import Plan
from cislens.report import MotifReport

if TYPE_CHECKING:
    import pandas as pd

OF_THE_MODEL = -1  # in place of a sequence


@dataclass(frozen=True, eq=False)
class Share:
    """Hold the rows of a table that speak of one sequence and target.

    Parameters
    ----------
    report, label
        Where they come from.
    target
        Its text.
    sequence
        Its index on the page; `OF_THE_MODEL` where the rows name none, or something else.
    name
        What the rows name: the sequence's id, or a design whose backgrounds are many.
    rows
        The table's rows.
    """

    report: MotifReport
    label: str
    target: str
    sequence: int
    name: str
    rows: pd.DataFrame

    def heading(self, gathered: Gathered) -> dict[str, Any]:
        """Return what the script needs in order to know when to show the picture, and how to call it."""
        number = gathered.targets.index(self.target) if self.target in gathered.targets else -1
        of = {"sequence": self.sequence, "of": self.name}
        return {"label": self.label, "target": number, "name": self.target, **of}

    def measure(self, name: str) -> float | None:
        """Return a measure of validity of this sequence and target, None where the report has none.

        Of a design it is the summary "MEASURE of DESIGN on TARGET".
        """
        validity = self.report.validity
        if self.sequence == OF_THE_MODEL:
            return validity.summary.get(f"{name} of {self.name} on {self.target}", validity.summary.get(name))
        texts, ids = target_texts(self.report), self.report.sequences.ids
        if name not in validity.measures or self.target not in texts:
            return None
        return float(validity.measures[name][texts.index(self.target), ids.index(self.name)])


@dataclass(frozen=True)
class Drawn:
    """Hold the pictures of one kind that the page has room for, as JSON values, and how many there are in all."""

    pictures: tuple[dict[str, Any], ...]
    total: int

    def limit(self, kind: str) -> str:
        """Return a sentence on what the page leaves out, empty where that is nothing."""
        if len(self.pictures) == self.total:
            return ""
        return f"To stay small, this page draws the first {len(self.pictures):,} of {self.total:,} {kind}."


def shares(gathered: Gathered, table: str, held: Plan) -> tuple[list[Share], int]:
    """Return the shares of a table, those of the model first, then sequence by sequence; and how many there are.

    Shares of sequences that the page does not hold are counted, and left out.
    """
    index = {name: i for i, name in enumerate(gathered.sequences.ids)}
    found, total = [], 0
    for label, report in gathered.reports.items():
        places = {name: index[name] for name in report.sequences.ids}
        rows: pd.DataFrame | None = getattr(report, table)
        for (target, name), part in () if rows is None else _groups(rows):
            total += 1
            sequence = places.get(name, OF_THE_MODEL)
            if sequence < held.sequences:
                found.append(Share(report, label, target, sequence, name, part))
    return sorted(found, key=lambda share: share.sequence), total


def _groups(rows: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    named = rows.assign(sequence=rows["sequence"].fillna("").astype(str))
    for (target, name), part in named.groupby(["target", "sequence"], sort=False):
        yield (str(target), str(name)), part


def fitting(pictures: Iterable[Mapping[str, Any]], total: int, budget: int) -> Drawn:
    """Return the first pictures that together take no more characters than a budget."""
    kept: list[dict[str, Any]] = []
    for picture in pictures:
        budget -= len(json.dumps(picture))
        if budget < 0:
            break
        kept.append(dict(picture))
    return Drawn(tuple(kept), total)
