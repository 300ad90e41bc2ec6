"""Motifs read from TRANSFAC's format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cislens.errors import ReportError
from cislens.motif_files import read_motifs
from cislens.motif_files.transfac import read_transfac

FILE = """VV  TRANSFAC MATRIX TABLE, Release 9.9
XX
//
AC  M00001
XX
ID  V$MYOD_01
XX
NA  MyoD
P0      A      C      G      T
01      1      2      2      0      S
02      2      1      2      0      R
03      3      0      1      1      A
XX
BA  5 functional elements
//
AC  M00002
ID  second
PO\tT\tG\tC\tA
1\t0.5\t0\t1.25\t3
2\t4\t0\t0.75\t0
//
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_entries_are_read_with_their_ids_names_and_order_of_bases(tmp_path: Path) -> None:
    first, second = read_motifs(written(tmp_path / "m.transfac", FILE))
    assert (first.id, first.name, first.kind) == ("M00001", "MyoD", "counts")
    assert (second.id, second.name) == ("M00002", "second")
    assert first.matrix.tolist() == [[1, 2, 2, 0], [2, 1, 2, 0], [3, 0, 1, 1]]
    assert first.matrix.dtype.kind == "i"
    assert second.matrix.tolist() == [[3, 1.25, 0, 0.5], [0, 0.75, 0, 4]]


@given(
    st.lists(st.lists(st.integers(0, 10**6), min_size=4, max_size=4), min_size=1, max_size=20),
    st.permutations("ACGT"),
    st.sampled_from(["P0", "PO"]),
)
def test_counts_come_back_whatever_the_order_of_bases(rows: list[list[int]], order: list[str], head: str) -> None:
    lines = [f"ID x y\n{head} " + " ".join(order)]
    for place, row in enumerate(rows, 1):
        lines.append(f"{place:02d} " + " ".join(str(row["ACGT".index(base)]) for base in order) + " N")
    (motif,) = read_transfac("\n".join(lines), "m")  # the last entry may lack its '//'
    np.testing.assert_array_equal(motif.matrix, rows)
    assert (motif.id, motif.name) == ("x_y", "x y")


@pytest.mark.parametrize(
    "matrix", ["P0 A C G\n01 1 2 3", "P0 A C G T\n01 1 2 3", "P0 A C G T\n01 1 2 x 3", "P0 A C G T\nXX"]
)
def test_a_broken_matrix_is_refused_by_the_name_of_its_motif(tmp_path: Path, matrix: str) -> None:
    path = written(tmp_path / "m.txt", FILE + f"AC M3\n{matrix}\n//\n")
    with pytest.raises(ReportError, match=r"motif 'M3' of m.txt must have numbered rows"):
        read_motifs(path)


@pytest.mark.parametrize("text", ["", "hello\n", "AC M1\nID without a matrix\n//\n"])
def test_what_is_no_file_of_motifs_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ReportError, match=r"must begin with 'MEME version' \(MEME\), '>' \(JASPAR\) or"):
        read_motifs(written(tmp_path / "m.txt", text))
