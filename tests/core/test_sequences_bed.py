"""Reading intervals of a genome."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cislens.errors import SequenceError
from cislens.sequences import Dropped, Region, read_sequences

Write = Callable[..., Path]
RNG = np.random.default_rng(0)
CHR1 = "".join(RNG.choice(list("ACGTacgt"), 150))
CHR2 = "".join(RNG.choice(list("ACGT"), 40))
FLIP = str.maketrans("ACGT", "TGCA")


def genome_text() -> str:
    lines = [CHR1[i : i + 60] for i in range(0, len(CHR1), 60)]
    return "\n".join([">chr1 first", *lines, ">chr2", CHR2, ""])


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    path = tmp_path / "genome.fa"
    path.write_text(genome_text())
    return path


@pytest.fixture
def bed(tmp_path: Path) -> Write:
    def write(text: str, name: str = "x.bed") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


def test_intervals_are_read_from_the_genome_with_names_strands_and_coordinates(bed: Write, genome: Path) -> None:
    text = "track name=x\nbrowser hide\n# words\nchr1\t10\t20\tone\t0\t+\r\nchr1\t55\t65\ttwo\t0\t-\nchr2\t30\t40\n\n"
    read = read_sequences(bed(text), genome=genome)
    assert read.strings() == [CHR1[10:20].upper(), CHR1[55:65].upper().translate(FLIP)[::-1], CHR2[30:40]]
    assert read.ids == ("one", "two", "chr2:30-40")
    assert read.regions == (Region("chr1", 10, 20), Region("chr1", 55, 65, "-"), Region("chr2", 30, 40))
    assert read.dropped == ()


def test_an_interval_without_a_name_is_called_by_its_place(bed: Write, genome: Path) -> None:
    read = read_sequences(bed("chr1 0 5 . 0 -\nchr1 0 5 . 0 .\n"), genome=genome)
    assert read.ids == ("chr1:0-5(-)", "chr1:0-5")


def test_narrow_peaks_are_read_and_packed_files_too(tmp_path: Path, genome: Path) -> None:
    path = tmp_path / "x.narrowPeak.gz"
    path.write_bytes(gzip.compress(b"chr1\t10\t20\tpeak\t900\t.\t5.1\t-1\t2.2\t5\n"))
    read = read_sequences(path, genome=genome)
    assert (read.ids, read.strings()) == (("peak",), [CHR1[10:20].upper()])


def test_intervals_outside_of_the_genome_are_dropped_with_their_reasons(bed: Write, genome: Path) -> None:
    text = "chr1\t0\t10\ta\nchrX\t0\t10\tb\nchr2\t35\t45\tc\nchr2\t9\t9\td\nchr2\t9\t3\te\nchr2\t-1\t9\tf\n"
    read = read_sequences(bed(text), genome=genome)
    assert read.ids == ("a",)
    assert read.dropped == (
        Dropped("b", "chrX is not in the genome, which has chr1, chr2"),
        Dropped("c", "35-45 lies outside of chr2, which is 40 bp long"),
        Dropped("d", "start 9 is not below end 9"),
        Dropped("e", "start 9 is not below end 3"),
        Dropped("f", "-1-9 lies outside of chr2, which is 40 bp long"),
    )


@pytest.mark.parametrize("strand", ["+", "-"])
def test_resizing_reads_the_genome_around_each_centre(bed: Write, genome: Path, strand: str) -> None:
    text = f"chr1\t50\t60\ta\t0\t{strand}\nchr1\t20\t100\tb\t0\t{strand}\nchr1\t0\t9\tc\t0\t{strand}\n"
    read = read_sequences(bed(text), genome=genome, length=20, fit="resize-center")
    assert read.regions == (Region("chr1", 45, 65, strand), Region("chr1", 50, 70, strand))
    expected = [CHR1[45:65].upper(), CHR1[50:70].upper()]
    assert read.strings() == (expected if strand == "+" else [s.translate(FLIP)[::-1] for s in expected])
    assert read.dropped == (Dropped("c", "-6-14 lies outside of chr1, which is 150 bp long"),)


def test_cropping_around_the_centre_and_resizing_agree_on_long_intervals(bed: Write, genome: Path) -> None:
    path = bed("chr1\t20\t101\ta\nchr1\t7\t30\tb\n")
    for length in (10, 11):
        resized = read_sequences(path, genome=genome, length=length, fit="resize-center")
        cropped = read_sequences(path, genome=genome, length=length, fit="crop-center")
        assert resized.regions == cropped.regions
        np.testing.assert_array_equal(resized.onehot, cropped.onehot)


def test_resizing_needs_intervals_and_a_length(bed: Write, genome: Path) -> None:
    with pytest.raises(SequenceError, match=r"needs BED with a genome, got genome\.fa: say crop-center"):
        read_sequences(genome, length=10, fit="resize-center")
    with pytest.raises(SequenceError, match="resize-center must be told a length in bp"):
        read_sequences(bed("chr1\t0\t5\n"), genome=genome, fit="resize-center")


def test_bed_without_a_genome_asks_for_one(bed: Write) -> None:
    with pytest.raises(SequenceError, match="must come with a genome: say --genome FASTA"):
        read_sequences(bed("chr1\t0\t5\n"))


def test_a_missing_genome_is_an_error(bed: Write, tmp_path: Path) -> None:
    with pytest.raises(SequenceError, match="the genome must be a file that exists"):
        read_sequences(bed("chr1\t0\t5\n"), genome=tmp_path / "no.fa")


@pytest.mark.parametrize("line", ["chrom\tstart\tend", "chr1\t5", "chr1"])
def test_a_line_that_is_no_interval_is_an_error_naming_it(bed: Write, genome: Path, line: str) -> None:
    with pytest.raises(SequenceError, match=r"must begin with chromosome, start and end, got .* in line 2 of .*x\.bed"):
        read_sequences(bed(f"chr1\t0\t5\n{line}\n"), genome=genome)


def test_a_strand_that_is_none_is_an_error(bed: Write, genome: Path) -> None:
    with pytest.raises(SequenceError, match=r"strand \(column 6\) must be one of \+ - \., got 'x' in line 1"):
        read_sequences(bed("chr1\t0\t5\ta\t0\tx\n"), genome=genome)


def test_a_file_without_intervals_is_an_error(bed: Write, genome: Path) -> None:
    with pytest.raises(SequenceError, match="must hold intervals, but holds none"):
        read_sequences(bed("# nothing\n"), genome=genome)


def test_a_gzipped_genome_is_refused_with_what_to_do(bed: Write, tmp_path: Path) -> None:
    path = tmp_path / "genome.fa.gz"
    path.write_bytes(gzip.compress(genome_text().encode()))
    with pytest.raises(SequenceError, match=r"must be plain or bgzipped FASTA.*unpack it with gunzip, or pack it anew"):
        read_sequences(bed("chr1\t0\t5\n"), genome=path)


def bgzipped(data: bytes) -> bytes:
    """Pack as the SAM specification says: gzip members that tell their own size, an empty one last."""
    packed = b""
    for piece in (data[:100], data[100:], b""):
        packer = zlib.compressobj(wbits=-15)
        body = packer.compress(piece) + packer.flush()
        size = struct.pack("<H", len(body) + 25)
        head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + size
        packed += head + body + struct.pack("<II", zlib.crc32(piece), len(piece))
    return packed


def test_a_bgzipped_genome_is_read_as_it_is(bed: Write, tmp_path: Path) -> None:
    path = tmp_path / "genome.fa.gz"
    path.write_bytes(bgzipped(genome_text().encode()))
    assert gzip.decompress(path.read_bytes()).decode() == genome_text()
    assert read_sequences(bed("chr1\t55\t65\n"), genome=path).strings() == [CHR1[55:65].upper()]


@pytest.mark.parametrize("text", [">a\nACGT\nACGTACGT\nAC\n", ">a\nACGT\n>a\nACGT\n"])
def test_a_genome_that_cannot_be_indexed_is_an_error(bed: Write, tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.fa").write_text(text)
    with pytest.raises(SequenceError, match="lines of one length in each record and no name twice"):
        read_sequences(bed("a\t0\t4\n"), genome=tmp_path / "odd.fa")


def test_an_index_is_kept_beside_the_genome_unless_its_folder_is_closed(
    bed: Write, genome: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Path(f"{genome}.fai")
    with monkeypatch.context() as closed:
        closed.setattr(os, "access", lambda *_: False)
        first = read_sequences(bed("chr1\t0\t5\n"), genome=genome)
    assert not index.exists()
    second = read_sequences(bed("chr1\t0\t5\n"), genome=genome)
    assert index.exists()
    assert first.strings() == second.strings() == [CHR1[:5].upper()]


@pytest.mark.real
def test_intervals_of_a_real_locus_equal_slices_of_its_text(bed: Write, real_data: Path, tmp_path: Path) -> None:
    name, _, text = (real_data / "sequences" / "gata4.fa").read_text().partition("\n")
    locus = tmp_path / "locus.fa"
    locus.write_text(f"{name}\n{text}")
    text = text.replace("\n", "")
    starts = np.random.default_rng(3).integers(0, len(text) - 500, 50)
    path = bed("".join(f"{name[1:]}\t{start}\t{start + 500}\n" for start in starts))
    read = read_sequences(path, genome=locus, length=200, fit="crop-center")
    assert read.strings() == [text[start + 150 : start + 350].upper() for start in starts]
