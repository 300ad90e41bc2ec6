"""Tables of a report as text, and instances on the genome as BED."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.exchange.blocks import ReportBlocks
from cislens.exchange.exporter import Exported, Exporter
from cislens.exchange.places import Places, places_of
from cislens.files import whole_file
from cislens.report import TABLES
from cislens.sequences.record import counted
from cislens.settings import setting

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
MOST = 1000  # the largest score that BED allows
OTHER = {"+": "-", "-": "+"}


@dataclass(frozen=True)
class Tsv(Exporter):
    """A table of the report as tab-separated text, in positions of the sequences."""

    name: ClassVar[str] = "tsv"
    suffixes: ClassVar[tuple[str, ...]] = (".tsv",)
    takes: ClassVar[tuple[str, ...]] = tuple(TABLES)

    table: Literal["interactions", "curves", "instances", "syntax", "matches"] = setting("instances", "Which table.")

    def write(self, report: ReportBlocks, path: Path) -> Exported:
        """Write the table.

        Raises
        ------
        ReportError
            If the report does not hold it.
        """
        table = getattr(report.found, self.table)
        if table is None:
            held = [name for name in TABLES if getattr(report.found, name) is not None]
            raise ReportError(f"the report holds no {self.table}, only {', '.join(held)}: name one, or derive it first")
        _write(table, path)
        return Exported((path,))


@dataclass(frozen=True)
class Bed(Exporter):
    """Instances on the genome as BED6 with further columns, for genome browsers and bedtools.

    A sequence that was read on the minus strand has its positions and strands turned round. Column 4 is the motif's id.
    Column 5 is the score in 0 to 1000, 1000 being the largest score of the file and 0 a score of zero or less; the
    columns after the sixth hold the sequence's id, the score as it is, and what else the table knows.
    """

    name: ClassVar[str] = "bed"
    suffixes: ClassVar[tuple[str, ...]] = (".bed",)
    takes: ClassVar[tuple[str, ...]] = ("instances",)

    def write(self, report: ReportBlocks, path: Path) -> Exported:
        """Write the instances by chromosome and start, below a line of column names that begins with '#'.

        Raises
        ------
        ReportError
            If no sequence has coordinates.
        """
        places = places_of(report, "BED places instances on a genome", "write their positions in the sequences, --tsv")
        table = report.found.instances
        assert table is not None
        on_genome = _on_genome(table, places, report)
        _write(on_genome.sort_values(["#chrom", "start", "end"], kind="stable"), path)
        lost = len(table) - len(on_genome)
        return Exported((path,), places.notes + ((f"{counted(lost, 'instance')} of them left out",) if lost else ()))


def _on_genome(table: pd.DataFrame, places: Places, report: ReportBlocks) -> pd.DataFrame:
    import pandas as pd

    ids = np.array(report.found.sequences.ids, object)[places.row]
    place = pd.Index(ids).get_indexer(pd.Index(table["sequence"]))
    kept = table[place >= 0]
    place = place[place >= 0]
    minus = places.minus[place]
    start, end = kept["start"].to_numpy(), kept["end"].to_numpy()
    strand = kept["strand"].to_numpy(object)
    columns = {
        "#chrom": places.chrom[place],
        "start": places.start[place] + np.where(minus, report.length - end, start),
        "end": places.start[place] + np.where(minus, report.length - start, end),
        "name": kept["motif"].to_numpy(object),
        "score": _scaled(kept["score"].to_numpy(float)),
        "strand": [OTHER.get(s, s) if turned else s for s, turned in zip(strand, minus, strict=True)],
        "sequence": kept["sequence"].to_numpy(object),
        "value": kept["score"].to_numpy(),
    }
    further = {name: kept[name].to_numpy() for name in kept.columns if name not in TABLES["instances"]}
    return pd.DataFrame({**columns, **further})


def _scaled(scores: Array) -> Array:
    """Return scores as BED allows them, whole numbers in 0 to 1000; none is 0."""
    positive = np.clip(np.nan_to_num(scores), 0, None)
    largest = positive.max(initial=0)
    return np.zeros(len(scores), int) if largest == 0 else np.rint(MOST * positive / largest).astype(int)


def _write(table: pd.DataFrame, path: Path) -> None:
    with whole_file(path) as unfinished:
        table.to_csv(unfinished, sep="\t", index=False, lineterminator="\n")
