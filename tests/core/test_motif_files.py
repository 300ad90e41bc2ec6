"""Files of motifs: what is written reads back, what other tools write is read, and mistakes are told by their motif."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cislens.errors import ReportError
from cislens.motif import UNIFORM, Motif
from cislens.motif_files import read_motifs, write_motifs
from cislens.motif_files.jaspar import read_jaspar, write_jaspar
from cislens.motif_files.meme import read_meme, write_meme
from cislens.sequences.codes import codes_of, complemented, letters_of, onehot_of

MEME = """MEME version 5.5.2 (Release date: Sun Jan 29 10:33:12 2023 -0800)

ALPHABET= ACGT

strands: + -

Background letter frequencies (from file `bg.txt'):
A 0.30000 C 0.20000 G 0.20000 T 0.30000

MOTIF MA0139.1 CTCF
letter-probability matrix: alength= 4 w= 2 nsites= 915 E= 1.7e-023
  0.100000\t  0.200000\t  0.300000\t  0.400000
  1.000000\t  0.000000\t  0.000000\t  0.000000

URL http://jaspar.genereg.net/matrix/MA0139.1

MOTIF\t2-GGAAR\tSTREME-2 of a run
log-odds matrix: alength= 4 w= 1 E= 0
 12 -30 4 0
letter-probability matrix: alength= 4 w= 1 nsites= 1.5e2 E= 0
 0.25 0.25 0.25 0.25
--------------------------------------------------------------------------------
Time 3.2 secs.
"""

HALF = 5e-7 + 1e-12  # of the sixth decimal, and what doubles add to it
identifiers = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:()-]{0,11}", fullmatch=True)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:() -]{0,11}[A-Za-z0-9)]", fullmatch=True)


@st.composite
def motifs(draw: Any, kind: str) -> tuple[Motif, ...]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    made = []
    for i, identifier in enumerate(draw(st.lists(identifiers, min_size=1, max_size=3, unique=True))):
        width = draw(st.integers(1, 12))
        counts = rng.integers(0, 5000, (width, 4)) + 1
        name = draw(st.one_of(st.just(""), names))
        if kind == "counts":
            matrix = counts if i % 2 else counts + np.round(rng.random((width, 4)), 6)
            made.append(Motif(identifier, matrix, "counts", name=name))
        else:
            sites = draw(st.one_of(st.none(), st.integers(1, 10_000)))
            made.append(Motif(identifier, counts / counts.sum(1, keepdims=True), name=name, sites=sites))
    return tuple(made)


@given(motifs("counts"))
def test_counts_read_back_from_jaspar_as_they_were(made: tuple[Motif, ...]) -> None:
    back = read_jaspar(write_jaspar(made), "file")
    assert [(motif.id, motif.name, motif.kind) for motif in back] == [(m.id, m.name, "counts") for m in made]
    for one, two in zip(made, back, strict=True):
        np.testing.assert_allclose(two.matrix, one.matrix, atol=HALF, rtol=0)
        assert np.issubdtype(two.matrix.dtype, np.integer) == bool((one.matrix == one.matrix.round()).all())


@given(motifs("probabilities"))
def test_probabilities_read_back_from_meme_to_six_decimals(made: tuple[Motif, ...]) -> None:
    back = read_meme(write_meme(made), "file")
    assert [(m.id, m.name, m.sites, m.background) for m in back] == [(m.id, m.name, m.sites, UNIFORM) for m in made]
    for one, two in zip(made, back, strict=True):
        np.testing.assert_allclose(two.matrix, one.matrix, atol=HALF, rtol=0)


@pytest.mark.parametrize("suffix", [".meme", ".txt", ".jaspar", ".pfm", ".MEME"])
def test_the_suffix_says_what_is_written_and_the_first_letters_what_is_read(suffix: str, tmp_path: Path) -> None:
    counts = Motif("a", np.array([[1, 2, 3, 4], [0, 0, 0, 9]]), "counts")
    write_motifs([counts], tmp_path / f"motifs{suffix}")
    (tmp_path / f"motifs{suffix}").rename(tmp_path / "motifs.other")
    (back,) = read_motifs(tmp_path / "motifs.other")
    assert back.kind == ("counts" if suffix in (".jaspar", ".pfm") else "probabilities")
    np.testing.assert_allclose(back.probabilities(), counts.probabilities(), atol=1e-6)
    if back.kind == "probabilities":
        assert back.sites == 10


def test_meme_keeps_one_background_and_states_the_uniform_one_where_they_differ() -> None:
    rich, plain = (0.1, 0.4, 0.4, 0.1), Motif("b", np.eye(4))
    one = Motif("a", np.eye(4), background=rich)
    assert read_meme(write_meme([one, Motif("c", np.eye(4), background=rich)]), "file")[1].background == rich
    assert {motif.background for motif in read_meme(write_meme([one, plain]), "file")} == {UNIFORM}


def test_meme_files_of_other_tools_are_read() -> None:
    ctcf, streme = read_meme(MEME, "file")
    assert (ctcf.id, ctcf.name, ctcf.sites) == ("MA0139.1", "CTCF", 915)
    assert ctcf.background == (0.3, 0.2, 0.2, 0.3)
    np.testing.assert_array_equal(ctcf.matrix, [[0.1, 0.2, 0.3, 0.4], [1, 0, 0, 0]])
    assert (streme.id, streme.name, streme.sites, len(streme)) == ("2-GGAAR", "STREME-2 of a run", 150, 1)


def test_a_stated_alphabet_of_dna_is_read_and_one_of_proteins_refused() -> None:
    stated = 'ALPHABET "DNA" DNA-LIKE\nA "Adenine" CC0000 ~ T "Thymine" 008000\nEND ALPHABET'
    assert len(read_meme(MEME.replace("ALPHABET= ACGT", stated), "file")) == 2
    assert len(read_meme(MEME.replace("ALPHABET= ACGT\n", ""), "file")) == 2
    for other in ("ALPHABET= ACDEFGHIKLMNPQRSTVWY", "ALPHABET= ACGU", 'ALPHABET "Protein" PROTEIN-LIKE'):
        with pytest.raises(ReportError, match="the motifs of file must be of the alphabet ACGT"):
            read_meme(MEME.replace("ALPHABET= ACGT", other), "file")


@pytest.mark.parametrize(
    "text",
    [
        ">MA1.1\tARNT::HIF1A (var.2)\nA  [ 1  20 ]\nC  [3 4]\nG\t[ 5\t6 ]\nT [  7 8.5 ]\n",
        ">MA1.1 ARNT::HIF1A (var.2)\r\nA [1 20]\r\nC [3 4]\r\nG [5 6]\r\nT [7 8.5]\r\n",
        "\n>MA1.1\tARNT::HIF1A (var.2)\n\nT [7 8.5]\nG [5 6]\nC [3 4]\nA [1 20]\n\n",
    ],
)
def test_jaspar_files_of_other_tools_are_read(text: str) -> None:
    (motif,) = read_jaspar(text, "file")
    assert (motif.id, motif.name) == ("MA1.1", "ARNT::HIF1A (var.2)")
    np.testing.assert_array_equal(motif.matrix, [[1, 3, 5, 7], [20, 4, 6, 8.5]])


@pytest.mark.parametrize(
    "rows",
    [
        "A [ 1 2 ]\nC [ 3 ]\nG [ 5 6 ]\nT [ 7 8 ]",
        "A [ 1 2 ]\nC [ 3 4 ]\nG [ 5 6 ]",
        "A [ 1 x ]\nC [ 3 4 ]\nG [ 5 6 ]\nT [ 7 8 ]",
        "1 2\n3 4\n5 6\n7 8",
    ],
)
def test_a_jaspar_motif_without_its_four_rows_is_told_by_its_name(rows: str) -> None:
    with pytest.raises(ReportError, match=r"motif 'bad' of file must have a row"):
        read_jaspar(f">good\nA [1]\nC [1]\nG [1]\nT [1]\n>bad\n{rows}\n", "file")


def test_negative_counts_are_told_by_their_motif() -> None:
    with pytest.raises(ReportError, match="counts of motif 'bad' must not be negative"):
        read_jaspar(">bad\nA [-1]\nC [1]\nG [1]\nT [1]\n", "file")


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("letter-probability matrix: alength= 4 w= 1\n0.5 0.5 0", "motif 'bad' of file must have a letter-probability"),
        ("letter-probability matrix: alength= 4 w= 1\n", "motif 'bad' of file must have a letter-probability"),
        ("0.25 0.25 0.25 0.25", "motif 'bad' of file must have a letter-probability"),
        ("letter-probability matrix:\n0.5 0.5 0.5 0.5", "probabilities of motif 'bad' must sum to 1"),
        ("letter-probability matrix:\n1.5 -0.5 0 0", "probabilities of motif 'bad' must not be negative"),
    ],
)
def test_a_meme_motif_without_its_matrix_is_told_by_its_name(rows: str, complaint: str) -> None:
    with pytest.raises(ReportError, match=complaint):
        read_meme(f"{MEME}\nMOTIF bad\n{rows}\n", "file")


def test_what_a_format_cannot_say_is_refused(tmp_path: Path) -> None:
    contributions = Motif("c", np.eye(4), "contributions")
    with pytest.raises(ReportError, match="motif 'c' holds contributions"):
        write_motifs([contributions], tmp_path / "a.meme")
    with pytest.raises(ReportError, match="JASPAR's format holds counts, but motif 'p' holds probabilities"):
        write_motifs([Motif("p", np.eye(4))], tmp_path / "a.jaspar")
    with pytest.raises(ReportError, match=r"got a\.csv"):
        write_motifs([Motif("p", np.eye(4))], tmp_path / "a.csv")
    with pytest.raises(ReportError, match="one word, got 'two words'"):
        write_motifs([Motif("two words", np.eye(4))], tmp_path / "a.meme")
    assert not list(tmp_path.iterdir())


def test_what_is_no_file_of_motifs_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="can be read"):
        read_motifs(tmp_path / "absent.meme")
    (tmp_path / "a.meme").write_bytes(b"\x89HDF\xff")
    with pytest.raises(ReportError, match="can be read"):
        read_motifs(tmp_path / "a.meme")
    (tmp_path / "a.meme").write_text("id,A,C,G,T\n")
    with pytest.raises(ReportError, match=r"must begin with 'MEME version'.*got 'id,A,C,G,T"):
        read_motifs(tmp_path / "a.meme")


@pytest.mark.real
def test_the_motifs_of_explainn_s_published_filters_are_read(real_data: Path) -> None:
    path = real_data / "checkpoints" / "explainn_remap" / "explainn_filters.meme"
    found = read_motifs(path)
    assert len(found) == path.read_text().count("\nMOTIF")
    assert all(motif.kind == "probabilities" for motif in found)
    np.testing.assert_allclose(np.concatenate([motif.matrix for motif in found]).sum(1), 1, atol=1e-3)


# ---- windows of motifs, and bases as numbers ----------------------------------------------------------------


def test_a_window_of_a_motif_is_its_columns() -> None:
    motif = Motif("a", np.eye(4), name="long")
    assert motif.window(1, 3).matrix.tolist() == np.eye(4)[1:3].tolist()
    assert motif.window(1, 3).name == "long"
    for start, end in [(-1, 2), (2, 2), (3, 5), (3, 1)]:
        with pytest.raises(ReportError, match=f"columns of motif 'a' must lie in 0 to 4, got {start} to {end}"):
            motif.window(start, end)


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_the_core_of_a_motif_is_the_window_with_most_information(seed: int, width: int) -> None:
    motif = Motif("a", np.random.default_rng(seed).dirichlet([0.3] * 4, 10))
    bits = motif.information()
    best = max(sum(bits[s : s + width]) for s in range(max(10 - width, 0) + 1))
    core = motif.core(width)
    assert len(core) == min(width, 10)
    assert core.information().sum() == pytest.approx(best)


def test_a_core_without_a_column_is_refused() -> None:
    with pytest.raises(ReportError, match="one column wide at least, got 0"):
        Motif("a", np.eye(4)).core(0)


@given(st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), max_size=4))
def test_codes_letters_and_one_hot_rows_say_the_same(rows: list[list[int]]) -> None:
    codes = np.array(rows, np.uint8).reshape(-1, 5)
    onehot = onehot_of(codes)
    np.testing.assert_array_equal(onehot, np.eye(4, dtype=np.uint8)[codes])
    np.testing.assert_array_equal(codes_of(onehot), codes)
    np.testing.assert_array_equal(onehot_of(complemented(codes)), onehot[:, ::-1, ::-1])
    assert [row.tobytes().decode() for row in letters_of(codes)] == ["".join("ACGT"[i] for i in row) for row in codes]
