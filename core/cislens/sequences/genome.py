"""A genome as a FASTA file, of which intervals are read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cislens.errors import SequenceError
from cislens.sequences.alphabet import reverse_complement
from cislens.sequences.container import Region
from cislens.sequences.files import is_bgzipped, is_gzipped, require_file


class Genome:
    """Read intervals of an indexed FASTA file; made by `open_genome`."""

    def __init__(self, path: Path, index: Path) -> None:
        from pyfaidx import Fasta, FastaIndexingError

        try:
            self.contigs = Fasta(str(path), indexname=str(index), as_raw=True)
        except (FastaIndexingError, ValueError) as error:
            raise SequenceError(
                f"the genome {path} must be FASTA with lines of one length in each record and no name twice, but "
                f"cannot be indexed: {error}"
            ) from None
        self.lengths = {name: len(record) for name, record in self.contigs.items()}

    def close(self) -> None:
        """Close the file."""
        self.contigs.close()

    def why_outside(self, region: Region) -> str | None:
        """Return why a region is no place in this genome, None if it is one."""
        length = self.lengths.get(region.chrom)
        if length is None:
            shown = ", ".join(list(self.lengths)[:3])
            return f"{region.chrom} is not in the genome, which has {shown}{' ...' if len(self.lengths) > 3 else ''}"
        if region.start < 0 or region.end > length:
            return f"{_shown(region)} lies outside of {region.chrom}, which is {length:,} bp long"
        return None

    def read(self, region: Region) -> bytes:
        """Return the letters of a region, of the minus strand where the region says so."""
        letters = str(self.contigs[region.chrom][region.start : region.end]).encode("latin-1")
        return reverse_complement(letters) if region.strand == "-" else letters


@contextmanager
def open_genome(path: Path) -> Iterator[Genome]:
    """Open a genome; its index is kept beside it as .fai, or in a temporary folder where that cannot be written.

    Raises
    ------
    SequenceError
        If it is no FASTA, or is packed in a way that intervals cannot be read from.
    """
    require_file(path, "the genome")
    _refuse_packing(path)
    with ExitStack() as stack:
        index = Path(f"{path}.fai")
        fresh = index.exists() and index.stat().st_mtime >= path.stat().st_mtime
        if not fresh and not os.access(index if index.exists() else path.parent, os.W_OK):
            index = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "genome.fai"
        genome = Genome(path, index)
        stack.callback(genome.close)
        yield genome


def _refuse_packing(path: Path) -> None:
    if not is_gzipped(path):
        return
    if not is_bgzipped(path):
        raise SequenceError(
            f"a genome must be plain or bgzipped FASTA, so that intervals can be reached, got the gzip file {path}: "
            "unpack it with gunzip, or pack it anew with bgzip"
        )


def _shown(region: Region) -> str:
    return f"{region.start:,}-{region.end:,}"
