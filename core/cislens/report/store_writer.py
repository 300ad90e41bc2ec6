"""Writing a report into a store, block by block, so that a kill costs one block at most."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.files import writing
from cislens.lock import Lock
from cislens.report.provenance import Provenance
from cislens.report.report import TABLES, MotifReport
from cislens.report.store_arrays import (
    ArraySpec,
    create_at_once,
    file_name,
    missing_value,
    open_array,
    spec_of,
)
from cislens.report.store_json import plain, read_attributes, write_group
from cislens.report.store_layout import PARTS, Layout, block_count, block_rows
from cislens.report.store_sequences import read_ids
from cislens.report.store_tables import write_motifs, write_table

Array = npt.NDArray[Any]
CHUNK = 2**24  # bytes, about: so many targets as fit share a chunk


class ReportWriter:
    """Write one report; `ReportStore.begin` returns it.

    It holds the label's lock until `finish` or `close`, or to the end of a `with`. Blocks may come in any order, and a
    block may be written again.

    Parameters
    ----------
    layout
        Where to write.
    lock
        The label's lock, held.
    """

    def __init__(self, layout: Layout, lock: Lock) -> None:
        self.layout = layout
        self._lock = lock
        attributes = read_attributes(layout.folder)
        self.n = int(attributes["n"])
        self.length = int(attributes["length"])
        self.block = int(attributes["block"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pending(self) -> tuple[int, ...]:
        """Numbers of the blocks that are still to be written."""
        finished = set(self.layout.finished())
        return tuple(number for number in range(block_count(self.n, self.block)) if number not in finished)

    @property
    def scratch(self) -> Path:
        """A folder for what an explainer needs again after a kill; `overwrite` alone clears it."""
        with writing(self.layout.root):
            self.layout.scratch.mkdir(exist_ok=True)
        return self.layout.scratch

    def rows(self, block: int) -> slice:
        """Return the places of a block's sequences among all."""
        return block_rows(block, self.n, self.block)

    def write(self, block: int, report: MotifReport) -> None:
        """Keep the report of a block's sequences.

        Sequences of the block that are missing from the report must be in its `dropped`, each with its reason.

        Raises
        ------
        ReportError
            If the report is of other sequences, if its arrays do not fit those of the blocks before, or if the disk
            is full; what was finished stays.
        """
        rows = self.rows(block)
        kept = self._kept(rows, report)
        with writing(self.layout.root):
            self.layout.marker(block).unlink(missing_ok=True)
            self.layout.workshop.mkdir(parents=True, exist_ok=True)
            for folder, values, attributes in self._arrays(report):
                self._write_rows(folder, values, attributes, rows, kept)
            self._write_group(block, report, kept)
            self.layout.mark(block)

    def finish(self, provenance: Provenance, validity_warnings: Sequence[str] = ()) -> None:
        """Declare the report complete and give the lock back.

        Parameters
        ----------
        provenance
            How it was made. Its cost is not looked at: the costs of the blocks are summed when the report is read.
        validity_warnings
            Sentences that speak of the whole.

        Raises
        ------
        ReportError
            If blocks are still to be written.
        """
        if pending := self.pending:
            raise ReportError(
                f"every block must be written before a report is finished, {len(pending)} are not: "
                f"{', '.join(map(str, pending[:5]))}"
            )
        made = {name: value for name, value in provenance.to_json().items() if name != "cost"}
        with writing(self.layout.root):
            attributes = read_attributes(self.layout.folder)
            write_group(self.layout.folder, {**attributes, "provenance": made, "warnings": validity_warnings})
            shutil.rmtree(self.layout.workshop, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Give the lock back; what is not written stays pending."""
        self._lock.release()

    def _kept(self, rows: slice, report: MotifReport) -> list[int]:
        """Return the places, within the block, of the sequences that the report holds."""
        ids = read_ids(self.layout.folder, rows)
        held = set(report.sequences.ids)
        kept = [place for place, name in enumerate(ids) if name in held]
        if tuple(ids[place] for place in kept) != report.sequences.ids:
            raise ReportError(
                f"the report of a block must be of its sequences in their order, {', '.join(ids[:3])}, ..., got "
                f"{', '.join(report.sequences.ids[:3])}, ..."
            )
        explained = held.union(drop.id for drop in report.dropped)
        if lost := [name for name in ids if name not in explained]:
            raise ReportError(
                f"a sequence that a report leaves out must be in its `dropped` with a reason, {lost[0]!r} is not"
            )
        return kept

    def _arrays(self, report: MotifReport) -> Iterator[tuple[Path, Array, dict[str, Any]]]:
        """Yield the arrays over sequences, their second axis, with what is kept beside them."""
        folder = self.layout.folder
        if report.predictions is not None:
            yield folder / "predictions", report.predictions, {}
        if (maps := report.attributions) is not None:
            said = {"hypothetical": maps.hypothetical, "gauge": maps.gauge, "unit": maps.unit}
            yield folder / "attributions", maps.values, said
        if report.standard_errors is not None:
            yield folder / "standard_errors", report.standard_errors, {}
        if (masks := report.masks) is not None:
            yield folder / "masks", masks.values, {"meaning": masks.meaning}
        if report.validity.measures:
            write_group(self.layout.measures)
        for name, values in report.validity.measures.items():
            yield self.layout.measures / file_name(name), values, {"name": name}

    def _write_rows(
        self, folder: Path, values: Array, attributes: dict[str, Any], rows: slice, kept: list[int]
    ) -> None:
        shape = (len(values), self.n, *values.shape[2:])
        of_a_target = self.block * int(np.prod(shape[2:])) * values.dtype.itemsize
        targets = min(shape[0], max(1, CHUNK // max(of_a_target, 1)))
        spec = ArraySpec(shape, (targets, self.block, *shape[2:]), values.dtype, plain(attributes))
        array = self._array(folder, spec)
        if not values.shape[1]:
            return
        whole = np.full((len(values), rows.stop - rows.start, *shape[2:]), missing_value(values.dtype), values.dtype)
        whole[:, kept] = values
        array[:, rows] = whole

    def _array(self, folder: Path, spec: ArraySpec) -> Any:
        if folder.exists():
            array = open_array(folder, "r+")
            there = spec_of(array)
            if (there.shape, there.dtype, there.attributes) == (spec.shape, spec.dtype, spec.attributes):
                return array
            if self.layout.finished():
                raise ReportError(
                    f"all blocks of a report must agree: {folder.name} came as {spec}, after {there}; "
                    "an explainer must return one type and gauge whatever the sequences"
                )
            # Left behind by a kill in the first block.
            shutil.rmtree(folder)
        create_at_once(folder, spec, self.layout.workshop)
        return open_array(folder, "r+")

    def _write_group(self, block: int, report: MotifReport, kept: list[int]) -> None:
        folder = self.layout.block(block)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        tables = [name for name in TABLES if getattr(report, name) is not None]
        for name in tables:
            write_table(folder / name, getattr(report, name))
        if report.motifs:
            write_motifs(folder / "motifs", report.motifs)
        parts = [part for part in PARTS if getattr(report, part) is not None]
        rows = self.rows(block)
        write_group(
            folder,
            {
                "failed": sorted(set(range(rows.stop - rows.start)) - set(kept)),
                "dropped": report.dropped,
                "parts": [*parts, *tables, *(["motifs"] if report.motifs else [])],
                "measures": list(report.validity.measures),
                "summary": report.validity.summary,
                "warnings": report.validity.warnings,
                "cost": asdict(report.provenance.cost),
            },
        )
