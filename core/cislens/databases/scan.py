"""From motifs to where they match in the sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cislens.databases.comparing import COMPILES
from cislens.derivation import Derivation, DeriveContext
from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.report import TABLES, MotifReport
from cislens.sequences import Sequences
from cislens.settings import setting
from cislens.spans import apart

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Scan(Derivation):
    """Scan the sequences for motifs, with FIMO's p-values, whatever the maps say.

    A window on either strand is an instance if the motif's log-odds (bits, against uniform bases) would be as large in
    a random window with at most the p-value. Of overlapping instances of one motif only the best is kept, on whichever
    strand. A match says that the sequence fits, not that the model uses it: the step `instances` asks the maps, too.

    References
    ----------
    Grant et al. 2011, 10.1093/bioinformatics/btr064; computed by memelite.
    """

    name: ClassVar[str] = "scan"
    takes: ClassVar[tuple[str, ...]] = ("motifs",)
    gives: ClassVar[tuple[str, ...]] = ("instances",)
    references: ClassVar[tuple[str, ...]] = ("10.1093/bioinformatics/btr064",)

    p_value: float = setting(1e-4, "Largest p-value of a match, one window and strand at a time.")

    def __post_init__(self) -> None:
        if not 0 < self.p_value < 1:
            raise CislensError(f"scan needs a p_value between 0 and 1, got {self.p_value}")

    def run(self, report: MotifReport, context: DeriveContext) -> MotifReport:
        """Return the report with a table of instances, in the order of the sequences."""
        context.tell(f"scanning the sequences; {COMPILES}")
        context.progress(0, len(report.motifs))
        table = scanned(report.motifs, report.sequences, self.p_value)
        context.progress(len(report.motifs), len(report.motifs))
        validity = report.validity
        if report.motifs and not len(table):  # where there is no motif, the step before says why
            validity = validity.warned(
                f"no instance was found: none of {len(report.motifs)} motifs matches in {len(report.sequences)} "
                f"sequences with a p-value below {self.p_value:g}; short or weak motifs never do"
            )
        return replace(report, instances=table, validity=validity)


def scanned(motifs: Sequence[Motif], sequences: Sequences, p_value: float = 1e-4) -> pd.DataFrame:
    """Return where motifs match: a table of instances with p_value, in the order of the sequences and positions.

    Parameters
    ----------
    motifs
        None may hold contributions.
    sequences
        N counts for nothing, as a base that the motif has as often as the background.
    p_value
        Of a window on a strand.

    Returns
    -------
    pandas.DataFrame
        motif, sequence, start, end (0-based, half-open, of the sequence as given), strand, score in bits, p_value.
    """
    import pandas as pd
    from memelite import fimo  # type: ignore[import-untyped]  # ships no types

    fitting = {
        motif.id: np.asarray(motif.probabilities().T, np.float64) for motif in motifs if len(motif) <= sequences.length
    }
    columns = [*TABLES["instances"], "p_value"]
    if not fitting or not len(sequences):
        return pd.DataFrame({name: [] for name in columns})
    onehot = np.ascontiguousarray(sequences.onehot.transpose(0, 2, 1)).astype(np.int8)
    hits = [hit for hit in fimo(fitting, onehot, threshold=p_value) if len(hit)]
    if not hits:
        return pd.DataFrame({name: [] for name in columns})
    # Of two alike the first is kept, forward before reverse.
    table: pd.DataFrame = pd.concat(hits).sort_values(["p-value", "start", "strand"], kind="stable")
    owner = table.groupby(["motif_name", "sequence_name"]).ngroup()
    start, end = table["start"].to_numpy(int), table["end"].to_numpy(int)
    table = table.iloc[apart(owner.to_numpy(int), start, end, np.arange(len(table)))]
    table = table.sort_values(["sequence_name", "start", "end"], kind="stable")
    table["sequence"] = np.array(sequences.ids, object)[table["sequence_name"].to_numpy()]
    return table.rename(columns={"motif_name": "motif", "p-value": "p_value"})[columns].reset_index(drop=True)
