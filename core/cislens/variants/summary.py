"""What became of the records of a file, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cislens.variants.alleles import Allele
from cislens.variants.scores import Scores
from cislens.variants.writing import TsvLines

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Summary:
    """Count alleles by status, and keep what an evaluation needs.

    Parameters
    ----------
    table
        Names the columns.
    evaluated
        Whether numbers and entries of INFO of scored alleles are kept.

    Attributes
    ----------
    records, alleles
        How many there were.
    statuses
        Alleles by status.
    first
        For each status but "scored", the place of the first such allele and its reason.
    """

    table: TsvLines
    evaluated: bool = False
    records: int = 0
    alleles: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    _kept: list[pd.DataFrame] = field(default_factory=list)

    def add(self, alleles: Sequence[Allele], scores: Scores) -> None:
        """Count a block."""
        self.alleles += len(alleles)
        self.records += sum(allele.number == 0 for allele in alleles)
        self.statuses.update(map(str, scores.status))
        for allele in alleles:
            if allele.status != "scored" and allele.status not in self.first:
                record = allele.record
                place = f"{record.chrom}:{record.position} {record.ref[:20]}>{allele.alt[:20]}"
                self.first[allele.status] = f"{place}: {allele.reason}"
        if self.evaluated:
            whole = self.table.frame(alleles, scores)
            self._kept.append(whole.drop(columns=["id", "ref", "alt", "reason"]))

    @property
    def kept(self) -> pd.DataFrame:
        """The columns that an evaluation reads, of all alleles."""
        import pandas as pd

        return pd.concat(self._kept, ignore_index=True)
