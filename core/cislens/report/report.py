"""The one thing that every explainer returns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.gauges import project, to_gauge
from cislens.report.attributions import Attributions, Masks
from cislens.report.provenance import Provenance
from cislens.report.validity import Validity
from cislens.sequences import Dropped, Sequences

if TYPE_CHECKING:
    import pandas as pd

    from cislens.motif import Motif

Array = npt.NDArray[Any]
# The tables a report may hold, and the columns that each must have.
TABLES = {
    "interactions": ("target", "sequence", "position_1", "base_1", "position_2", "base_2", "value"),
    "curves": ("target", "sequence", "kind", "latent", "value", "lower", "upper"),
    "instances": ("motif", "sequence", "start", "end", "strand", "score"),
    "syntax": ("motif_1", "motif_2", "order", "orientation", "spacing", "logic", "support"),
    "matches": ("motif", "target", "name", "p_value", "q_value", "offset", "overlap", "strand"),
}


@dataclass(frozen=True, eq=False)
class MotifReport:
    """Hold what an explainer found; every part is optional.

    Parameters
    ----------
    sequences
        The sequences explained, with ids and coordinates; what was left out is in `dropped`.
    predictions
        (t, n): the targets' values on them.
    attributions
        Additive maps.
    standard_errors
        (t, n, length, 4): of the attributions' values, where the explainer estimates them.
    masks
        Sufficient or necessary positions.
    motifs
        Motifs found.
    interactions, curves, instances, syntax, matches
        Tables with the columns of `TABLES` and any further ones; positions 0-based from the sequence's start.
    validity
        Whether to believe it.
    provenance
        How it was made.
    dropped
        Sequences that could not be explained, each with its reason.
    """

    sequences: Sequences
    predictions: Array | None = None
    attributions: Attributions | None = None
    standard_errors: Array | None = None
    masks: Masks | None = None
    motifs: tuple[Motif, ...] = ()
    interactions: pd.DataFrame | None = None
    curves: pd.DataFrame | None = None
    instances: pd.DataFrame | None = None
    syntax: pd.DataFrame | None = None
    matches: pd.DataFrame | None = None
    validity: Validity = field(default_factory=Validity)
    provenance: Provenance = field(default_factory=Provenance)
    dropped: tuple[Dropped, ...] = ()

    def __post_init__(self) -> None:
        n, length = len(self.sequences), self.sequences.length
        if self.predictions is not None and self.predictions.shape[1:] != (n,):
            raise ReportError(f"predictions must have shape (t, {n}), got {self.predictions.shape}")
        for part in (self.attributions, self.masks):
            if part is not None and part.values.shape[1:3] != (n, length):
                raise ReportError(
                    f"{type(part).__name__.lower()} must cover {n} sequences of {length} bp, got {part.values.shape}"
                )
        if (errors := self.standard_errors) is not None and (
            self.attributions is None or errors.shape != self.attributions.values.shape
        ):
            raise ReportError(f"standard errors must have the shape of the attributions, got {errors.shape}")
        for name, values in self.validity.measures.items():
            if values.shape[1] != n:
                raise ReportError(f"measure {name!r} must cover {n} sequences, got {values.shape[1]}")
        for name, columns in TABLES.items():
            table = getattr(self, name)
            if table is not None and not set(columns) <= set(table.columns):
                raise ReportError(f"{name} must have the columns {', '.join(columns)}, got {', '.join(table.columns)}")

    @property
    def targets(self) -> tuple[str, ...]:
        """Texts of the targets, in the order of the first axis of maps and predictions."""
        return self.provenance.target_names

    @property
    def emits(self) -> tuple[str, ...]:
        """Which parts are there."""
        parts = ("attributions", "masks", "interactions", "curves", "motifs", "instances", "syntax", "matches")
        return tuple(name for name in parts if getattr(self, name) is not None and len_of(getattr(self, name)))

    def projected(self) -> Array:
        """Return what the sequences' own bases contribute, (t, n, length)."""
        if self.attributions is None:
            raise ReportError(f"this report holds no attributions, only {', '.join(self.emits) or 'nothing'}")
        return self.attributions.projected(self.sequences.onehot)

    def contributions(self) -> Array:
        """Return what the sequences' own bases contribute, comparable over explainers, (t, n, length); 0 at N.

        Maps of all four bases are brought to the uniform gauge first, since a wild-type gauge is zero at the own base:
        there a base contributes what it does more than the mean base.
        """
        if self.attributions is None or not self.attributions.hypothetical:
            return self.projected() * self.sequences.onehot.any(-1)
        return project(to_gauge(self.attributions.values, "uniform")[0], self.sequences.onehot)

    def take(self, index: Any) -> MotifReport:
        """Return the report of some sequences; tables and motifs, which speak of the whole, are left out."""
        return replace(
            self,
            sequences=self.sequences.take(index),
            predictions=None if self.predictions is None else self.predictions[:, index],
            attributions=None if self.attributions is None else self.attributions.take(index),
            standard_errors=None if self.standard_errors is None else self.standard_errors[:, index],
            masks=None if self.masks is None else self.masks.take(index),
            motifs=(),
            interactions=None,
            curves=None,
            instances=None,
            syntax=None,
            matches=None,
            validity=self.validity.take(index),
        )

    def save(self, path: str | Path, label: str = "report", *, overwrite: bool = False) -> None:
        """Write the report into a .zarr store, which is made where there is none."""
        from cislens.report.store import save

        save(self, path, label, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path, label: str | None = None) -> MotifReport:
        """Read a report from a .zarr store; the label may be left out where the store holds but one."""
        from cislens.report.store import ReportStore

        return ReportStore.open(path).read(label)


