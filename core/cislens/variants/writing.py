"""The table of effects as TSV, or as the VCF file itself with the effects added to INFO."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import numpy as np

from cislens.errors import SequenceError
from cislens.files import remove_unfinished, whole_file
from cislens.variants.alleles import Allele
from cislens.variants.bgzf import BgzfWriter
from cislens.variants.entries import Entries
from cislens.variants.naming import OWN, REASON, STATUS, columns_of, info_keys
from cislens.variants.scores import Array, Scores
from cislens.variants.vcf import DECLARED, Record, Vcf

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".tsv", ".vcf", ".vcf.gz")
PLACE = ("chrom", "pos", "id", "ref", "alt", "status", "reason")
MISSING = "."
FITTED = f"##{OWN}FITTED="
READABLE = "()/<>[]'>:+*"  # beside letters, in a reason in INFO


class Lines(Protocol):
    """Turn scored alleles into lines of a file."""

    def header(self) -> Iterator[str]:
        """Yield the lines before the first."""
        ...

    def lines(self, alleles: Sequence[Allele], scores: Scores) -> Iterator[str]:
        """Yield the lines of some alleles, all those of a record among them."""
        ...


class TsvLines:
    """One line for each alternative allele: place, status, references, effects, then entries of INFO.

    `fitted` tells what principal components among the targets were fitted on; a VCF says so in its header.
    """

    def __init__(
        self, vcf: Vcf, sources: tuple[str, ...], targets: tuple[str, ...], entries: Entries, fitted: str = ""
    ) -> None:
        self.vcf = vcf
        self.sources = sources
        self.targets = targets
        self.fitted = fitted
        self._entries = entries

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [*PLACE, *columns_of(self.sources, self.targets), *(f"INFO/{key}" for key in self._entries.keys)]

    def header(self) -> Iterator[str]:
        """Yield the line of column names."""
        yield "\t".join(self.columns)

    def lines(self, alleles: Sequence[Allele], scores: Scores) -> Iterator[str]:
        """Yield a line for each allele; what is missing is left empty."""
        for row in self.rows(alleles, scores):
            yield "\t".join(_shown(value, "") for value in row)

    def rows(self, alleles: Sequence[Allele], scores: Scores) -> Iterator[tuple[Any, ...]]:
        """Yield the values of each allele's line, NaN for a number that is not there."""
        for allele, status, reason, numbers in zip(
            alleles, scores.status, scores.reason, _numbers(scores), strict=True
        ):
            record = allele.record
            place = (record.chrom, record.position, record.id, record.ref, allele.alt, str(status), str(reason))
            yield (*place, *map(float, numbers), *self._entries.numbers(record, allele.number))

    def frame(self, alleles: Sequence[Allele], scores: Scores) -> pd.DataFrame:
        """Return the lines as a table."""
        import pandas as pd

        return pd.DataFrame(self.rows(alleles, scores), columns=self.columns)


class VcfLines:
    """The lines of the file itself, in its order, with effects in INFO: a value for each alternative allele."""

    def __init__(self, vcf: Vcf, sources: tuple[str, ...], targets: tuple[str, ...], fitted: str = "") -> None:
        self._vcf = vcf
        self._keys = info_keys(sources, targets)
        self._fitted = fitted

    def header(self) -> Iterator[str]:
        """Yield the file's header with a line for each key that is added; those of an earlier run are replaced."""
        *before, columns = self._vcf.header
        yield from (line for line in before if not _is_own(line))
        if self._fitted:
            yield f"{FITTED}{self._fitted}"
        yield f'##INFO=<ID={STATUS},Number=A,Type=String,Description="scored, or why not">'
        yield f'##INFO=<ID={REASON},Number=A,Type=String,Description="why not in a sentence, its spaces as _">'
        for key, (number, description) in self._keys.items():
            yield f'##INFO=<ID={key},Number={number},Type=Float,Description="{description}">'
        yield columns

    def lines(self, alleles: Sequence[Allele], scores: Scores) -> Iterator[str]:
        """Yield the line of each record."""
        rows = zip(alleles, scores.status, scores.reason, _numbers(scores), strict=True)
        numbered = enumerate(rows)
        for _, group in groupby(numbered, key=lambda row: row[0] - row[1][0].number):
            of_record = [row for _, row in group]
            yield self._line(of_record[0][0].record, of_record)

    def _line(self, record: Record, rows: list[tuple[Allele, str, str, Array]]) -> str:
        own = [f"{STATUS}={','.join(row[1] for row in rows)}"]
        if any(row[2] for row in rows):
            own.append(f"{REASON}={','.join(_in_info(row[2]) for row in rows)}")
        if any(row[0].windows for row in rows):
            numbers = np.stack([row[3] for row in rows], 1)
            for (key, (number, _)), values in zip(self._keys.items(), numbers, strict=True):
                # The reference's value is that of all the record's alternatives.
                shown = values[~np.isnan(values)][:1] if number == "1" else values
                own.append(f"{key}={','.join(_shown(float(value), MISSING) for value in shown)}")
        kept = [entry for entry in record.fields[7].split(";") if entry != MISSING and not entry.startswith(OWN)]
        return "\t".join((*record.fields[:7], ";".join([*kept, *own]), *record.fields[8:]))


@contextmanager
def written_whole(path: Path) -> Iterator[Callable[[Iterator[str]], None]]:
    """Yield what adds lines to a file, which is there when all went well, and only then."""
    remove_unfinished(path)
    with whole_file(path) as unfinished:
        packed = path.name.endswith(".gz")
        with closing(BgzfWriter(unfinished)) if packed else unfinished.open("wb") as file:

            def write(lines: Iterator[str]) -> None:
                for line in lines:
                    file.write(f"{line}\n".encode("utf-8", "surrogateescape"))

            yield write


def lines_for(path: Path, table: TsvLines) -> Lines:
    """Return what writes the lines of a file, by its suffix."""
    if path.name.endswith(".tsv"):
        return table
    if path.name.endswith(SUFFIXES[1:]):
        return VcfLines(table.vcf, table.sources, table.targets, table.fitted)
    raise SequenceError(f"effects are written to a file named *{', *'.join(SUFFIXES)}, got {path}")


def _is_own(line: str) -> bool:
    """Tell whether a line of a header comes from an earlier run."""
    declared = DECLARED.match(line)
    return line.startswith(FITTED) or (declared is not None and declared[1].startswith(OWN))


def _numbers(scores: Scores) -> Array:
    """Return the columns of numbers, (n, columns), in the order of `columns_of`."""
    return np.concatenate([scores.references, *scores.effects], 1)


def _shown(value: Any, missing: str) -> str:
    if isinstance(value, float):
        return missing if np.isnan(value) else f"{value:.9g}"
    return str(value)


def _in_info(reason: str) -> str:
    return quote(reason.replace(" ", "_"), safe=READABLE) or MISSING
