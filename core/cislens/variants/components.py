"""Principal components among the targets of variants, fitted on reference windows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cislens.context import stream
from cislens.driver import COMPONENT_LIBRARY, with_components
from cislens.errors import SequenceError
from cislens.sequences import Sequences
from cislens.targeted import Targeted
from cislens.variants.alleles import Windows
from cislens.variants.scores import encoded
from cislens.variants.vcf import open_vcf

RECORDS = 1000  # of the file, among whose reference windows those are drawn that a component is fitted on


@dataclass(frozen=True)
class Fitting:
    """Say on which variants principal components are fitted.

    Parameters
    ----------
    vcf
        The file of variants.
    total
        How many records it has.
    windows
        What cuts their windows.
    seed
        Says which records are drawn, and what mutants of their windows.
    """

    vcf: Path
    total: int
    windows: Windows
    seed: int

    def apply(self, targeted: Targeted) -> tuple[Targeted, str]:
        """Return the targets with what is to be fitted fitted, and on what it was; as they are where nothing is.

        Raises
        ------
        SequenceError
            If no record that was drawn can be scored.
        TargetError
            If the profiles of their windows do not differ.
        """
        waiting = [str(t) for t in targeted.targets if t.unfitted]
        if not waiting:
            return targeted, ""
        references = self._references()
        fitted = with_components(targeted, references, self.seed)
        return fitted, (
            f"{', '.join(waiting)} on reference windows of {self.vcf.name} (at most "
            f"{COMPONENT_LIBRARY // 2} of {len(references)}) and random mutants of them, seed {self.seed}"
        )

    def _references(self) -> Sequences:
        drawn = set(stream(self.seed, "pc1", "records").permutation(self.total)[:RECORDS].tolist())
        with open_vcf(self.vcf) as variants:
            records = (record for number, record in enumerate(variants.records) if number in drawn)
            alleles = (allele for record in records for allele in self.windows.of(record))
            texts = list(dict.fromkeys(allele.windows[0] for allele in alleles if allele.windows))
        if not texts:
            raise SequenceError(
                f"a principal component is fitted on reference windows, but none of {len(drawn):,} records of "
                f"{self.vcf} can be scored: check the genome, or choose another reduction, such as :mean"
            )
        return Sequences(encoded(texts), tuple(map(str, range(len(texts)))))
