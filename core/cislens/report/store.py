"""A .zarr folder that holds reports, one group a label.

A report is written block by block: arrays over all sequences are chunked by the block, tables and motifs lie with
their block, and a marker, moved into place when all of a block is there, says that it is whole. A run that was killed
goes on with the blocks that have no marker, and ends with the same report bit by bit.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Literal

from cislens.errors import ReportError
from cislens.files import UNFINISHED, writing
from cislens.lock import Lock
from cislens.report.provenance import Cost
from cislens.report.report import TABLES, MotifReport
from cislens.report.store_arrays import decode_text, encode_text, open_array, read, write_whole
from cislens.report.store_derived import remove_derived, write_derived
from cislens.report.store_json import read_attributes, write_group
from cislens.report.store_key import RunKey
from cislens.report.store_layout import SCHEMA, Layout
from cislens.report.store_reader import ReportReader
from cislens.report.store_sequences import read_ids, read_regions, write_sequences
from cislens.report.store_writer import ReportWriter
from cislens.sequences import Sequences

__all__ = ["ReportReader", "ReportStore", "ReportWriter", "RunKey", "save"]

BLOCK = 64  # sequences


class ReportStore:
    """Hold reports in a .zarr folder; open it with `ReportStore.open`."""

    def __init__(self, path: Path, writable: bool) -> None:
        self.path = path
        self.writable = writable

    @classmethod
    def open(cls, path: str | Path, mode: Literal["r", "r+", "a"] = "r") -> ReportStore:
        """Open a store.

        Parameters
        ----------
        path
            The .zarr folder.
        mode
            "r" to read; "r+" to read and write what is there; "a" to do so and make the folder where there is none.

        Raises
        ------
        ReportError
            If it is not there or no store of cislens, or was written by a newer cislens.
        """
        folder = Path(path)
        if mode == "a" and _is_free(folder):
            with writing(folder):
                write_group(folder, {"cislens": {"schema": SCHEMA}})
        if not folder.exists():
            raise ReportError(f"there must be a store of reports at {folder}, and nothing is: check the path")
        if not (folder / "zarr.json").exists():
            raise ReportError(f"{folder} must be a store that cislens wrote, and is something else: check the path")
        written = read_attributes(folder).get("cislens", {}).get("schema")
        if not isinstance(written, int):
            raise ReportError(f"{folder} must be a store that cislens wrote, and is another zarr: check the path")
        if written > SCHEMA:
            raise ReportError(
                f"{folder} was written by a newer cislens (schema {written}, this one reads {SCHEMA}): "
                "pip install -U cislens"
            )
        return cls(folder, mode != "r")

    def __repr__(self) -> str:
        return f"ReportStore({str(self.path)!r}, labels: {', '.join(self.labels) or 'none'})"

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the reports, sorted."""
        return tuple(sorted(group.parent.name for group in (self.path / "reports").glob("*/zarr.json")))

    def begin(
        self, label: str, key: RunKey, sequences: Sequences, *, block: int = BLOCK, overwrite: bool = False
    ) -> ReportWriter:
        """Begin a report, or go on with one that was begun with the same key.

        A report that goes on keeps the block size it was begun with: ask the writer for `rows`. What was derived of
        it while blocks were missing is removed.

        Parameters
        ----------
        label
            Names the report.
        key
            Names the run.
        sequences
            All that are to be explained.
        block
            Sequences written at a time.
        overwrite
            Delete a report of that label, whatever its key, and begin anew.

        Raises
        ------
        ReportError
            If the label holds a report of another run, or another process is writing it.
        """
        if not self.writable:
            raise ReportError(f"{self.path} was opened for reading: open it with mode 'a' to write")
        if block < 1:
            raise ReportError(f"a block must hold at least one sequence, got {block}")
        layout = Layout(self.path, label)
        with writing(self.path):
            if not (self.path / "reports" / "zarr.json").exists():
                write_group(self.path / "reports")
            lock = Lock(layout.lock, f"report {label!r} of {self.path}")
            lock.acquire()
            try:
                shutil.rmtree(layout.workshop, ignore_errors=True)
                layout.workshop.mkdir(parents=True)
                if overwrite and layout.folder.exists():
                    os.rename(layout.folder, layout.workshop / "overwritten")
                    shutil.rmtree(layout.workshop / "overwritten")
                if layout.folder.exists():
                    _refuse_another_run(layout, key, sequences)
                else:
                    _begin(layout, key, sequences, block)
                writer = ReportWriter(layout, lock)
                if writer.pending:
                    # It was derived of the blocks that were there, and would be taken for the whole's.
                    remove_derived(layout)
                return writer
            except BaseException:
                lock.release()
                raise

    def reader(self, label: str) -> ReportReader:
        """Return a lazy reader of a report.

        Raises
        ------
        ReportError
            If there is none of that label; the sentence lists those there are.
        """
        if label not in self.labels:
            raise ReportError(f"{self.path} has no report {label!r}: it holds {', '.join(self.labels) or 'none'}")
        return ReportReader(Layout(self.path, label))

    def keep_derived(self, label: str, report: MotifReport) -> None:
        """Keep what was derived of a report of this store beside it, in place of what was derived before.

        Raises
        ------
        ReportError
            If the report has other sequences than are there, as when a run went on since it was read.
        """
        if not self.writable:
            raise ReportError(f"{self.path} was opened for reading: open it with mode 'r+' to write")
        layout = self.reader(label).layout
        with writing(self.path), Lock(layout.lock, f"report {label!r} of {self.path}"):
            if self.reader(label).ids != report.sequences.ids:
                raise ReportError(
                    f"what is kept must be derived of all that report {label!r} of {self.path} holds, and it has other "
                    "sequences by now: derive it again"
                )
            write_derived(layout, report)

    def read(self, label: str | None = None) -> MotifReport:
        """Return a whole report; the label may be left out where there is but one."""
        if label is None:
            if len(self.labels) != 1:
                raise ReportError(
                    f"{self.path} must hold one report where no label is given, and it holds "
                    f"{', '.join(self.labels) or 'none'}: name one"
                )
            label = self.labels[0]
        return self.reader(label).load()


