"""A report on its way into a file: what speaks of the whole is at hand, maps come block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from cislens.errors import ReportError
from cislens.report import MotifReport, join
from cislens.report.store import ReportReader
from cislens.report.store_derived import with_derived

BLOCK = 64  # sequences of a report in memory that are handled at a time
MAPS = ("attributions", "masks")


@dataclass(frozen=True, eq=False)
class ReportBlocks:
    """Hold a report as exporters read it, so that a large one fits into memory.

    Parameters
    ----------
    found
        Ids, places, motifs, tables and provenance of the whole; its sequences have no bases, and there are no maps.
    length
        Of the sequences in bp.
    emits
        Which parts are there, maps included.
    targets
        What the first axis of the maps is called.
    blocks
        Returns an iterator over the reports of consecutive blocks of sequences, with their bases and maps. It may be
        asked more than once.
    notes
        What whoever reads the file should know of the report.
    """

    found: MotifReport
    length: int
    emits: tuple[str, ...]
    targets: tuple[str, ...]
    blocks: Callable[[], Iterator[MotifReport]]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, report: MotifReport | ReportReader | ReportBlocks) -> ReportBlocks:
        """Return a report, in memory or in a store, block by block; what is so already is returned as it is.

        Raises
        ------
        ReportError
            If no block of it is finished.
        """
        if isinstance(report, ReportBlocks):
            return report
        return _stored(report) if isinstance(report, ReportReader) else _held(report)


def _held(report: MotifReport) -> ReportBlocks:
    def blocks() -> Iterator[MotifReport]:
        for start in range(0, len(report.sequences), BLOCK):
            yield report.take(slice(start, start + BLOCK))

    return ReportBlocks(_without_maps(report), report.sequences.length, report.emits, _targets(report), blocks)


def _stored(reader: ReportReader) -> ReportBlocks:
    if not reader.finished:
        raise ReportError(
            f"report {reader.layout.label!r} must hold a finished block to be exported, and none is: start the run "
            "that made it again"
        )
    parts: list[MotifReport] = []
    emits: dict[str, None] = {}
    targets: tuple[str, ...] = ()
    for block in reader.blocks():
        parts.append(_without_maps(block))
        emits |= {part: None for part in MAPS if part in block.emits}
        targets = targets or _targets(block)
    whole = replace(join(parts), provenance=reader.provenance)
    found = with_derived(reader.layout, whole)
    lacking = f"{reader.pending} blocks of the report are not there yet: what is written lacks their sequences"
    notes = (lacking,) if reader.pending else ()
    return ReportBlocks(found, reader.length, (*emits, *found.emits), targets, reader.blocks, notes)


def _without_maps(report: MotifReport) -> MotifReport:
    # A copy: a view would hold the bases in memory.
    sequences = replace(report.sequences, onehot=report.sequences.onehot[:, :0].copy())
    return replace(report, sequences=sequences, predictions=None, attributions=None, masks=None)


def _targets(report: MotifReport) -> tuple[str, ...]:
    maps = report.attributions or report.masks
    if maps is None or not maps.values.shape[1]:
        return ()
    count = len(maps.values)
    return report.targets if len(report.targets) == count else tuple(f"target{t}" for t in range(count))
