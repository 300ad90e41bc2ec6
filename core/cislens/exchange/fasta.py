"""The sequences of a report as FASTA."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cislens.exchange.blocks import ReportBlocks
from cislens.exchange.exporter import Exported, Exporter
from cislens.files import whole_file
from cislens.sequences import Region


@dataclass(frozen=True)
class Fasta(Exporter):
    """The sequences that were explained, each under its id, with its coordinates after it."""

    name: ClassVar[str] = "fasta"
    suffixes: ClassVar[tuple[str, ...]] = (".fa", ".fasta")

    def write(self, report: ReportBlocks, path: Path) -> Exported:
        """Write the sequences as they were read, those of the minus strand as that strand reads.

        Readers take an id to end with its first space, so spaces in ids are written as _.
        """
        with whole_file(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="\n") as file:
            for block in report.blocks():
                sequences = block.sequences
                for name, region, text in zip(sequences.ids, sequences.regions, sequences.strings(), strict=True):
                    file.write(f">{'_'.join(name.split())}{_described(region)}\n{text}\n")
        return Exported((path,))


def _described(region: Region | None) -> str:
    return "" if region is None else f" {region.chrom}:{region.start}-{region.end}({region.strand})"
