"""Maps on genome coordinates as bigWig."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError, ReportError
from cislens.exchange.averaging import averaged
from cislens.exchange.blocks import ReportBlocks
from cislens.exchange.exporter import Exported, Exporter, paths_of
from cislens.exchange.maps import GAUGE_HELP, ExportGauge, observed
from cislens.exchange.places import Places, places_of
from cislens.files import whole_file
from cislens.sequences.files import require_file
from cislens.sequences.genome import open_genome
from cislens.settings import setting

Array = npt.NDArray[Any]
SIZES = (".fai", ".sizes")


@dataclass(frozen=True)
class BigWig(Exporter):
    """Maps on the genome as bigWig, one file a target, for genome browsers.

    The value of a position is what its own base contributes. Where sequences overlap it is the mean over those that
    have a base there; where there is N, or no sequence, there is no value. The maps of sequences that were read on the
    minus strand are turned round, their signs kept. It comes with `pip install 'cislens[bigwig]'`.
    """

    name: ClassVar[str] = "bigwig"
    suffixes: ClassVar[tuple[str, ...]] = (".bw", ".bigwig")
    takes: ClassVar[tuple[str, ...]] = ("attributions", "masks")

    genome: str | None = setting(None, "Sizes of the chromosomes: the genome's .fai, a chrom.sizes file, or its FASTA.")
    gauge: Literal["uniform", "own"] = setting("uniform", GAUGE_HELP)

    def write(self, report: ReportBlocks, path: Path) -> Exported:
        """Write a file for each target; with several, the target's name stands before the suffix.

        Maps are projected block by block into a file beside `path`, which is read chromosome by chromosome and is gone
        in the end.

        Raises
        ------
        CislensError
            If pyBigWig is not installed.
        ReportError
            If no sequence has coordinates, or one lies outside of the genome.
        """
        try:
            import pyBigWig
        except ModuleNotFoundError as error:
            raise CislensError(
                f"bigWig needs {error.name}, which is not installed: pip install 'cislens[bigwig]'"
            ) from error
        places = places_of(report, "a bigWig holds values on a genome", "write them as npz, --modisco")
        order = np.lexsort((places.start, places.chrom.astype(str)))
        sizes, said = self._sizes(places, report.length)
        paths = paths_of(path, path.suffix, report.targets)
        with TemporaryDirectory(dir=path.parent, prefix=".cislens-") as scratch:
            values = _projected(report, places, Path(scratch) / "maps.npy", self.gauge)
            for target, file in enumerate(paths):
                with whole_file(file) as unfinished, closing(pyBigWig.open(str(unfinished), "w")) as opened:
                    opened.addHeader(list(sizes.items()))
                    if not _add(opened, values[target], places, order, sizes):
                        raise ReportError(
                            "a bigWig holds values of bases, but the sequences with coordinates are all N"
                        )
        return Exported(paths, (*places.notes, *said))

    def _sizes(self, places: Places, length: int) -> tuple[dict[str, int], tuple[str, ...]]:
        """Return the size of each chromosome, in the order of the file, and what is to be said of it."""
        ends = {chrom: int(places.start[places.chrom == chrom].max()) + length for chrom in sorted(set(places.chrom))}
        if self.genome is None:
            return ends, (
                "chromosomes end where the last sequence does, since no genome was named: say genome=FILE (--bigwig-"
                "genome), its .fai, a chrom.sizes file or its FASTA, for their true sizes",
            )
        sizes = _sizes_of(Path(self.genome))
        if strange := [chrom for chrom in ends if chrom not in sizes]:
            raise ReportError(f"chromosomes must be in {self.genome}, and {strange[0]!r} is not: is it another genome?")
        return dict(sorted(sizes.items())), ()


def _sizes_of(genome: Path) -> dict[str, int]:
    require_file(genome, "the genome")
    if not genome.name.endswith(SIZES):
        with open_genome(genome) as contigs:
            return dict(contigs.lengths)
    sizes = {}
    for line in filter(str.strip, genome.read_text(encoding="utf-8").splitlines()):
        name, size, *_ = [*line.split("\t"), ""]
        if not size.strip().isdigit():
            raise ReportError(f"sizes of chromosomes must be lines of name, tab and size, got {line!r} in {genome}")
        sizes[name] = int(size)
    return sizes


def _projected(report: ReportBlocks, places: Places, path: Path, gauge: ExportGauge) -> Array:
    """Return the values (t, k, length) of the sequences that have a place, as the genome reads, kept on disk."""
    shape = (len(report.targets), len(places.row), report.length)
    values = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    first = 0
    for block in report.blocks():
        inside = np.flatnonzero((places.row >= first) & (places.row < first + len(block.sequences)))
        found = observed(block, gauge)[:, places.row[inside] - first]
        turned = places.minus[inside]
        found[:, turned] = found[:, turned, ::-1]
        values[:, inside] = found
        first += len(block.sequences)
    return values


def _add(opened: Any, values: Array, places: Places, order: Array, sizes: dict[str, int]) -> bool:
    """Add the values of one target, and tell whether there were any: pyBigWig writes no whole file of none."""
    added = False
    for chrom in sorted(set(places.chrom)):
        rows = order[places.chrom[order] == chrom]
        for start, stretch in averaged(places.start[rows], (values[row] for row in rows), values.shape[1]):
            if start + len(stretch) > sizes[chrom]:
                raise ReportError(
                    f"bases must lie inside of {chrom}, which is {sizes[chrom]:,} bp long, got one at "
                    f"{start + len(stretch) - 1:,}: is it another genome?"
                )
            opened.addEntries(chrom, start, values=stretch.astype(np.float32), span=1, step=1)
            added = True
    return added