def save(report: MotifReport, path: str | Path, label: str = "report", *, overwrite: bool = False) -> None:
    """Write a report that is in memory into a store, which is made where there is none.

    Raises
    ------
    ReportError
        If the store holds a report of that label and `overwrite` is off.
    """
    store = ReportStore.open(path, "a")
    if label in store.labels and not overwrite:
        raise ReportError(
            f"{path} holds a report {label!r} already: give another label, or --overwrite (overwrite=True) to replace "
            "it"
        )
    made = report.provenance
    key = RunKey(
        made.explainer,
        made.settings,
        report.targets,
        made.seed,
        str(made.model.get("fingerprint", "")),
        report.sequences.hashes(),
    )
    with store.begin(label, key, report.sequences, overwrite=overwrite) as writer:
        for number in writer.pending:
            writer.write(number, _share(report, writer.rows(number)))
        writer.finish(made)


def _is_free(folder: Path) -> bool:
    """Tell whether a store may be made here: nothing is there, or what a kill left of making one."""
    if not folder.exists():
        return True
    return folder.is_dir() and all(UNFINISHED in path.name for path in folder.iterdir())


def _share(report: MotifReport, rows: slice) -> MotifReport:
    """Return the report of some sequences; what speaks of the whole goes with the first."""
    share = report.take(rows)
    if rows.start > 0:
        return replace(share, dropped=(), provenance=replace(share.provenance, cost=Cost()))
    return replace(
        share, dropped=report.dropped, motifs=report.motifs, **{name: getattr(report, name) for name in TABLES}
    )


def _begin(layout: Layout, key: RunKey, sequences: Sequences, block: int) -> None:
    """Make the group of a report, key and sequences in it, at one go."""
    unfinished = layout.workshop / "begun"
    write_sequences(unfinished, sequences, block)
    write_whole(unfinished / "hashes", encode_text(key.hashes))
    write_whole(unfinished / "training_hashes", encode_text(key.training))
    (unfinished / "done").mkdir()
    write_group(unfinished / "blocks")
    write_group(
        unfinished,
        {
            "key": key.to_json(),
            "n": len(sequences),
            "length": sequences.length,
            "block": block,
            "sequences": {"dropped": sequences.dropped, "notes": sequences.notes},
        },
    )
    os.rename(unfinished, layout.folder)


def _refuse_another_run(layout: Layout, key: RunKey, sequences: Sequences) -> None:
    stored = read_attributes(layout.folder)["key"]
    hashes, training = (
        tuple(str(text) for text in decode_text(read(open_array(layout.folder / name))))
        for name in ("hashes", "training_hashes")
    )
    there = RunKey(**{**stored, "targets": tuple(stored["targets"])}, hashes=hashes, training=training)
    difference = there.difference(key)
    if not difference and read_ids(layout.folder) != sequences.ids:
        difference = "the same bases under other ids"
    if not difference and (read_regions(layout.folder) or (None,) * len(sequences)) != sequences.regions:
        difference = "the same bases with other coordinates"
    if difference:
        raise ReportError(
            f"{layout.root} holds a report {layout.label!r} of another run ({difference}): give another label, or "
            "--overwrite (overwrite=True) to replace it"
        )
