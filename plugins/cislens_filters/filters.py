"""Filters to motifs: the average of what activates them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from cislens import Context, Fitted, Motif, MotifReport, Sequences, SetExplainer, Targeted, Validity, setting
from cislens.errors import CislensError
from cislens_filters.nullification import nullified
from cislens_filters.units import units_of
from cislens_filters.windows import Active, Seen, seen

Array = npt.NDArray[Any]
FEW = 10  # windows of which an average says little
LISTED = 10


@dataclass(frozen=True, eq=False)
class FittedFilters(Fitted):
    """The motifs of a layer's filters, and what tells whether to believe them."""

    motifs: tuple[Motif, ...]
    validity: Validity

    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Return the motifs, which speak of the whole set and are the same for any sequences."""
        return MotifReport(sequences, motifs=self.motifs, validity=self.validity)

    def save(self, folder: Path) -> None:
        """Write itself into a folder, as safetensors and JSON."""
        from safetensors.numpy import save_file

        save_file(
            {motif.id: np.ascontiguousarray(motif.matrix) for motif in self.motifs}, folder / "counts.safetensors"
        )
        kept = {
            "sites": {motif.id: motif.sites for motif in self.motifs},
            "summary": dict(self.validity.summary),
            "warnings": list(self.validity.warnings),
        }
        (folder / "filters.json").write_text(json.dumps(kept), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> FittedFilters:
        """Read what `save` wrote."""
        from safetensors.numpy import load_file

        counts = load_file(folder / "counts.safetensors")
        kept = json.loads((folder / "filters.json").read_text(encoding="utf-8"))
        motifs = tuple(Motif(name, counts[name], "counts", sites=sites) for name, sites in kept["sites"].items())
        return cls(motifs, Validity({}, kept["summary"], tuple(kept["warnings"])))


@dataclass(frozen=True)
class Filters(SetExplainer):
    """Average the subsequences that activate each filter of a layer.

    A filter's value is read after its nonlinearity. With windows="all", as Kelley et al. do, every window counts whose
    value is at least `share` of the filter's largest over all windows of all sequences; windows="best" with share=0 is
    Alipanahi et al.'s: of each sequence the window of its largest value, where that is above 0. The largest of all is
    an extreme, which one lucky window can raise until hardly another reaches half of it, and an average of four windows
    is one of chance: so `least` windows count in any case, which neither paper asks; least=0 is theirs.

    Deeper layers have wider windows, their receptive fields. The counts of bases are the motif, LAYER.NUMBER; a filter
    that is never above 0, or always the same, is dead and listed.

    A motif shows what a filter sees, not what the model makes of it: `nullify` tells what the targets lose without it.
    It depends on the sequences: in random ones half the maximum is less of a match than in ones that hold the motif.

    References
    ----------
    Kelley et al. 2016, 10.1101/gr.200535.115; Alipanahi et al. 2015, 10.1038/nbt.3300.
    """

    name: ClassVar[str] = "filters"
    needs: ClassVar[frozenset[str]] = frozenset({"predict", "layers", "activations"})
    emits: ClassVar[tuple[str, ...]] = ("motifs",)
    references: ClassVar[tuple[str, ...]] = ("10.1101/gr.200535.115", "10.1038/nbt.3300")
    many_targets: ClassVar[bool] = True
    fitted: ClassVar[type[Fitted]] = FittedFilters

    layer: str | None = setting(None, "Layer whose filters are read; the first convolution by default.")
    windows: Literal["all", "best"] = setting(
        "all", "Windows that count: all above the share, or each sequence's best."
    )
    share: float = setting(0.5, "Share of a filter's largest value that a window must reach, 0 to 1.")
    least: int = setting(20, "Windows that count at least, those of the largest values above 0; 0 asks for none.")
    nullify: tuple[int, ...] = setting((), "Numbers of filters to hold at 0, to see what the targets lose.")

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise CislensError(f"filters needs a share in 0 to 1, got {self.share}")
        if self.least < 0:
            raise CislensError(f"filters needs a least number of windows of 0 or more, got {self.least}")

    def fit(self, oracle: Targeted, training: Sequences, context: Context) -> FittedFilters:
        """Return the motifs, from two passes over the sequences and one for each filter that is nullified."""
        units = units_of(oracle.layers(), self.layer)
        if not units.inside(training.length, training.length):
            raise CislensError(f"sequences must hold the {units.width} bp that a filter sees, got {training.length} bp")
        active = Active(self.share, self.least, self.windows == "best")
        found = seen(oracle, units, training, active, context.progress)
        sites = found.counts[:, 0].sum(-1)
        dead = ~(found.largest > 0) | (found.largest <= found.smallest)
        prefix = "_".join(units.layer.split())
        motifs = tuple(
            Motif(f"{prefix}.{unit}", found.counts[unit], "counts", sites=int(sites[unit]))
            for unit in np.flatnonzero(~dead)
        )
        summary = {"dead filters": float(dead.sum()), **self._lost(oracle, training, prefix)}
        return FittedFilters(motifs, Validity({}, summary, self._warnings(found, dead, sites, units.layer)))

    def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
        """Return two predictions a sequence, one more for each filter that is nullified and one to compare with."""
        return n * (2 + (len(self.nullify) + 1 if self.nullify else 0)), 0

    def _lost(self, oracle: Targeted, training: Sequences, prefix: str) -> dict[str, float]:
        if not self.nullify:
            return {}
        table = nullified(oracle, training, self.layer, self.nullify)
        return {
            f"mean change of {target} without {prefix}.{unit}": float(change)
            for unit, target, change in zip(table["filter"], table["target"], table["mean_change"], strict=True)
        }

    def _warnings(self, found: Seen, dead: Array, sites: Array, layer: str) -> tuple[str, ...]:
        sentences = []
        if dead.any():
            sentences.append(
                f"{dead.sum()} of {len(dead)} filters of {layer} are dead on these sequences, never above 0 or always "
                f"the same: {_listed(np.flatnonzero(dead))}"
            )
        if (few := (sites < FEW) & ~dead).any():
            sentences.append(
                f"{few.sum()} of {len(dead)} filters of {layer} have fewer than {FEW} windows, whose average says "
                f"little: {_listed(np.flatnonzero(few))}; explain more sequences"
            )
        return tuple(sentences)


def _listed(units: Array) -> str:
    return ", ".join(map(str, units[:LISTED])) + (", ..." if len(units) > LISTED else "")
