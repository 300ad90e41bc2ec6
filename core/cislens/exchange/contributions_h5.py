"""Contributions of ChromBPNet and BPNet, from HDF5."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from cislens.errors import ReportError
from cislens.exchange.contributions import Axes, ContributionImporter, opened_h5, read_contributions
from cislens.report import MotifReport
from cislens.sequences import Region
from cislens.sequences.arrays import read_array


class Kind(NamedTuple):
    """Where a program puts hypothetical contributions and sequences, and their axes."""

    maps: str
    sequences: str
    axes: Axes


KINDS = (Kind("shap/seq", "raw/seq", "4,length"), Kind("hyp_scores", "input_seqs", "length,4"))
COORDINATES = ("coords_chrom", "coords_start", "coords_end")


@dataclass(frozen=True)
class ContributionsH5(ContributionImporter):
    """Hypothetical contributions that ChromBPNet or BPNet wrote (shap/seq with raw/seq, hyp_scores with input_seqs).

    They are DeepSHAP's of shuffled references, so their gauge is `reference`. BPNet's own coordinates are read where
    they are there; ChromBPNet's are in the BED file of interpreted regions beside its scores: regions=BED.
    """

    name: ClassVar[str] = "chrombpnet"
    suffixes: ClassVar[tuple[str, ...]] = (".h5", ".hdf5")
    references: ClassVar[tuple[str, ...]] = ("10.1038/s41588-021-00782-6", "10.1101/2024.12.25.630221")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether there are maps and sequences under the names of one of the two programs."""
        with opened_h5(path) as file:
            return _kind(file) is not None

    def read(self, path: Path) -> MotifReport:
        """Return a report of one target with the hypothetical contributions.

        Raises
        ------
        ReportError
            If maps, sequences and regions do not fit each other.
        """
        with opened_h5(path) as file:
            kind = _kind(file)
            if kind is None:
                listed = " or ".join(f"{kind.maps} and {kind.sequences}" for kind in KINDS)
                raise ReportError(f"contributions must be in {listed}, and {path} holds {', '.join(file) or 'nothing'}")
            sequences = read_array(path, kind.sequences, kind.axes)
            if self.regions is None and all(name in file for name in COORDINATES):
                sequences = replace(sequences, regions=_regions(file))
            values = read_contributions(file[kind.maps], kind.axes, sequences, f"{path}:{kind.maps}")
        return self.report(path, sequences, values)


def _kind(file: Any) -> Kind | None:
    """Return which of the two programs wrote a file: it must hold arrays, not groups, under its names."""
    held = {name for kind in KINDS for name in kind[:2] if name in file and hasattr(file[name], "shape")}
    return next((kind for kind in KINDS if {kind.maps, kind.sequences} <= held), None)


def _regions(file: Any) -> tuple[Region, ...]:
    chroms, starts, ends = (file[name][()].tolist() for name in COORDINATES)
    texts = (chrom.decode() if isinstance(chrom, bytes) else str(chrom) for chrom in chroms)
    return tuple(Region(chrom, int(start), int(end)) for chrom, start, end in zip(texts, starts, ends, strict=True))
