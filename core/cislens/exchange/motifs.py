"""Motifs as MEME and JASPAR."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cislens.exchange.blocks import ReportBlocks
from cislens.exchange.exporter import Exported, Exporter
from cislens.files import whole_file
from cislens.motif_files import write_motifs


@dataclass(frozen=True)
class Meme(Exporter):
    """Motifs in MEME's minimal format, as probabilities, for Tomtom, FIMO and most others."""

    name: ClassVar[str] = "meme"
    suffixes: ClassVar[tuple[str, ...]] = (".meme", ".txt")
    takes: ClassVar[tuple[str, ...]] = ("motifs",)

    def write(self, report: ReportBlocks, path: Path) -> Exported:
        """Write the motifs under their ids.

        Raises
        ------
        ReportError
            If one holds contributions, which are no probabilities.
        """
        return _written(report, path)


@dataclass(frozen=True)
class Jaspar(Exporter):
    """Motifs in JASPAR's format, as counts."""

    name: ClassVar[str] = "jaspar"
    suffixes: ClassVar[tuple[str, ...]] = (".jaspar", ".pfm")
    takes: ClassVar[tuple[str, ...]] = ("motifs",)

    def write(self, report: ReportBlocks, path: Path) -> Exported:
        """Write the motifs under their ids.

        Raises
        ------
        ReportError
            If one holds no counts.
        """
        return _written(report, path)


def _written(report: ReportBlocks, path: Path) -> Exported:
    with whole_file(path) as unfinished:
        write_motifs(report.found.motifs, unfinished)
    return Exported((path,))
