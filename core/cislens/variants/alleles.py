"""What of a VCF record can be scored, and the windows of the genome in which it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from cislens.errors import SequenceError
from cislens.sequences.alphabet import first_stranger
from cislens.sequences.container import Region
from cislens.sequences.genome import Genome
from cislens.variants.vcf import Record

Fit = Literal["drop", "pad-n"]
Status = Literal["scored", "no_sequence", "no_contig", "mismatch", "near_end", "too_long"]
SYMBOLS = {"*": "the allele * is deleted with a variant before it", ".": "there is no alternative allele"}


class Allele(NamedTuple):
    """One alternative allele of a record, with the two windows that the model is to compare.

    Attributes
    ----------
    record
        Its line of the file.
    number
        Which of the record's alternatives it is, counted from 0.
    status
        "scored", or why not, in a word.
    reason
        Why not, in a sentence; empty where it is scored.
    windows
        The reference's and the alternative's letters, None where it is not scored.
    """

    record: Record
    number: int
    status: Status
    reason: str = ""
    windows: tuple[bytes, bytes] | None = None

    @property
    def alt(self) -> str:
        """The alternative allele."""
        return self.record.alts[self.number]


@dataclass(frozen=True)
class Windows:
    """Cut the windows of variants out of a genome.

    A window is `length` bp long, and the first base of REF stands at index `length // 2` of it, counted from 0: the
    middle where `length` is odd, the first base of the right half where it is even. The alternative's window begins at
    the same base; REF is replaced by ALT, and what follows moves up, so that an insertion pushes bases out at the right
    end, and a deletion draws bases in from the genome.

    Parameters
    ----------
    genome
        The open genome.
    length
        Of the model's input, in bp.
    fit
        What is done where a window passes the end of its contig: "drop" lists the variant, "pad-n" fills up with N.
    renamed
        Contigs that the genome was found to name otherwise, filled in on the way.
    """

    genome: Genome
    length: int
    fit: Fit = "drop"
    renamed: dict[str, str] = field(default_factory=dict)

    def of(self, record: Record) -> Iterator[Allele]:
        """Yield the record's alternative alleles, in their order."""
        ref = record.ref.upper()
        start = record.position - 1 - self.length // 2
        whole = self._why_not(record)
        for number, alt in enumerate(record.alts):
            status, reason = whole or self._why_not_allele(record, alt.upper())
            if status != "scored":
                yield Allele(record, number, status, reason)
                continue
            end = start + self.length + max(0, len(ref) - len(alt))
            around = self._letters(self.contig(record.chrom) or "", start, end)
            before, after = around[: self.length // 2], around[self.length // 2 + len(ref) :]
            changed = (before + alt.upper().encode() + after)[: self.length]
            yield Allele(record, number, "scored", "", (around[: self.length], changed))

    def contig(self, name: str) -> str | None:
        """Return the genome's name of a contig: the same, or the one with or without "chr" before it."""
        if name in self.genome.lengths:
            return name
        other = name[3:] if name.startswith("chr") else f"chr{name}"
        if other not in self.genome.lengths:
            return None
        self.renamed[name] = other
        return other

    def _why_not(self, record: Record) -> tuple[Status, str] | None:
        """Return why nothing of a record can be scored, None where something may be."""
        if not _is_sequence(record.ref):
            return "no_sequence", f"REF must be of A, C, G and T, got {_shown(record.ref)}"
        contig = self.contig(record.chrom)
        region = Region(contig or record.chrom, record.position - 1, record.position - 1 + len(record.ref))
        outside = self.genome.why_outside(region)
        if outside is not None:
            return ("no_contig" if contig is None else "mismatch"), outside
        held = self.genome.read(region).decode("latin-1").upper()
        if held != record.ref.upper():
            return "mismatch", f"the genome holds {_shown(held)} where REF is {_shown(record.ref)}"
        return None

    def _why_not_allele(self, record: Record, alt: str) -> tuple[Status, str]:
        if not _is_sequence(alt):
            return "no_sequence", SYMBOLS.get(alt, f"ALT must be of A, C, G and T, got {_shown(alt)}")
        ref, right = len(record.ref), self.length - self.length // 2
        longest = max(ref, len(alt))
        if longest > right:
            return "too_long", f"an allele of {longest:,} bp does not fit the {right:,} bp right of the window's middle"
        start = record.position - 1 - self.length // 2
        end = start + self.length + max(0, ref - len(alt))
        outside = self.genome.why_outside(Region(self.contig(record.chrom) or "", start, end))
        if outside is not None and self.fit == "drop":
            return "near_end", f"its window {outside}"
        return "scored", ""

    def _letters(self, contig: str, start: int, end: int) -> bytes:
        first, last = max(start, 0), min(end, self.genome.lengths[contig])
        letters = self.genome.read(Region(contig, first, last)).upper()
        stranger = first_stranger(letters, first)
        if stranger is not None:
            raise SequenceError(f"a genome must be DNA (A, C, G, T, N and IUPAC codes), got {stranger} of {contig}")
        return b"N" * (first - start) + letters + b"N" * (end - last)


def _is_sequence(allele: str) -> bool:
    return bool(allele) and not set(allele.upper()) - set("ACGT")


def _shown(allele: str, most: int = 20) -> str:
    if not allele:
        return "nothing"
    return allele if len(allele) <= most else f"{allele[:most]}... ({len(allele):,} bp)"
