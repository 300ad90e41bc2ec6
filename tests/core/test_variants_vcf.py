from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cislens.errors import SequenceError
from cislens.sequences.files import is_bgzipped
from cislens.variants.bgzf import BLOCK, BgzfWriter
from cislens.variants.vcf import COLUMNS, Record, open_vcf

HEADER = "##fileformat=VCFv4.3\n" + "\t".join(COLUMNS) + "\n"
# What a column may hold: anything but what separates columns and lines.
TEXTS = st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs"]), min_size=1, max_size=8)
ALLELES = st.text("ACGTacgtN", min_size=1, max_size=6) | st.sampled_from(["<DEL>", "*", ".", "G]17:198982]"])
RECORDS = st.tuples(
    TEXTS.filter(lambda text: not text.startswith("#")),
    st.integers(0, 2**31 - 1).map(str),
    TEXTS,
    ALLELES,
    st.lists(ALLELES, min_size=1, max_size=3).map(",".join),
    TEXTS,
    TEXTS,
    TEXTS,
)


@settings(max_examples=60, deadline=None)
@given(records=st.lists(RECORDS, max_size=5), ending=st.sampled_from(["\n", "\r\n"]))
def test_every_column_of_every_record_is_read_as_it_was_written(tmp_path_factory, records, ending) -> None:
    path = tmp_path_factory.mktemp("vcf") / "a.vcf"
    lines = HEADER.splitlines() + ["\t".join(record) for record in records]
    path.write_bytes("".join(line + ending for line in lines).encode())
    with open_vcf(path) as vcf:
        assert list(vcf.header) == HEADER.splitlines()
        assert [record.fields for record in vcf.records] == records


@pytest.mark.parametrize("packed", [gzip.compress, "bgzf"])
def test_packed_files_are_read_like_plain_ones(tmp_path, packed) -> None:
    text = (HEADER + "".join(f"1\t{i}\t.\tA\tC\t.\t.\t.\n" for i in range(1, 9000))).encode()
    path = tmp_path / "a.vcf.gz"
    if packed == "bgzf":
        writer = BgzfWriter(path)
        writer.write(text)
        writer.close()
        assert is_bgzipped(path)
        assert len(text) > 2 * BLOCK
        assert gzip.decompress(path.read_bytes()) == text
    else:
        path.write_bytes(packed(text))
    with open_vcf(path) as vcf:
        assert [record.position for record in vcf.records] == list(range(1, 9000))


def test_bytes_that_are_no_text_survive(tmp_path) -> None:
    path = tmp_path / "a.vcf"
    path.write_bytes(HEADER.encode() + b"1\t1\t\xff\xfe\tA\tC\t.\t.\t.\n")
    with open_vcf(path) as vcf:
        (record,) = vcf.records
    assert record.id.encode("utf-8", "surrogateescape") == b"\xff\xfe"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a VCF file must have a line of column names"),
        ("1\t1\t.\tA\tC\t.\t.\t.\n", "a VCF file must have a line of column names"),
        (HEADER.replace("\t", " "), "separated by tabs"),
        (HEADER + "1\t1\t.\tA\tC\n", "8 columns as its header has.*line 3"),
        (HEADER + "1\tx\t.\tA\tC\t.\t.\t.\n", "the second a whole number.*line 3"),
        (HEADER + "1\t1\t.\t\tC\t.\t.\t.\n", "line 3"),
    ],
)
def test_what_is_no_vcf_is_told_with_its_line(tmp_path, text, sentence) -> None:
    path = tmp_path / "a.vcf"
    path.write_text(text)
    with pytest.raises(SequenceError, match=sentence), open_vcf(path) as vcf:
        list(vcf.records)


def test_a_cut_off_gzip_file_is_told(tmp_path) -> None:
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(gzip.compress((HEADER + "1\t1\t.\tA\tC\t.\t.\t.\n" * 999).encode())[:-30])
    with pytest.raises(SequenceError, match="must be a whole gzip file"), open_vcf(path) as vcf:
        list(vcf.records)


def test_entries_of_info_are_shared_out_among_alleles() -> None:
    record = Record(("1", "5", ".", "A", "C,G", ".", ".", "ONE=7;EACH=1,2;REF=0,3,4;NONE=.;FLAG;ODD=1,2,3,4"))
    assert [record.of_allele("ONE", i) for i in (0, 1)] == ["7", "7"]
    assert [record.of_allele("EACH", i) for i in (0, 1)] == ["1", "2"]
    assert [record.of_allele("REF", i) for i in (0, 1)] == ["3", "4"]
    assert record.of_allele("NONE", 0) is None
    assert record.of_allele("FLAG", 0) is None
    assert record.of_allele("ABSENT", 0) is None
    with pytest.raises(SequenceError, match="INFO/ODD must hold one value, or one for each of 2"):
        record.of_allele("ODD", 0)


def test_an_info_of_a_dot_holds_nothing() -> None:
    assert Record(("1", "5", ".", "A", "C", ".", ".", ".")).info == {}
