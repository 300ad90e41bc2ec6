"""Sequences and maps as TF-MoDISco takes them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from cislens.exchange.blocks import ReportBlocks
from cislens.exchange.exporter import Exported, Exporter, paths_of
from cislens.exchange.maps import GAUGE_HELP, hypothetical
from cislens.exchange.npz_stream import streamed_npz
from cislens.files import whole_file
from cislens.report import Attributions
from cislens.sequences import Sequences
from cislens.settings import setting

Array = npt.NDArray[Any]
SEQUENCES, MAPS = ".ohe.npz", ".attr.npz"


@dataclass(frozen=True)
class ModiscoNpz(Exporter):
    """Sequences and hypothetical maps for TF-MoDISco: NAME.ohe.npz (its -s) and NAME.attr.npz (its -a).

    Both hold `arr_0`, (n, 4, length), as bpnet-lite names and writes them. A wild-type gauge is zero at the own base,
    where TF-MoDISco looks for motifs; so maps are brought to the uniform gauge unless they are asked for as they are.
    Beside `arr_0` stand ids and coordinates, and gauge, unit and target, which TF-MoDISco takes no notice of.
    """

    name: ClassVar[str] = "modisco"
    suffixes: ClassVar[tuple[str, ...]] = (".npz",)
    takes: ClassVar[tuple[str, ...]] = ("attributions",)

    gauge: Literal["uniform", "own"] = setting("uniform", GAUGE_HELP)

    def write(self, report: ReportBlocks, path: Path) -> Exported:
        """Write the sequences once, and a file of maps for each target."""
        base = path.with_name(path.name[: -len(".npz")])
        sequences = base.with_name(f"{base.name}{SEQUENCES}")
        maps = paths_of(base.with_name(f"{base.name}{MAPS}"), MAPS, report.targets)
        shape = (len(report.found.sequences), 4, report.length)
        described = self._described(report)
        with ExitStack() as stack:

            def opened(file: Path, dtype: npt.DTypeLike, beside: dict[str, Array], packed: bool) -> Any:
                unfinished = stack.enter_context(whole_file(file))
                return stack.enter_context(streamed_npz(unfinished, shape, dtype, beside, packed))

            add_bases = opened(sequences, np.int8, _named(report.found.sequences), True)
            add_maps = [
                opened(file, np.float32, {**described, "target": np.array(target)}, False)
                for file, target in zip(maps, report.targets, strict=True)
            ]
            for block in report.blocks():
                add_bases(block.sequences.onehot.swapaxes(1, 2))
                for add, values in zip(add_maps, hypothetical(block, self.gauge), strict=True):
                    add(values.swapaxes(1, 2))
        return Exported((sequences, *maps), self._notes(report))

    def _described(self, report: ReportBlocks) -> dict[str, Array]:
        maps = _first_maps(report)
        gauge = maps.gauge if self.gauge == "own" or not maps.hypothetical else "uniform"
        return {name: np.array(value) for name, value in (("gauge", gauge), ("unit", maps.unit))}

    def _notes(self, report: ReportBlocks) -> tuple[str, ...]:
        if _first_maps(report).hypothetical:
            return ()
        return ("the maps know only the sequences' own bases: TF-MoDISco is given zero for every other base",)


def _first_maps(report: ReportBlocks) -> Attributions:
    return next(block.attributions for block in report.blocks() if block.attributions is not None)


def _named(sequences: Sequences) -> dict[str, Array]:
    """Return ids, and coordinates where there are any: an empty chromosome where a sequence has none."""
    named = {"ids": np.array(sequences.ids, np.str_)}
    if any(sequences.regions):
        regions = sequences.regions
        named |= {name: np.array([getattr(r, name) if r else "" for r in regions]) for name in ("chrom", "strand")}
        named |= {name: np.array([getattr(r, name) if r else -1 for r in regions]) for name in ("start", "end")}
    return named
