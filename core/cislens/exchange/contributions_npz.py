"""Contributions in the two .npz files that TF-MoDISco takes and bpnet-lite writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from cislens.errors import ReportError
from cislens.exchange.contributions import GAUGE_HELP, ContributionImporter, read_contributions
from cislens.exchange.modisco_npz import MAPS, SEQUENCES
from cislens.report import MotifReport
from cislens.sequences import Region, Sequences
from cislens.sequences.arrays import opened_arrays, read_array
from cislens.settings import setting

KEY = "arr_0"
PLACES = ("chrom", "start", "end", "strand")


@dataclass(frozen=True)
class ContributionsNpz(ContributionImporter):
    """Hypothetical contributions as TF-MoDISco takes them: NAME.attr.npz with NAME.ohe.npz beside it.

    Both hold `arr_0`, (n, 4, length). Files of cislens also say ids, coordinates, gauge, unit and target, which are
    taken over; of others the gauge is not known unless it is said.
    """

    name: ClassVar[str] = "modisco_npz"
    suffixes: ClassVar[tuple[str, ...]] = (".npz",)
    references: ClassVar[tuple[str, ...]] = ("10.48550/arXiv.1811.00416",)

    gauge: Literal["none", "uniform", "wild-type", "reference", "empirical"] = setting("none", GAUGE_HELP)
    sequences: str | None = setting(None, f"The file of sequences, where it is not named as the maps, *{SEQUENCES}.")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether it holds the one array of a name that TF-MoDISco looks for, of its axes."""
        with opened_arrays(path) as file:
            shape = file.shapes.get(KEY, ())
        return len(shape) == 3 and shape[1] == 4

    def read(self, path: Path) -> MotifReport:
        """Return a report of one target with the contributions.

        Raises
        ------
        ReportError
            If there is no file of sequences, or it does not fit.
        """
        beside = Path(self.sequences) if self.sequences is not None else _beside(path)
        sequences = _placed(read_array(beside, KEY, "4,length"), beside)
        with opened_arrays(path) as file:
            if KEY not in file.shapes:
                raise ReportError(f"contributions must be named {KEY}, and {path} holds {', '.join(file.shapes)}")
            values = read_contributions(file.array(KEY), "4,length", sequences, str(path))
            said = {name: str(file.array(name)) for name in ("gauge", "unit", "target") if name in file.shapes}
        unit = said.pop("unit", "target")
        read = replace(self, **said)  # type: ignore[arg-type]
        return read.report(path, sequences, values, unit)


def _beside(path: Path) -> Path:
    candidates = list(_candidates(path))
    for candidate in candidates:
        if candidate.exists() and candidate != path:
            return candidate
    raise ReportError(
        f"contributions need their sequences, and there is no {' or '.join(c.name for c in candidates)} beside "
        f"{path.name}: say which file holds them, --as {ContributionsNpz.name}:sequences=FILE"
    )


def _candidates(path: Path) -> Iterator[Path]:
    """Yield the names of the sequences' file: as the maps' own, then without the name of one of several targets."""
    stem = path.name[: -len(MAPS)] if path.name.endswith(MAPS) else path.name[: -len(".npz")]
    yield path.with_name(f"{stem}{SEQUENCES}")
    while "." in stem:
        stem = stem.rpartition(".")[0]
        yield path.with_name(f"{stem}{SEQUENCES}")


def _placed(sequences: Sequences, path: Path) -> Sequences:
    with opened_arrays(path) as file:
        if not all(name in file.shapes for name in PLACES):
            return sequences
        columns = (file.array(name).tolist() for name in PLACES)
        regions = tuple(Region(*row) if row[0] else None for row in zip(*columns, strict=True))
    return replace(sequences, regions=regions)
