"""The results of TF-MoDISco, from HDF5."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.exchange.contributions import REGIONS_HELP, opened_h5
from cislens.exchange.contributions_npz import ContributionsNpz
from cislens.exchange.importer import Importer, import_report
from cislens.exchange.windows import read_windows, with_windows
from cislens.motif import UNIFORM, Motif
from cislens.report import TABLES, MotifReport, Validity
from cislens.sequences import Sequences
from cislens.settings import setting

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
SIGNS = ("pos_patterns", "neg_patterns")


class Seqlets(NamedTuple):
    """The seqlets of one pattern.

    Parameters
    ----------
    row, start, end : (k,)
        The sequence of each, counted from 0, and its place in the window that TF-MoDISco looked at.
    reverse : (k,)
        Whether it is read backwards.
    score : (k,)
        The sum of its contributions; NaN where the file does not say.
    onehot
        (k, width, 4) as they read, None where the file does not say.
    """

    row: Array
    start: Array
    end: Array
    reverse: Array
    score: Array
    onehot: Array | None

    def outside(self, n: int, length: int, shift: int) -> bool:
        """Tell whether one lies outside of n sequences, where the window begins at `shift`."""
        return bool(((self.row < 0) | (self.row >= n) | (self.start + shift < 0) | (self.end + shift > length)).any())


@dataclass(frozen=True)
class ModiscoH5(Importer):
    """Motifs and instances that TF-MoDISco found: its patterns and their seqlets.

    A motif's id is that which TF-MoDISco gives it in MEME files, such as pos_patterns.pattern_0, and its counts are the
    bases of its seqlets. The file holds no sequences: name the maps that TF-MoDISco was given, and the report has these
    and their sequences too; else sequences are put together of the seqlets, N where none lies.
    """

    name: ClassVar[str] = "modisco"
    suffixes: ClassVar[tuple[str, ...]] = (".h5", ".hdf5")
    references: ClassVar[tuple[str, ...]] = ("10.48550/arXiv.1811.00416",)

    maps: str | None = setting(
        None, "The file of maps that TF-MoDISco was given, -a; that of sequences lies beside it."
    )
    regions: str | None = setting(None, REGIONS_HELP)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether there are patterns."""
        with opened_h5(path) as file:
            return any(sign in file for sign in SIGNS) or "window_size" in file.attrs

    def read(self, path: Path) -> MotifReport:
        """Return a report of motifs and their instances, with maps where they are named.

        Raises
        ------
        ReportError
            If a seqlet lies outside of the sequences.
        """
        with opened_h5(path) as file:
            window = file.attrs.get("window_size")
            found = {f"{sign}.{name}": group for sign in SIGNS for name, group in _patterns(file, sign)}
            seqlets = {name: _seqlets(group) for name, group in found.items()}
            motifs = tuple(_motif(name, group, len(seqlets[name].row)) for name, group in found.items())
        report = self._sequences(path, list(seqlets.values()), None if window is None else int(window))
        # TF-MoDISco looks at the middle of longer sequences, and counts from where its window begins.
        length = report.sequences.length
        shift = 0 if window is None else length // 2 - int(window) // 2
        if any(found.outside(len(report.sequences), length, shift) for found in seqlets.values()):
            raise ReportError(
                f"seqlets must lie in the {len(report.sequences)} sequences of {length} bp, and one of {path.name} "
                "does not: are these the maps that TF-MoDISco was given?"
            )
        placed = with_windows(report.sequences, self.regions, None)
        instances = _instances(seqlets, placed.ids, shift)
        if not motifs:
            looked = "" if window is None else f" in the middle {int(window):,} bp of the sequences"
            report = replace(report, validity=report.validity.warned(f"TF-MoDISco found no pattern{looked}"))
        return replace(report, sequences=placed, motifs=motifs, instances=instances)

    def _sequences(self, path: Path, seqlets: list[Seqlets], window: int | None) -> MotifReport:
        """Return the report without motifs: of the maps that are named, or of the seqlets' own bases."""
        if self.maps is not None:
            report = import_report(self.maps, ContributionsNpz.name)
            target = report.targets[0]
            maps = report.attributions
            assert maps is not None
            made = self.provenance(path, target, hypothetical=maps.hypothetical, gauge=maps.gauge)
            return replace(report, provenance=made)
        last = max((int(s.row.max(initial=-1)) for s in seqlets), default=-1)
        length = window if window is not None else max((int(s.end.max(initial=0)) for s in seqlets), default=0)
        # Sequences after the last seqlet are not in the file.
        n = max(last + 1, len(read_windows(self.regions, length)) if self.regions is not None else 0)
        said = "its sequences are put together of TF-MoDISco's seqlets, N where none lies: name its maps for the whole"
        return MotifReport(
            Sequences.from_onehot(_rebuilt(seqlets, n, length), [f"example{i}" for i in range(n)]),
            validity=Validity(warnings=(said,)),
            provenance=self.provenance(path, "not recorded"),
        )


def _patterns(file: Any, sign: str) -> Iterator[tuple[str, Any]]:
    """Yield the patterns of a sign in TF-MoDISco's order, which is by number and not by name."""
    names = [name for name in file.get(sign, ()) if name.rpartition("_")[2].isdigit()]
    for name in sorted(names, key=lambda name: int(name.rpartition("_")[2])):
        yield name, file[sign][name]


def _seqlets(group: Any) -> Seqlets:
    seqlets = group["seqlets"]
    row, start, end = (seqlets[name][()].astype(np.int64) for name in ("example_idx", "start", "end"))
    score = seqlets["contrib_scores"][()].sum((1, 2)) if "contrib_scores" in seqlets else np.full(len(row), np.nan)
    onehot = seqlets["sequence"][()] if "sequence" in seqlets else None
    return Seqlets(row, start, end, seqlets["is_revcomp"][()].astype(bool), score, onehot)


def _motif(name: str, group: Any, sites: int) -> Motif:
    # The file holds shares of the seqlets: rounded, whole counts are whole again.
    counts = (group["sequence"][()] * sites).round(6)
    # What a seqlet has as N counts as the background, as in `Motif.from_windows`.
    absent = np.clip(sites - counts.sum(1, keepdims=True), 0, None)
    return Motif(name, counts + absent * np.asarray(UNIFORM), "counts", sites=sites)


def _rebuilt(seqlets: list[Seqlets], n: int, length: int) -> Array:
    onehot = np.zeros((n, length, 4), np.uint8)
    for found in seqlets:
        if found.onehot is None:
            continue
        for row, start, end, reverse, bases in zip(
            found.row, found.start, found.end, found.reverse, found.onehot, strict=True
        ):
            onehot[row, start:end] = bases[::-1, ::-1] if reverse else bases
    return onehot


def _instances(seqlets: dict[str, Seqlets], ids: tuple[str, ...], shift: int) -> pd.DataFrame:
    import pandas as pd

    names = np.array(ids, object)
    parts = [
        (
            np.full(len(found.row), name, object),
            names[found.row],
            found.start + shift,
            found.end + shift,
            np.where(found.reverse, "-", "+").astype(object),
            found.score,
        )
        for name, found in seqlets.items()
    ]
    if not parts:
        return pd.DataFrame(columns=list(TABLES["instances"]))
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return pd.DataFrame(dict(zip(TABLES["instances"], columns, strict=True)))
