"""Numbers that INFO holds of each alternative allele, such as a measured effect or a label."""

from __future__ import annotations

from dataclasses import dataclass

from cislens.errors import SequenceError
from cislens.variants.vcf import Record, Vcf


@dataclass(frozen=True)
class Entries:
    """Read numbers from INFO.

    Parameters
    ----------
    keys
        Which entries.
    flags
        Those among them that the header declares as flags: 1 where the flag stands, 0 where it does not.
    """

    keys: tuple[str, ...]
    flags: frozenset[str]

    @classmethod
    def of(cls, vcf: Vcf, keys: tuple[str, ...]) -> Entries:
        """Return the entries as a file's header declares them."""
        return cls(keys, frozenset(key for key in keys if vcf.declared.get(key) == "Flag"))

    def numbers(self, record: Record, allele: int) -> tuple[float, ...]:
        """Return a number for each key, NaN where the record does not say.

        Raises
        ------
        SequenceError
            If an entry is no number.
        """
        return tuple(self._number(key, record, allele) for key in self.keys)

    def _number(self, key: str, record: Record, allele: int) -> float:
        if key in self.flags:
            return float(key in record.info)
        text = record.of_allele(key, allele)
        try:
            return float("nan") if text is None else float(text)
        except ValueError:
            place = f"{record.chrom}:{record.position}"
            raise SequenceError(f"INFO/{key} must hold numbers, got {text!r} at {place}: name another entry") from None
