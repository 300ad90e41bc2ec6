"""The instances that are drawn along the sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cislens.page.gathering import Gathered
from cislens.report import MotifReport

if TYPE_CHECKING:
    import pandas as pd

MOST_INSTANCES = 20_000  # of all reports together, about half a megabyte


class Band(NamedTuple):
    """The instances of one report.

    Parameters
    ----------
    label
        The report.
    motifs
        Names of the motifs.
    rows
        For each sequence of the page its instances: motif (its number), start, end, whether it reads on the minus
        strand (1), and score.
    total
        How many there are on the page's sequences, with those that were left out to stay small.
    """

    label: str
    motifs: list[str]
    rows: list[list[list[float]]]
    total: int


def instance_bands(gathered: Gathered, sequences: int) -> list[Band]:
    """Return the instances of each report that has some, on the first so many sequences.

    Of too many, those of the best scores are kept.
    """
    place = {name: i for i, name in enumerate(gathered.sequences.ids[:sequences])}
    tables = {
        label: report.instances[report.instances["sequence"].isin(place)]
        for label, report in gathered.reports.items()
        if report.instances is not None
    }
    tables = {label: table for label, table in tables.items() if len(table)}
    most = MOST_INSTANCES // max(len(tables), 1)
    return [_band(label, gathered.reports[label], table, place, most) for label, table in tables.items()]


def _band(label: str, report: MotifReport, table: pd.DataFrame, place: dict[str, int], most: int) -> Band:
    called = {motif.id: motif.name for motif in report.motifs}
    ids = list(dict.fromkeys([*called, *map(str, table["motif"])]))
    number = {name: i for i, name in enumerate(ids)}
    held = table.nlargest(most, "score") if len(table) > most else table
    held = held.sort_values(["start", "end"], kind="stable")
    rows: list[list[list[float]]] = [[] for _ in place]
    for row in held.to_dict("records"):
        score = float(row["score"])
        facts = (number[row["motif"]], row["start"], row["end"], row["strand"] == "-")
        rows[place[row["sequence"]]].append([*map(int, facts), float(f"{score:.4g}") if np.isfinite(score) else 0.0])
    return Band(label, [called.get(name, name) for name in ids], rows, len(table))
