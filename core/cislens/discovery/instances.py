"""From motifs and maps to the motifs' instances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cislens.derivation import Derivation, DeriveContext
from cislens.discovery.calling import Caller, Calls, standing_apart
from cislens.discovery.maps import maps_of, target_labels
from cislens.discovery.seqlets import spread
from cislens.errors import CislensError, ReportError
from cislens.motif import Motif
from cislens.report import TABLES, MotifReport
from cislens.sequences.codes import codes_with_n
from cislens.settings import setting

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
FURTHER = ("p_value", "contribution", "similarity", "target")


@dataclass(frozen=True)
class Instances(Derivation):
    """Call instances where a motif matches and the map there is large and alike.

    A window is called where its log-odds have a small p-value (exact for the background, as in FIMO; Grant et al.
    2011, 10.1093/bioinformatics/btr064), and where its positions contribute alike to the motif's mean profile, and more
    than values drawn at random from the same map would. A sequence match alone is no instance: the model may not use
    it. Nor is a large place alone, which may be of another motif. Of motifs of little information, and of weak sites,
    a larger p_value finds more, since the map is asked too.
    """

    name: ClassVar[str] = "instances"
    takes: ClassVar[tuple[str, ...]] = ("motifs",)
    gives: ClassVar[tuple[str, ...]] = ("instances",)
    references: ClassVar[tuple[str, ...]] = ("10.1093/bioinformatics/btr064",)

    p_value: float = setting(1e-4, "Largest p-value of a match; of a motif too short for that, best matches count.")
    rate: float = setting(
        0.05, "False-discovery rate of a motif's matches, against the same maps with positions drawn at random."
    )
    similarity: float = setting(0.6, "Cosine, 0 to 1, of what a window contributes with the motif's mean profile.")
    overlap: float = setting(0.25, "Share of the shorter one that instances of two motifs may have in common.")

    def __post_init__(self) -> None:
        if not (0 < self.p_value <= 1 and 0 < self.rate < 1):
            raise CislensError(f"instances needs p_value and rate in 0 to 1, got {self.p_value} and {self.rate}")
        if not (0 <= self.similarity <= 1 and 0 <= self.overlap < 1):
            raise CislensError(
                f"instances needs similarity and overlap in 0 to 1, got {self.similarity} and {self.overlap}"
            )

    def run(self, report: MotifReport, context: DeriveContext) -> MotifReport:
        """Return the report with a table of instances, in the order of the sequences.

        Raises
        ------
        ReportError
            If the report holds no maps.
        """
        if report.attributions is None and report.masks is None:
            raise ReportError(
                "instances are called where maps are large, but the report holds neither attributions nor masks: "
                "scan its sequences with the step 'scan' instead"
            )
        import pandas as pd

        values = maps_of(report)
        labels = target_labels(report, len(values))
        owned = [[m for m in report.motifs if _owner(m, labels) in (None, label)] for label in labels]
        tables = []
        for t, motifs in enumerate(owned):
            target = report.targets[t] if len(report.targets) == len(values) else labels[t].rstrip(".")
            rng = context.rng(f"instances {labels[t]}")
            tables.append(self._table(values[t], motifs, target, report, rng))
            context.progress(t + 1, len(values))
        table = pd.concat([part for part in tables if len(part)] or tables[:1], ignore_index=True)
        validity = report.validity
        if report.motifs and not len(table):  # where there is no motif, the step before says why
            validity = validity.warned(self._nothing(report))
        return replace(report, instances=table, validity=validity)

    def _table(
        self, values: Array, motifs: list[Motif], target: str, report: MotifReport, rng: np.random.Generator
    ) -> pd.DataFrame:
        import pandas as pd

        onehot = report.sequences.onehot
        codes = codes_with_n(onehot)
        caller = Caller(codes, values / spread(values), self.p_value, self.similarity, self.rate)
        calls = Calls(*(np.empty(0, int),) * 9)
        if motifs:
            calls = standing_apart(caller.calls(motifs, rng), self.overlap)
        before = np.pad(np.cumsum(values, axis=1, dtype=float), ((0, 0), (1, 0)))
        columns = (
            np.array([m.id for m in motifs], object)[calls.motif],
            np.array(report.sequences.ids, object)[calls.row],
            calls.start,
            calls.end,
            np.where(calls.reverse, "-", "+").astype(object),
            calls.score,
            calls.p_value,
            before[calls.row, calls.end] - before[calls.row, calls.start],
            calls.likeness,
            np.full(len(calls), target, object),
        )
        return pd.DataFrame(dict(zip((*TABLES["instances"], *FURTHER), columns, strict=True)))

    def _nothing(self, report: MotifReport) -> str:
        return (
            f"no instance was found of {len(report.motifs)} motifs: no window matches with a p-value of at most "
            f"{self.p_value:g} where the map is alike ({self.similarity:g}) and larger than chance (rate "
            f"{self.rate:g}); raise p_value or rate, or lower similarity"
        )


def _owner(motif: Motif, labels: tuple[str, ...]) -> str | None:
    """Return the label of the target that a motif's id names, None where it names none."""
    # The longest, since one target's label may begin another's.
    return max((label for label in labels if label and motif.id.startswith(label)), key=len, default=None)
