"""From motifs to the known motifs that they match."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from cislens.databases.comparing import COMPILES, FEW, TRIM, Comparison, compared
from cislens.databases.database import Database, load
from cislens.derivation import Derivation, DeriveContext
from cislens.errors import CislensError
from cislens.report import TABLES, MotifReport
from cislens.settings import setting

if TYPE_CHECKING:
    import pandas as pd

    from cislens.motif import Motif

FURTHER = ("family", "database")


@dataclass(frozen=True)
class Matches(Derivation):
    """Name motifs by the known motifs that they match in a database, with Tomtom.

    Each motif, but for uninformative flanks, is compared with every motif of the database in both orientations. q is
    Benjamini and Hochberg's over all targets of the database, for each motif on its own, so that it does not depend on
    what is kept. It does depend on the database: a q-value is comparable only to one of the same.

    The table's target is the id of the known motif; offset is the column of the target at which the motif's first
    column lies, the target turned where strand is "-". Rows are in the order of the report's motifs, best first.

    References
    ----------
    Gupta et al. 2007, 10.1186/gb-2007-8-2-r24; computed by memelite.
    """

    name: ClassVar[str] = "matches"
    takes: ClassVar[tuple[str, ...]] = ("motifs",)
    gives: ClassVar[tuple[str, ...]] = ("matches",)
    references: ClassVar[tuple[str, ...]] = ("10.1186/gb-2007-8-2-r24",)

    database: str = setting("jaspar_vertebrates", "jaspar_vertebrates, jaspar_insects, or the path of a motif file.")
    q_max: float = setting(0.5, "Largest q-value of a match that is kept.")
    trim: float = setting(TRIM, "Bits below which columns at a motif's ends are left out; 0 compares it whole.")
    top: int = setting(5, "How many matches a motif are kept at most.")

    def __post_init__(self) -> None:
        if not 0 < self.q_max <= 1 or self.top < 1:
            raise CislensError(
                f"matches needs q_max in 0 to 1 and top of 1 at least, got q_max={self.q_max} and top={self.top}"
            )

    def run(self, report: MotifReport, context: DeriveContext) -> MotifReport:
        """Return the report with the table of matches."""
        database = load(self.database)
        context.tell(f"comparing with the {len(database):,} motifs of {database.title}; {COMPILES}")
        context.progress(0, len(report.motifs))
        comparison = compared(report.motifs, database, self.trim)
        table = self._table(report.motifs, database, comparison)
        context.progress(len(report.motifs), len(report.motifs))
        sentences = self._warnings(report.motifs, database, set(table["motif"]))
        return replace(report, matches=table, validity=report.validity.warned(*sentences))

    def _table(self, motifs: tuple[Motif, ...], database: Database, comparison: Comparison) -> pd.DataFrame:
        import pandas as pd

        best = comparison.best_first()[:, : self.top]
        kept = [(i, j) for i in range(len(motifs)) for j in best[i] if comparison.q_value[i, j] <= self.q_max]
        rows = [
            (
                motifs[i].id,
                database.motifs[j].id,
                database.motifs[j].name,
                float(comparison.p_value[i, j]),
                float(comparison.q_value[i, j]),
                int(comparison.offset[i, j]),
                int(comparison.overlap[i, j]),
                "-" if comparison.reverse[i, j] else "+",
                database.family_of(database.motifs[j].id),
                database.title,
            )
            for i, j in kept
        ]
        return pd.DataFrame(rows, columns=[*TABLES["matches"], *FURTHER])

    def _warnings(self, motifs: tuple[Motif, ...], database: Database, matched: set[str]) -> list[str]:
        sentences = []
        if unknown := [motif.id for motif in motifs if motif.id not in matched]:
            listed = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
            sentences.append(
                f"{len(unknown)} of {len(motifs)} motifs match none of the {len(database)} of {database.title} at "
                f"q <= {self.q_max:g}: {listed}"
            )
        if len(database) < FEW:
            sentences.append(
                f"p-values of matches depend on which motifs {database.title} holds, since it holds but "
                f"{len(database)}: search one of {FEW} at least"
            )
        return sentences
