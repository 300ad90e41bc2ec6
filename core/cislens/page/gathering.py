"""Labelled reports as one set of sequences, targets and tracks, so that they can be laid side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.report import MotifReport
from cislens.sequences import Region, Sequences

Array = npt.NDArray[Any]

GAUGES = {
    "uniform": "the four bases of a position add up to zero",
    "wild-type": "zero at the observed base",
    "reference": "zero on average over the reference",
    "empirical": "zero on average over the sequences",
    "none": "no gauge fixed",
}
# What the letters of a wild-type map show: its own values at the observed bases are all zero.
CENTRING = "its letter shows how far it stands above the mean of the four"


@dataclass(frozen=True, eq=False)
class Track:
    """Hold one map or mask of one explainer and one target, for all sequences of the page.

    Parameters
    ----------
    label
        The report it comes from.
    target
        Index into the page's targets.
    kind
        "map" or "mask".
    unit, note
        What the y axis counts, and what else a reader must know.
    hypothetical
        Whether it speaks of all four bases.
    centred
        Whether the observed base is drawn against the mean of the four, because it is zero by its gauge.
    values
        (n_report, length, 4), of a mask (n_report, length).
    rows
        For each sequence of the page its row in `values`, -1 where the report has none.
    errors
        (n_report, length, 4), standard errors of the values; None where they are not known.
    """

    label: str
    target: int
    kind: Literal["map", "mask"]
    unit: str
    note: str
    hypothetical: bool
    centred: bool
    values: Array
    rows: tuple[int, ...]
    errors: Array | None = None

    def at(self, sequence: int) -> Array | None:
        """Return what is known of a sequence, (length, 4), or (length, 1) where it is of the observed base alone."""
        row = self.rows[sequence]
        if row < 0:
            return None
        values: Array = np.nan_to_num(np.asarray(self.values[row], float), posinf=0.0, neginf=0.0)
        if self.kind == "mask":
            return values[:, None]
        return values if self.hypothetical else np.asarray(values.sum(-1, keepdims=True))

    def errors_at(self, sequence: int) -> Array | None:
        """Return the standard errors of what `at` returns, where all four bases have theirs."""
        row = self.rows[sequence]
        if row < 0 or self.errors is None or not self.hypothetical:
            return None
        return np.asarray(self.errors[row], float)

    def observed(self, sequence: int, onehot: Array) -> Array | None:
        """Return the height of each letter of the sequence, (length,)."""
        values = self.at(sequence)
        if values is None or values.shape[1] == 1:
            return None if values is None else values[:, 0]
        if self.centred:
            values = values - values.mean(1, keepdims=True)
        return np.asarray((values * onehot).sum(1))


@dataclass(frozen=True, eq=False)
class Gathered:
    """Hold several reports on one axis of sequences and one of targets.

    Parameters
    ----------
    reports
        By label.
    sequences
        The sequences of all of them, in the order in which they are first met.
    targets
        Texts of all targets.
    predictions
        (t, n), NaN where no report has one.
    tracks
        Maps and masks.
    """

    reports: Mapping[str, MotifReport]
    sequences: Sequences
    targets: tuple[str, ...]
    predictions: Array
    tracks: tuple[Track, ...]


def gather(reports: Mapping[str, MotifReport]) -> Gathered:
    """Bring labelled reports together.

    Raises
    ------
    ReportError
        If there is none, or if they speak of different sequences under one id or of different lengths.
    """
    if not reports:
        raise ReportError("a page must show at least one report, got none")
    sequences = _union(reports)
    index = {name: i for i, name in enumerate(sequences.ids)}
    targets = tuple(dict.fromkeys(text for report in reports.values() for text in target_texts(report)))
    predictions = np.full((len(targets), len(sequences)), np.nan)
    tracks: list[Track] = []
    for label, report in reports.items():
        places = [index[name] for name in report.sequences.ids]
        rows = np.full(len(sequences), -1)
        rows[places] = np.arange(len(places))
        numbers = [targets.index(text) for text in target_texts(report)]
        if report.predictions is not None:
            for number, values in zip(numbers, report.predictions, strict=True):
                known = predictions[number, places]
                predictions[number, places] = np.where(np.isnan(known), values, known)
        if places:
            tracks.extend(_tracks(label, report, numbers, tuple(int(row) for row in rows)))
    return Gathered(dict(reports), sequences, targets, predictions, tuple(tracks))


def target_texts(report: MotifReport) -> tuple[str, ...]:
    """Return the names of a report's targets, numbered where its provenance does not name them."""
    axes = [report.predictions]
    axes += [part.values for part in (report.attributions, report.masks) if part is not None]
    axes += list(report.validity.measures.values())
    count = max((len(values) for values in axes if values is not None), default=0)
    named = report.targets
    return named + tuple(f"target {i}" for i in range(len(named), count))


def _union(reports: Mapping[str, MotifReport]) -> Sequences:
    found: dict[str, tuple[str, Array, Region | None]] = {}
    for label, report in reports.items():
        held = report.sequences
        for name, onehot, region in zip(held.ids, held.onehot, held.regions, strict=True):
            if name not in found:
                found[name] = (label, onehot, region)
            elif not np.array_equal(found[name][1], onehot):
                raise ReportError(
                    f"reports on one page must speak of the same sequences, but {name!r} differs between "
                    f"{found[name][0]!r} and {label!r}: write a page for each"
                )
    lengths = {len(onehot) for _, onehot, _ in found.values()}
    if len(lengths) > 1:
        raise ReportError(
            f"reports on one page must speak of sequences of one length, got {sorted(lengths)}: write a page for each"
        )
    if not found:
        return Sequences(np.zeros((0, 0, 4), np.uint8), ())
    rows = list(found.values())
    return Sequences(np.stack([r[1] for r in rows]), tuple(found), tuple(r[2] for r in rows))


def _tracks(label: str, report: MotifReport, numbers: list[int], rows: tuple[int, ...]) -> list[Track]:
    tracks: list[Track] = []
    if (maps := report.attributions) is not None:
        centred = maps.hypothetical and maps.gauge == "wild-type"
        note = GAUGES.get(maps.gauge, maps.gauge) if maps.hypothetical else "of the observed base only"
        errors = report.standard_errors if report.standard_errors is not None else [None] * len(maps.values)
        tracks += [
            Track(label, number, "map", maps.unit, note, maps.hypothetical, centred, values, rows, known)
            for number, values, known in zip(numbers, maps.values, errors, strict=True)
        ]
    if (masks := report.masks) is not None:
        note = f"{masks.meaning} positions, 0 to 1"
        tracks += [
            Track(label, number, "mask", "mask", note, False, False, values, rows)
            for number, values in zip(numbers, masks.values, strict=True)
        ]
    return tracks
