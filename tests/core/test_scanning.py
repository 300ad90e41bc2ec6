"""Sequences scanned for motifs."""

from __future__ import annotations

import numpy as np
import pytest

from cislens import Motif, MotifReport, Sequences
from cislens.databases import Scan, scanned
from cislens.derivation import derive
from cislens.errors import CislensError

BASES = {base: place for place, base in enumerate("ACGT")}


def motif_of(consensus: str, name: str = "m", share: float = 0.97) -> Motif:
    matrix = np.full((len(consensus), 4), (1 - share) / 3)
    matrix[np.arange(len(consensus)), [BASES[base] for base in consensus]] = share
    return Motif(name, matrix)


def random_sequences(n: int, length: int, seed: int = 0) -> Sequences:
    rng = np.random.default_rng(seed)
    return Sequences(np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (n, length))], tuple(f"s{i}" for i in range(n)))


def planted(sequences: Sequences, row: int, start: int, site: str) -> None:
    sequences.onehot[row, start : start + len(site)] = np.eye(4, dtype=np.uint8)[[BASES[base] for base in site]]


def test_hits_are_those_of_memelite_called_directly() -> None:
    from memelite import fimo

    sequences = random_sequences(40, 300)
    motifs = [motif_of("TGACGTCATT", "one"), motif_of("GATAAGAGTC", "two", 0.8)]
    came = scanned(motifs, sequences, 1e-3)
    expected = fimo(
        {m.id: m.matrix.T for m in motifs}, sequences.onehot.transpose(0, 2, 1).astype(np.int8), threshold=1e-3
    )
    rows = {
        (name, f"s{h['sequence_name']}", h["start"], h["end"], h["strand"], h["score"], h["p-value"])
        for name, hits in zip(("one", "two"), expected, strict=True)
        for h in hits.to_dict("records")
    }
    assert len(came) >= 20
    assert set(came.itertuples(index=False, name=None)) <= rows


def test_planted_sites_are_found_on_their_strand_and_place() -> None:
    sequences = random_sequences(3, 120)
    planted(sequences, 0, 0, "TGACCTCATTG")
    planted(sequences, 2, 109, "CAATGAGGTCA")
    table = scanned([motif_of("TGACCTCATTG")], sequences, 1e-6)
    assert table[["sequence", "start", "end", "strand"]].values.tolist() == [["s0", 0, 11, "+"], ["s2", 109, 120, "-"]]
    assert (table["p_value"] <= 1e-6).all()
    # Each base scores log2(0.97 / 0.25), but for memelite's pseudocount and bins of 0.1.
    np.testing.assert_allclose(table["score"], 11 * np.log2(0.97 / 0.25), atol=0.01)


def test_a_palindrome_is_one_instance_not_two() -> None:
    sequences = random_sequences(1, 60)
    planted(sequences, 0, 20, "CATGACGTCATG")
    table = scanned([motif_of("CATGACGTCATG")], sequences, 1e-5)
    assert table[["start", "end"]].values.tolist() == [[20, 32]]
    assert table["strand"].tolist() == ["+"]


def test_n_counts_for_nothing() -> None:
    sequences = random_sequences(1, 60)
    planted(sequences, 0, 20, "TGACCTCATTG")
    (whole,) = scanned([motif_of("TGACCTCATTG")], sequences, 1e-5)["score"]
    sequences.onehot[0, 24] = 0
    (less,) = scanned([motif_of("TGACCTCATTG")], sequences, 1e-5)["score"]
    assert less == pytest.approx(whole * 10 / 11, rel=1e-4)


def test_motifs_wider_than_the_sequences_match_nothing() -> None:
    table = derive(MotifReport(random_sequences(2, 8), motifs=(motif_of("TGACCTCATTG"),)), Scan()).instances
    assert list(table.columns) == ["motif", "sequence", "start", "end", "strand", "score", "p_value"]
    assert not len(table)


def test_an_empty_result_says_what_was_looked_for_and_is_kept(tmp_path) -> None:
    report = derive(MotifReport(random_sequences(2, 40), motifs=(motif_of("TGA"),)), Scan(p_value=1e-5))
    assert any("none of 1 motifs matches in 2 sequences" in warning for warning in report.validity.warnings)
    report.save(tmp_path / "r.zarr")
    assert not len(MotifReport.load(tmp_path / "r.zarr").instances)


def test_instances_are_kept_in_a_store(tmp_path) -> None:
    report = derive(MotifReport(random_sequences(20, 200), motifs=(motif_of("TGACGT"),)), Scan(p_value=1e-3))
    assert len(report.instances)
    report.save(tmp_path / "r.zarr")
    assert MotifReport.load(tmp_path / "r.zarr").instances.to_dict("list") == report.instances.to_dict("list")


@pytest.mark.parametrize("p_value", [0.0, 1.0])
def test_a_threshold_that_says_nothing_is_refused(p_value: float) -> None:
    with pytest.raises(CislensError, match="p_value between 0 and 1"):
        Scan(p_value=p_value)
