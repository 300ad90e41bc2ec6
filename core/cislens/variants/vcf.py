"""VCF as it is written: header lines and records, one by one, nothing of them lost."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from cislens.errors import SequenceError
from cislens.sequences.files import is_gzipped, require_file

COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
DECLARED = re.compile(r"##INFO=<ID=([^,>]+)(?:.*?,Type=(\w+))?")
# Whatever bytes a file holds, they are written again as they were.
TEXT = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


class Record(NamedTuple):
    """One line of a VCF file: the texts of its columns."""

    fields: tuple[str, ...]

    @property
    def chrom(self) -> str:
        """The contig, as the file names it."""
        return self.fields[0]

    @property
    def position(self) -> int:
        """The position of the first base of REF, counted from 1."""
        return int(self.fields[1])

    @property
    def id(self) -> str:
        """The name, "." where there is none."""
        return self.fields[2]

    @property
    def ref(self) -> str:
        """The reference allele."""
        return self.fields[3]

    @property
    def alts(self) -> tuple[str, ...]:
        """The alternative alleles, one or more."""
        return tuple(self.fields[4].split(","))

    @property
    def info(self) -> dict[str, str | None]:
        """The entries of INFO: their texts, None for a flag, which has none."""
        entries = [entry.partition("=") for entry in self.fields[7].split(";") if entry not in (".", "")]
        return {key: value if equals else None for key, equals, value in entries}

    def of_allele(self, key: str, allele: int) -> str | None:
        """Return what INFO says of one alternative allele, counted from 0; None where it says nothing.

        A list of as many values as there are alternatives has one for each, a list of one more begins with the
        reference's; a single value speaks of all.
        """
        text = self.info.get(key)
        if text is None:
            return None
        values, alternatives = text.split(","), len(self.alts)
        if len(values) == 1:
            value = values[0]
        elif len(values) in (alternatives, alternatives + 1):
            value = values[len(values) - alternatives + allele]
        else:
            raise SequenceError(
                f"INFO/{key} must hold one value, or one for each of {alternatives} alternatives, got {text!r} at "
                f"{self.chrom}:{self.position}"
            )
        return None if value == "." else value


@dataclass(frozen=True)
class Vcf:
    """An open VCF file.

    Parameters
    ----------
    header
        The lines before the records, the last of which names the columns.
    records
        The records in their order; they can be gone through once.
    """

    header: tuple[str, ...]
    records: Iterator[Record]

    @property
    def declared(self) -> dict[str, str | None]:
        """The keys of INFO that the header declares, each with its type."""
        return {found[1]: found[2] for line in self.header if (found := DECLARED.match(line))}


@contextmanager
def open_vcf(path: str | Path) -> Iterator[Vcf]:
    """Open a VCF file, plain, gzipped or bgzipped, of any size: one record is held at a time.

    Raises
    ------
    SequenceError
        If there is no such file, its header is missing, or, on the way, a line is no record.
    """
    file = Path(path)
    require_file(file, "variants")
    with _text(file) as text:
        lines = _lines(text, file)
        header = []
        for _, line in lines:
            header.append(line)
            if not line.startswith("##"):
                break
        if not header or tuple(header[-1].split("\t")[: len(COLUMNS)]) != COLUMNS:
            raise SequenceError(
                f"a VCF file must have a line of column names, {' '.join(COLUMNS)}, separated by tabs, got "
                f"{header[-1][:60] if header else 'nothing'!r} in {file}: check that it is VCF, and whole"
            )
        yield Vcf(tuple(header), _records(lines, len(header[-1].split("\t")), file))


def _text(file: Path) -> IO[str]:
    if is_gzipped(file):
        unpacked: IO[str] = gzip.open(file, "rt", **TEXT)  # type: ignore[call-overload]
        return unpacked
    return file.open(**TEXT)  # type: ignore[call-overload, no-any-return]


def _lines(text: IO[str], file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not empty, without their ends, each with its number from 1."""
    try:
        for number, line in enumerate(text, 1):
            if stripped := line.rstrip("\r\n"):
                yield number, stripped
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SequenceError(
            f"{file} must be a whole gzip file, but cannot be unpacked ({error}): copy it anew"
        ) from None


def _records(lines: Iterator[tuple[int, str]], columns: int, file: Path) -> Iterator[Record]:
    for number, line in lines:
        fields = tuple(line.split("\t"))
        if len(fields) != columns or not fields[1].isdecimal() or not all(fields[:5]):
            raise SequenceError(
                f"a record of VCF must have {columns} columns as its header has, separated by tabs, the second a "
                f"whole number, got {line[:60]!r} in line {number} of {file}"
            )
        yield Record(fields)
