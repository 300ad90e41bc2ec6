"""Tables of sequences with values."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from cislens.errors import CislensError
from cislens.sequences import Region
from cislens.training import DataOptions
from cislens.training.labelled import Labelled
from cislens.training.tables import read_table


def read(folder: Path, text: str, name: str = "t.csv", **options: object) -> Labelled:
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return read_table(path, DataOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "T.TSV"])
def test_a_sequence_and_a_number_need_no_options(name: str, tmp_path: Path) -> None:
    text = "sequence,activity\nACGT,0.5\nacgu,-2\nGGNT,3e2\n"
    labelled = read(tmp_path, text.replace(",", "\t") if "tsv" in name.lower() else text, name)
    assert labelled.sequences.strings() == ["ACGT", "ACGT", "GGNT"]
    assert labelled.values.dtype == np.float32
    assert labelled.values.tolist() == [[0.5], [-2.0], [300.0]]
    assert labelled.outputs == ("activity",)
    assert labelled.task(None) == "regression"


@pytest.mark.parametrize("header", ["Seq", "DNA", "SEQUENCE", "oligo"])
def test_the_sequence_is_found_by_its_name_or_by_its_letters(header: str, tmp_path: Path) -> None:
    labelled = read(tmp_path, f"gene,{header},label\nfoo,ACGT,1\nbar,TTTT,0\n")
    assert labelled.sequences.strings() == ["ACGT", "TTTT"]
    assert labelled.task(None) == "binary"
    assert labelled.task("regression") == "regression"


def test_several_values_are_taken_by_name_in_the_order_given(tmp_path: Path) -> None:
    labelled = read(tmp_path, "seq,Dev,Hk\nACGT,1,2\nTTTT,3,4\n", values=("Hk", "Dev"))
    assert labelled.outputs == ("Hk", "Dev")
    assert labelled.values.tolist() == [[2, 1], [4, 3]]


def test_ids_places_and_an_index_are_no_values(tmp_path: Path) -> None:
    text = ",Name,chrom,start,end,strand,seq,y\n0,a,chr1,10,14,-,ACGT,1.5\n1,b,chr2,20,24,+,TTTT,2.5\n"
    labelled = read(tmp_path, text)
    assert labelled.sequences.ids == ("a", "b")
    assert labelled.sequences.regions == (Region("chr1", 10, 14, "-"), Region("chr2", 20, 24, "+"))
    assert labelled.outputs == ("y",)


def test_places_that_do_not_span_the_sequence_are_none(tmp_path: Path) -> None:
    text = "chrom,start,end,seq,y\nchr1,11,14,ACGT,1.5\nchr1,10,14,ACGT,1.5\nchr1,?,14,ACGT,2\nchr1,,,ACGT,2\n"
    assert read(tmp_path, text).sequences.regions == (None, Region("chr1", 10, 14), None, None)


def test_a_chromosome_is_a_name_also_where_another_row_has_none(tmp_path: Path) -> None:
    text = "chrom,start,end,seq,y\n1,0,4,ACGT,1\n,0,4,ACGA,1\n2,0,4,ACGC,1\n"
    assert read(tmp_path, text).sequences.regions == (Region("1", 0, 4), None, Region("2", 0, 4))


def test_names_with_coordinates_give_places(tmp_path: Path) -> None:
    assert read(tmp_path, "id,seq,y\nchr1:10-14(-),ACGT,1\n").sequences.regions == (Region("chr1", 10, 14, "-"),)


def test_what_is_dropped_takes_its_values_along(tmp_path: Path) -> None:
    text = "id,seq,y\na,ACGT,1\nb,,2\nc,ACGTA,3\nc,RCGT,4\nd,AAAA,5\n"
    labelled = read(tmp_path, text, length=4, fit="drop", ambiguous="drop")
    assert labelled.sequences.ids == ("a", "d")
    assert labelled.values[:, 0].tolist() == [1, 5]
    assert {drop.id: drop.reason for drop in labelled.sequences.dropped} == {
        "b": "the sequence is empty",
        "c": "is 5 bp long, not 4",
        "c#2": "holds 1 IUPAC code",
    }
    assert labelled.sequences.notes == ("1 id had come before and got a number (#2, #3, ...)",)


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("a,b\nACGT,CCCC\n", {}, r"one column of t.csv must hold DNA, but 2 do \(a, b\): name it with --sequences"),
        ("a,b\nxyz,1\n", {}, r"must hold DNA, but none does.*the columns are a, b"),
        ("seq,y,z\nACGT,1,2\n", {}, r"must hold the values, but 2 do \(y, z\): name one or more with --values"),
        ("seq,y\nACGT,high\n", {}, r"must hold the values, but none does"),
        ("seq,y\nACGT,1\nACGT,high\n", {"values": ("y",)}, r"'y' of t.csv must hold numbers, got 'high' in row 2"),
        ("seq,y\nACGT,1\n", {"values": ("z",)}, r"t.csv has no column 'z': its columns are seq, y"),
        ("seq,y\nACGT,1\n", {"sequences": "dna"}, r"t.csv has no column 'dna'"),
        ("seq,y\nACGT,1\nACGT,\n", {}, r"finite values, got nan as 'y' of 'seq1', and 0 more such"),
        ("seq,y\nACGT,1\nACGT,1e39\n", {}, r"finite values, got inf as 'y' of 'seq1'"),
        ("seq,y\nACGT,1\nMKLV!,1\n", {}, r"sequences must be DNA or RNA.*'L' at position 3.*'seq1'"),
        ("seq,y\nACGT,1\nACGTA,1\n", {}, r"sequences must share one length|got 1 of 4 bp and 1 of 5 bp"),
        ("seq,y\n", {}, r"must hold the values|must leave at least one sequence"),
        ("", {}, r"must be a table with a first line that names its columns, but cannot be read"),
    ],
)
def test_a_table_that_does_not_say_enough_is_refused(text: str, options: dict, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(CislensError, match=sentence):
        read(tmp_path, text, **options)


def test_a_binary_task_that_is_stated_must_have_such_values(tmp_path: Path) -> None:
    labelled = read(tmp_path, "seq,y\nACGT,1\nTTTT,0.5\n")
    with pytest.raises(CislensError, match=r"must be 0 or 1, got 0.5 for 'seq1': say --task regression"):
        labelled.task("binary")