def len_of(part: object) -> int:
    """Return how much a part of a report holds: rows of a table, motifs, sequences of a map."""
    if isinstance(part, Attributions | Masks):
        return int(part.values.shape[1])
    return len(part)  # type: ignore[arg-type]


def join(reports: Sequence[MotifReport]) -> MotifReport:
    """Return one report of consecutive blocks of sequences.

    Maps, predictions and measures are joined along the sequences, tables row by row, motifs, warnings and drops in
    order; motifs, and tables that say what the first block's do, are kept once; costs are added. Summaries, which speak
    of a whole, are kept only where all blocks agree. A block of which no sequence could be explained adds its drops and
    cost.
    """
    if not reports:
        raise ReportError("there must be at least one block to join, got none")
    if len(reports) == 1:
        return reports[0]
    cost = reports[0].provenance.cost
    for report in reports[1:]:
        cost = cost.plus(report.provenance.cost)
    dropped = tuple(drop for r in reports for drop in r.dropped)
    reports = [r for r in reports if len(r.sequences)] or reports[:1]
    first = reports[0]
    return MotifReport(
        sequences=join_sequences([r.sequences for r in reports]),
        predictions=_joined([r.predictions for r in reports]),
        attributions=_joined_part([r.attributions for r in reports]),
        standard_errors=_joined([r.standard_errors for r in reports]),
        masks=_joined_part([r.masks for r in reports]),
        # An explainer of the whole set gives every block the same motifs.
        motifs=tuple({motif.id: motif for r in reports for motif in r.motifs}.values()),
        validity=join_validity([r.validity for r in reports]),
        provenance=replace(first.provenance, cost=cost),
        dropped=dropped,
        **{name: _joined_table([getattr(r, name) for r in reports]) for name in TABLES},
    )


def stack(reports: Sequence[MotifReport]) -> MotifReport:
    """Return one report of several targets from one a target, on the same sequences."""
    first = reports[0]
    return replace(
        first,
        predictions=None,
        attributions=_joined_part([r.attributions for r in reports], axis=0),
        standard_errors=_joined([r.standard_errors for r in reports], axis=0),
        masks=_joined_part([r.masks for r in reports], axis=0),
        motifs=tuple(motif for r in reports for motif in r.motifs),
        validity=join_validity([r.validity for r in reports], axis=0),
        **{name: _joined_table([getattr(r, name) for r in reports]) for name in TABLES},
    )


def join_sequences(parts: Sequence[Sequences]) -> Sequences:
    """Return consecutive blocks of sequences as one."""
    return Sequences(
        np.concatenate([p.onehot for p in parts]),
        tuple(name for p in parts for name in p.ids),
        tuple(region for p in parts for region in p.regions),
        tuple(drop for p in parts for drop in p.dropped),
        tuple(dict.fromkeys(note for p in parts for note in p.notes)),
    )


def _joined(arrays: Sequence[Array | None], axis: int = 1) -> Array | None:
    present = [a for a in arrays if a is not None]
    return np.concatenate(present, axis=axis) if len(present) == len(arrays) else None


def _joined_part(parts: Sequence[Any], axis: int = 1) -> Any:
    present = [part for part in parts if part is not None]
    if len(present) != len(parts):
        return None
    return replace(present[0], values=np.concatenate([part.values for part in present], axis=axis))


def join_validity(parts: Sequence[Validity], axis: int = 1) -> Validity:
    """Return the validity of consecutive blocks as one: the measures all have, the summaries on which all agree."""
    shared = set(parts[0].measures).intersection(*(p.measures for p in parts))
    summary = {k: v for k, v in parts[0].summary.items() if all(_same(p.summary.get(k), v) for p in parts)}
    warnings = tuple(dict.fromkeys(sentence for p in parts for sentence in p.warnings))
    names = [name for name in parts[0].measures if name in shared]
    return Validity(
        {name: np.concatenate([p.measures[name] for p in parts], axis) for name in names}, summary, warnings
    )


def _same(one: float | None, two: float) -> bool:
    return one is not None and (one == two or (math.isnan(one) and math.isnan(two)))


def _joined_table(tables: Sequence[Any]) -> Any:
    present = [table for table in tables if table is not None]
    if not present:
        return None
    import pandas as pd

    # A table without rows says nothing of its columns' types, and would turn numbers into objects.
    first, *others = [table for table in present if len(table)] or present[:1]
    # An explainer of the whole set gives every block the same table; rows that speak of one sequence name it.
    return pd.concat([first, *(table for table in others if not table.equals(first))], ignore_index=True)
