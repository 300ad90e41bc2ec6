"""Bringing sequences to one length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cislens.errors import SequenceError
from cislens.sequences import Dropped, Region, Sequences, read_sequences
from cislens.sequences.lengths import fit_sequences, window_start

Write = Callable[..., Path]
TEXT = "ACGTTGCAAC"


@pytest.fixture
def fasta(tmp_path: Path) -> Write:
    def write(**records: str) -> Path:
        path = tmp_path / "x.fa"
        path.write_text("".join(f">{name}\n{text}\n" for name, text in records.items()))
        return path

    return write


@pytest.mark.parametrize(
    ("fit", "length", "expected"),
    [
        ("crop-center", 4, "TTGC"),
        ("crop-center", 5, "TTGCA"),
        ("crop-left", 4, "ACGT"),
        ("crop-right", 4, "CAAC"),
        ("pad-n", 12, "NACGTTGCAACN"),
        ("pad-n", 13, "NACGTTGCAACNN"),
        ("fit", 4, "TTGC"),
        ("fit", 12, "NACGTTGCAACN"),
    ],
)
def test_each_way_to_fit_does_what_it_says(fasta: Write, fit, length: int, expected: str) -> None:
    path = fasta(a=TEXT, b=TEXT)
    read = read_sequences(path, length=length, fit=fit)
    assert read.strings() == [expected, expected]
    assert len(read.notes) == 1
    assert read.notes[0].startswith("2 sequences ")
    assert read.notes[0].endswith(f"to {length} bp")
    assert fit_sequences(Sequences.from_strings([TEXT]), length, fit).strings() == [expected]


def test_a_length_that_does_not_fit_is_an_error_naming_the_options(fasta: Write) -> None:
    path = fasta(a="ACGT", b="ACGTAC", c="ACGTAC")
    sentence = (
        r"must be 5 bp long, got 2 of 6 bp and 1 of 4 bp: say --length crop-center, crop-left, crop-right, pad-n, "
        r"fit .* or drop"
    )
    with pytest.raises(SequenceError, match=sentence):
        read_sequences(path, length=5)


@pytest.mark.parametrize(("fit", "length"), [("crop-center", 11), ("crop-left", 11), ("crop-right", 11), ("pad-n", 9)])
def test_a_crop_never_pads_and_a_pad_never_crops(fasta: Write, fit, length: int) -> None:
    with pytest.raises(SequenceError, match=f"which {fit} cannot bring there"):
        read_sequences(fasta(a=TEXT), length=length, fit=fit)


def test_what_has_another_length_can_be_dropped(fasta: Write) -> None:
    read = read_sequences(fasta(a="ACGT", b="ACGTA"), length=5, fit="drop")
    assert read.ids == ("b",)
    assert read.dropped == (Dropped("a", "is 4 bp long, not 5"),)
    assert read.notes == ()


def test_sequences_must_share_a_length_where_none_is_asked_for(fasta: Write) -> None:
    with pytest.raises(SequenceError, match="must share one length where none is asked for, got 1 of 4 bp and 1 of 5"):
        read_sequences(fasta(a="ACGT", b="ACGTA"))


def test_many_lengths_are_counted_and_not_all_listed(fasta: Write) -> None:
    path = fasta(**{f"s{n}": "A" * n for n in range(1, 9)})
    with pytest.raises(SequenceError, match="and 3 of other lengths: say"):
        read_sequences(path, length=20)


def test_an_unknown_way_to_fit_lists_the_known_ones(fasta: Write) -> None:
    with pytest.raises(SequenceError, match="fit must be one of 'error', 'crop-center', .* got 'crop'"):
        read_sequences(fasta(a="ACGT"), length=2, fit="crop")  # type: ignore[arg-type]


@given(current=st.integers(1, 50), wanted=st.integers(1, 50))
def test_padding_and_cropping_around_the_centre_undo_each_other(current: int, wanted: int) -> None:
    there, back = window_start(current, wanted, "fit"), window_start(wanted, current, "fit")
    assert there is not None
    assert back is not None
    assert there + back == 0


@given(
    strand=st.sampled_from("+-"),
    length=st.integers(1, 30),
    fit=st.sampled_from(["crop-center", "crop-left", "crop-right", "pad-n", "fit"]),
)
def test_coordinates_follow_crops_and_pads_on_both_strands(strand: str, length: int, fit) -> None:
    # The genome: a sequence whose every position can be told, by its neighbours of three.
    genome = "AAACAAGAATACCACGACTAGCAGGAGTATCATGATTCCCGCCTCGGCGTCTGCTTGGGTGTTT"
    flip = str.maketrans("ACGT", "TGCA")
    region = Region("chr", 20, 30, strand)
    text = genome[20:30] if strand == "+" else genome[20:30].translate(flip)[::-1]
    one = Sequences.from_strings([text])
    if window_start(10, length, fit) is None:
        return
    fitted = fit_sequences(Sequences(one.onehot, one.ids, (region,)), length, fit)
    moved = fitted.regions[0]
    assert moved is not None
    there = genome[moved.start : moved.end]
    there = there if strand == "+" else there.translate(flip)[::-1]
    seen = fitted.strings()[0]
    assert len(there) == len(seen) == length
    assert all(base in ("N", expected) for base, expected in zip(seen, there, strict=True))
    assert sum(base != "N" for base in seen) == min(length, 10)


def test_a_region_padded_to_before_its_chromosome_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_text(">c:1-5\nACGT\n>c:2-6\nACGT\n>c:0-4(-)\nACGT\n")
    read = read_sequences(path, length=8, fit="pad-n")
    assert read.regions == (None, Region("c", 0, 8), None)


def test_arrays_are_dropped_or_refused_as_a_whole(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", Sequences.from_strings(["ACGT", "ACGT"]).onehot)
    with pytest.raises(SequenceError, match="must be 5 bp long, got 2 of 4 bp"):
        read_sequences(tmp_path / "x.npy", length=5)
    with pytest.raises(SequenceError, match="all 2 were dropped .*seq0: is 4 bp long, not 5"):
        read_sequences(tmp_path / "x.npy", length=5, fit="drop")


@pytest.mark.parametrize("length", [0, -3])
def test_a_length_below_one_is_an_error(fasta: Write, length: int) -> None:
    with pytest.raises(SequenceError, match=f"at least 1 bp, got {length}"):
        read_sequences(fasta(a="ACGT"), length=length)
