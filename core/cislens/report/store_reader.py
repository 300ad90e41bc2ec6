"""Reading a report from a store, no more of it than is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.report.attributions import Attributions, Masks
from cislens.report.provenance import Cost, Provenance
from cislens.report.report import TABLES, MotifReport, join, join_validity
from cislens.report.store_arrays import file_name, open_array, read
from cislens.report.store_derived import with_derived
from cislens.report.store_json import read_attributes
from cislens.report.store_layout import PARTS, Layout, block_count, block_rows
from cislens.report.store_sequences import read_ids, read_sequences
from cislens.report.store_tables import read_motifs, read_table
from cislens.report.validity import Validity
from cislens.sequences import Dropped

Array = npt.NDArray[Any]


class ReportReader:
    """Read one report; `ReportStore.reader` returns it.

    Nothing but a little JSON is read until it is asked for, and then block by block. The blocks of a run that is not
    finished can be read too.

    Parameters
    ----------
    layout
        Where it lies.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._attributes = read_attributes(layout.folder)
        self.n = int(self._attributes["n"])
        self.length = int(self._attributes["length"])
        self.block = int(self._attributes["block"])
        self.finished = layout.finished()
        self._open: dict[Path, Any] = {}
        self._facts: dict[int, dict[str, Any]] = {}

    @property
    def targets(self) -> tuple[str, ...]:
        """Texts of the targets, in the order of the first axis of maps and predictions."""
        return tuple(self._attributes["key"]["targets"])

    @property
    def pending(self) -> int:
        """How many blocks are not there yet."""
        return block_count(self.n, self.block) - len(self.finished)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the sequences that finished blocks explain."""
        held = read_ids(self.layout.folder)
        rows = (block_rows(number, self.n, self.block) for number in self.finished)
        kept = zip(rows, map(self._kept, self.finished), strict=True)
        return tuple(held[block.start + row] for block, places in kept for row in places)

    @property
    def complete(self) -> bool:
        """Whether the run came to its end."""
        return not self.pending and "provenance" in self._attributes

    @cached_property
    def provenance(self) -> Provenance:
        """How it was made, with the cost of all blocks; of a run that is not finished, what its key says."""
        key = self._attributes["key"]
        known = {
            "explainer": key["explainer"],
            "settings": key["settings"],
            "targets": [{"target": target} for target in key["targets"]],
            "seed": key["seed"],
            "model": {"fingerprint": key["fingerprint"]},
        }
        cost = Cost()
        for number in self.finished:
            cost = cost.plus(Cost(**self._of(number)["cost"]))
        return replace(Provenance.from_json(self._attributes.get("provenance", known)), cost=cost)

    @cached_property
    def validity(self) -> Validity:
        """Measures, summaries and warnings of the whole, read without any map."""
        # As in `join`: blocks of which no sequence could be explained say nothing, unless there are no others.
        filled = [number for number in self.finished if self._kept(number).size] or self.finished[:1]
        joined = join_validity([self._validity(number) for number in filled] or [Validity()])
        return joined.warned(*self._warnings())

    def blocks(self) -> Iterator[MotifReport]:
        """Yield the report of each finished block, in order; nothing is read before its turn."""
        for number in self.finished:
            yield self._block(number)

    def load(self) -> MotifReport:
        """Return the whole.

        Where blocks are missing it is the report of those that are there, and a warning says so.

        Raises
        ------
        ReportError
            If no block is finished.
        """
        if not self.finished:
            raise ReportError(
                f"report {self.layout.label!r} of {self.layout.root} must hold a finished block, and none is: start "
                "the run that made it again"
            )
        whole = join(list(self.blocks()))
        kept = self._attributes["sequences"]
        sequences = replace(
            whole.sequences,
            dropped=tuple(Dropped(*drop) for drop in kept["dropped"]),
            notes=tuple(kept["notes"]),
        )
        whole = replace(
            whole, sequences=sequences, provenance=self.provenance, validity=whole.validity.warned(*self._warnings())
        )
        return with_derived(self.layout, whole)

    def _warnings(self) -> tuple[str, ...]:
        said = tuple(self._attributes.get("warnings", ()))
        if not self.pending:
            return said
        return (
            *said,
            f"only {len(self.finished)} of {block_count(self.n, self.block)} blocks are there: start the run that "
            "made this report again, and it goes on where it stopped",
        )

    def _block(self, number: int) -> MotifReport:
        facts, kept = self._of(number), self._kept(number)
        rows = block_rows(number, self.n, self.block)
        parts = {name: self._part(name, number) for name in PARTS if name in facts["parts"]}
        folder = self.layout.block(number)
        return MotifReport(
            sequences=read_sequences(self.layout.folder, rows).take(kept),
            predictions=parts.get("predictions"),
            attributions=self._with_attributes(Attributions, "attributions", parts),
            standard_errors=parts.get("standard_errors"),
            masks=self._with_attributes(Masks, "masks", parts),
            motifs=read_motifs(folder / "motifs") if "motifs" in facts["parts"] else (),
            validity=self._validity(number),
            provenance=replace(self.provenance, cost=Cost(**facts["cost"])),
            dropped=tuple(Dropped(*drop) for drop in facts["dropped"]),
            **{name: read_table(folder / name) for name in TABLES if name in facts["parts"]},
        )

    def _of(self, number: int) -> dict[str, Any]:
        if number not in self._facts:
            self._facts[number] = read_attributes(self.layout.block(number))
        return self._facts[number]

    def _kept(self, number: int) -> npt.NDArray[np.intp]:
        """Return the places, within a block, of the sequences that did not fail."""
        rows = block_rows(number, self.n, self.block)
        return np.delete(np.arange(rows.stop - rows.start), np.array(self._of(number)["failed"], np.intp))

    def _validity(self, number: int) -> Validity:
        facts = self._of(number)
        measures = {name: self._part(f"measures/{file_name(name)}", number) for name in facts["measures"]}
        return Validity(measures, facts["summary"], tuple(facts["warnings"]))

    def _array(self, name: str) -> Any:
        folder = self.layout.folder / name
        if folder not in self._open:
            self._open[folder] = open_array(folder)
        return self._open[folder]

    def _part(self, name: str, number: int) -> Array:
        values = read(self._array(name), (slice(None), block_rows(number, self.n, self.block)))
        kept = self._kept(number)
        return values if len(kept) == values.shape[1] else values[:, kept]

    def _with_attributes(self, kind: Any, name: str, parts: dict[str, Array]) -> Any:
        return kind(parts[name], **dict(self._array(name).attrs)) if name in parts else None
