"""Reading FASTA: its forms, its letters, its names."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cislens.errors import SequenceError
from cislens.sequences import Dropped, ReadPolicy, Region, Sequences, read_sequences
from cislens.sequences.alphabet import encode, reverse_complement

Write = Callable[..., Path]
DNA = st.text("ACGTN", min_size=7, max_size=7)


@pytest.fixture
def fasta(tmp_path: Path) -> Write:
    def write(text: str | bytes, name: str = "x.fa") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@given(st.lists(DNA, min_size=1, max_size=20))
def test_strings_become_sequences_and_strings_again(strings: list[str]) -> None:
    assert Sequences.from_strings(strings).strings() == strings


@given(
    strings=st.lists(DNA, min_size=1, max_size=20), width=st.integers(1, 9), end=st.sampled_from(["\n", "\r\n", "\r"])
)
def test_fasta_of_any_line_width_and_line_end_reads_back(
    strings: list[str], width: int, end: str, tmp_path_factory
) -> None:
    lines = [
        line
        for i, text in enumerate(strings)
        for line in (f">s{i} words", *(text[j : j + width] for j in range(0, len(text), width)), "")
    ]
    path = tmp_path_factory.mktemp("fasta") / "x.fa"
    path.write_bytes(end.join(lines).encode())
    read = read_sequences(path)
    assert read.strings() == strings
    assert read.ids == tuple(f"s{i}" for i in range(len(strings)))


@given(st.text("ACGTUNRYSWKMBDHVacgtunryswkmbdhv"))
def test_encoding_agrees_with_a_loop_over_letters(text: str) -> None:
    expected = [[letter in bases for bases in ("Aa", "Cc", "Gg", "TtUu")] for letter in text]
    np.testing.assert_array_equal(encode(text), np.array(expected, np.uint8).reshape(-1, 4))


@given(st.text("ACGTN"))
def test_the_reverse_complement_of_one_hot_is_the_reverse_of_both_axes(text: str) -> None:
    np.testing.assert_array_equal(encode(reverse_complement(text.encode())), encode(text)[::-1, ::-1])


def test_the_complement_of_an_iupac_code_stands_for_the_complements_of_its_bases() -> None:
    bases = {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC", "B": "CGT", "D": "AGT", "H": "ACT"}
    bases |= {"V": "ACG", "N": "ACGT"}
    for code, stands_for in bases.items():
        other = reverse_complement(code.encode()).decode()
        assert set(bases[other]) == {dict(zip("ACGT", "TGCA", strict=True))[base] for base in stands_for}


@pytest.mark.parametrize("name", ["x.fa.gz", "x.fasta.bgz", "x.fna"])
def test_a_gzipped_file_is_told_by_its_content(fasta: Write, name: str) -> None:
    path = fasta(gzip.compress(b">a\nACGT\n"), name)
    assert read_sequences(path).strings() == ["ACGT"]


def test_blocks_of_gzip_one_after_another_are_one_file(fasta: Write) -> None:
    path = fasta(gzip.compress(b">a\nAC") + gzip.compress(b"GT\n>b\nTTTT\n"), "x.fa.bgz")
    assert read_sequences(path).strings() == ["ACGT", "TTTT"]


def test_a_broken_gzip_file_is_an_error(fasta: Write) -> None:
    path = fasta(gzip.compress(b">a\nACGT\n" * 100)[:-12], "x.fa.gz")
    with pytest.raises(SequenceError, match=r"must be a whole gzip file.*copy it anew"):
        read_sequences(path)


def test_a_byte_order_mark_and_blank_lines_are_passed_over(fasta: Write) -> None:
    assert read_sequences(fasta(b"\xef\xbb\xbf\n\n>a\nAC GT\n\n")).strings() == ["ACGT"]


def test_text_before_the_first_record_is_an_error_naming_the_line(fasta: Write) -> None:
    with pytest.raises(SequenceError, match=r"must start with '>', got 'ACGT' in line 2 of .*x\.fa"):
        read_sequences(fasta("\nACGT\n>a\nACGT\n"))


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_file_without_records_is_an_error(fasta: Write, text: str) -> None:
    with pytest.raises(SequenceError, match="must hold FASTA records, but holds none"):
        read_sequences(fasta(text))


def test_an_empty_record_is_dropped_with_its_reason(fasta: Write) -> None:
    read = read_sequences(fasta(">a\nACGT\n>b\n>c\nAAAA\n"))
    assert read.ids == ("a", "c")
    assert read.dropped == (Dropped("b", "the record is empty"),)


def test_nothing_left_is_an_error_with_the_first_reasons(fasta: Write) -> None:
    with pytest.raises(SequenceError, match=r"all 2 were dropped \(a: the record is empty; b: the record is empty\)"):
        read_sequences(fasta(">a\n>b\n"))


def test_names_that_come_again_are_numbered_and_noted(fasta: Write) -> None:
    read = read_sequences(fasta(">a\nACGT\n>a#2\nACGT\n>a\nACGT\n>a\nACGT\n"))
    assert read.ids == ("a", "a#2", "a#3", "a#4")
    assert read.notes == ("2 ids had come before and got a number (#2, #3, ...)",)


def test_a_record_without_a_name_gets_one(fasta: Write) -> None:
    read = read_sequences(fasta(">\nACGT\n> b c\nACGT\n"))
    assert read.ids == ("seq0", "b")
    assert "1 record without a name" in read.notes[0]


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("chr1:100-104", Region("chr1", 100, 104)),
        ("chr1:100-104(-)", Region("chr1", 100, 104, "-")),
        ("chr1:100-104(+)", Region("chr1", 100, 104)),
        ("peak::chr1:100-104(-)", Region("chr1", 100, 104, "-")),
        ("chr1:101-104", None),
        ("chr1", None),
        ("HLA:01:100-104", None),
    ],
)
def test_coordinates_come_from_a_name_that_spans_the_record(fasta: Write, name: str, region: Region | None) -> None:
    read = read_sequences(fasta(f">{name} words\nACGT\n"))
    assert (read.ids, read.regions) == ((name,), (region,))


def test_rna_is_read_as_dna(fasta: Write) -> None:
    assert read_sequences(fasta(">a\nACGUu\n")).strings() == ["ACGTT"]


@pytest.mark.parametrize(("lowercase", "expected"), [("keep", "ACGTNN"), ("n", "ACNNNN")])
def test_lower_case_follows_the_policy(fasta: Write, lowercase, expected: str) -> None:
    read = read_sequences(fasta(">a\nACgtnN\n"), policy=ReadPolicy(lowercase=lowercase))
    assert read.strings() == [expected]
    assert read.notes == (("2 lower-case bases in 1 sequence read as N",) if lowercase == "n" else ())


def test_iupac_codes_are_read_as_n_and_counted(fasta: Write) -> None:
    read = read_sequences(fasta(">a\nACRy\n>b\nACGN\n"))
    assert read.strings() == ["ACNN", "ACGN"]
    assert read.notes == ("2 IUPAC codes in 1 sequence read as N",)


def test_iupac_codes_can_drop_their_sequence(fasta: Write) -> None:
    read = read_sequences(fasta(">a\nACRy\n>b\nACGN\n"), policy=ReadPolicy(ambiguous="drop"))
    assert read.ids == ("b",)
    assert read.dropped == (Dropped("a", "holds 2 IUPAC codes"),)


def test_iupac_codes_can_be_an_error_that_names_the_first_as_the_file_counts(fasta: Write) -> None:
    path = fasta(">a\nACGTACGT\n>b\nACGTARGT\n")
    with pytest.raises(SequenceError, match=r"got 1 IUPAC code in 1 sequence, first 'R' at position 6 .* of 'b'"):
        read_sequences(path, length=4, fit="crop-right", policy=ReadPolicy(ambiguous="error"))


def test_iupac_codes_that_are_cropped_away_do_not_count(fasta: Write) -> None:
    read = read_sequences(fasta(">a\nRACGTR\n"), length=4, fit="crop-center", policy=ReadPolicy(ambiguous="error"))
    assert read.strings() == ["ACGT"]


@pytest.mark.parametrize(("letters", "named"), [("MKLV", "'L' at position 3"), ("AC1T", "'1' at position 3")])
def test_another_alphabet_is_refused_in_a_sentence_that_names_letter_record_and_position(
    fasta: Write, letters, named
) -> None:
    with pytest.raises(SequenceError, match=rf"must be DNA or RNA.*got {named} .*of record 'b'"):
        read_sequences(fasta(f">a\nACGT\n>b\n{letters}\n"))


@pytest.mark.parametrize(("text", "named"), [("AC-T", "'-'"), ("ACé", "byte 0xe9"), ("AC→", r"'\?'")])
def test_encoding_refuses_other_letters(text: str, named: str) -> None:
    with pytest.raises(SequenceError, match=rf"{named} at position 3"):
        encode(text)


def test_a_policy_that_is_unknown_is_an_error() -> None:
    with pytest.raises(SequenceError, match="lowercase must be one of 'keep', 'n', got 'mask'"):
        ReadPolicy(lowercase="mask")  # type: ignore[arg-type]


def test_an_unknown_suffix_is_answered_with_what_is_read(fasta: Write) -> None:
    with pytest.raises(SequenceError, match=r"read from FASTA .*BED .*\.h5.*got x\.txt"):
        read_sequences(fasta("ACGT", "x.txt"))


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SequenceError, match=r"must be a file that exists, got .*no\.fa: check the path"):
        read_sequences(tmp_path / "no.fa")
    (tmp_path / "folder.fa").mkdir()
    with pytest.raises(SequenceError, match="must be a file, got the folder"):
        read_sequences(tmp_path / "folder.fa")


@pytest.mark.real
def test_published_peaks_read_whole_with_their_coordinates(real_data: Path) -> None:
    path = real_data / "sequences" / "ctcf.fa.gz"
    read = read_sequences(path)
    with gzip.open(path, "rt") as lines:
        expected = {line[1:].strip(): next(lines).strip().upper() for line in lines}
    assert dict(zip(read.ids, read.strings(), strict=True)) == expected
    assert read.length == 100
    assert all(region is not None and region.end - region.start == 100 for region in read.regions)
