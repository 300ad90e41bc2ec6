"""What other tools are given is what the report holds, read back by readers of their own."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cislens.errors import PluginError, ReportError
from cislens.exchange import export
from cislens.motif import Motif
from cislens.report import Attributions, Masks, MotifReport, Provenance, Validity
from cislens.report.store import ReportStore
from cislens.sequences import Region, Sequences, read_sequences

RNG = np.random.default_rng(3)
LENGTH, GENOME_LENGTH = 20, 200
COMPLEMENT = str.maketrans("ACGT", "TGCA")


@pytest.fixture
def genome() -> str:
    """One chromosome, chr1."""
    return "".join(RNG.choice(list("ACGT"), GENOME_LENGTH))


@pytest.fixture
def report(genome) -> MotifReport:
    """Two targets on four sequences: plus, minus, overlapping plus, and one without a place."""
    regions = (Region("chr1", 30, 50), Region("chr1", 100, 120, "-"), Region("chr1", 40, 60, "+"), None)
    texts = [genome[30:50], genome[100:120].translate(COMPLEMENT)[::-1], genome[40:60], "ACGT" * 5]
    sequences = replace(Sequences.from_strings(texts, ["a", "b", "c", "d"]), regions=regions)
    rows = [
        ("m1", "a", 2, 7, "+", 5.0, 1e-5),
        ("m2", "b", 0, 4, "+", 10.0, 1e-6),
        ("m1", "b", 11, 16, "-", 2.5, 1e-4),
        ("m2", "d", 0, 4, "+", 1.0, 1e-3),
        ("m2", "c", 3, 7, ".", -1.0, 1e-3),
    ]
    columns = ["motif", "sequence", "start", "end", "strand", "score", "p_value"]
    counts = Motif.from_windows("m1", sequences.onehot[:, :5])
    return MotifReport(
        sequences,
        attributions=Attributions(RNG.normal(size=(2, 4, LENGTH, 4)).astype(np.float32)),
        motifs=(counts, replace(Motif.from_windows("m2", sequences.onehot[:, 3:7]), name="second")),
        instances=pd.DataFrame(rows, columns=columns),
        provenance=Provenance("ism", targets=({"target": "Dev"}, {"target": "head/Hk:mean"})),
    )


@pytest.fixture(params=["in memory", "in a store"])
def held(request, report, tmp_path):
    """The report itself, and the reader of a store that holds it."""
    if request.param == "in memory":
        return report
    report.save(tmp_path / "r.zarr")
    return ReportStore.open(tmp_path / "r.zarr").reader("report")


def bed(path) -> pd.DataFrame:
    lines = path.read_text().splitlines()
    table = pd.read_csv(io.StringIO("\n".join(lines[1:])), sep="\t", header=None)
    return table.set_axis(lines[0].removeprefix("#").split("\t"), axis=1)


def test_the_bases_under_an_instance_in_bed_are_those_of_the_sequence_where_it_was_called(held, genome, tmp_path):
    exported = export(held, "bed", tmp_path / "i.bed")
    table = bed(tmp_path / "i.bed")
    texts = {"a": genome[30:50], "b": genome[100:120].translate(COMPLEMENT)[::-1], "c": genome[40:60]}
    called = {("m1", "a"): (2, 7), ("m2", "b"): (0, 4), ("m1", "b"): (11, 16), ("m2", "c"): (3, 7)}
    for row in table.itertuples():
        there = genome[row.start : row.end]
        if row.sequence == "b":
            there = there.translate(COMPLEMENT)[::-1]
        start, end = called[row.name, row.sequence]
        assert there == texts[row.sequence][start:end]
    strands = {(row.name, row.sequence): row.strand for row in table.itertuples()}
    assert strands == {("m1", "a"): "+", ("m2", "b"): "-", ("m1", "b"): "+", ("m2", "c"): "."}
    assert exported.notes == ("1 sequence without coordinates left out", "1 instance of them left out")


def test_bed_is_sorted_and_its_score_is_a_whole_number_up_to_1000(report, tmp_path) -> None:
    export(report, "bed", tmp_path / "i.bed")
    table = bed(tmp_path / "i.bed")
    assert table["start"].is_monotonic_increasing
    assert dict(zip(table["value"], table["score"], strict=True)) == {5.0: 500, 10.0: 1000, 2.5: 250, -1.0: 0}
    assert list(table.columns[6:]) == ["sequence", "value", "p_value"]


def test_instances_without_a_genome_are_refused_as_bed_and_written_as_a_table(report, tmp_path) -> None:
    nowhere = replace(report, sequences=replace(report.sequences, regions=()))
    with pytest.raises(ReportError, match=r"none of the 4 sequences has coordinates.* --tsv$"):
        export(nowhere, "bed", tmp_path / "i.bed")
    export(nowhere, "tsv", tmp_path / "i.tsv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "i.tsv", sep="\t"), report.instances)


def test_a_table_that_is_not_there_is_named(report, tmp_path) -> None:
    with pytest.raises(ReportError, match="holds no syntax, only instances"):
        export(report, "tsv:table=syntax", tmp_path / "s.tsv")


def test_coordinates_that_do_not_span_their_sequence_are_refused(report, tmp_path) -> None:
    odd = replace(report, sequences=replace(report.sequences, regions=(Region("chr1", 0, 30), None, None, None)))
    with pytest.raises(ReportError, match="span their sequence, 20 bp, got chr1:0-30 of a"):
        export(odd, "bed", tmp_path / "i.bed")


def test_motifs_in_meme_are_the_probabilities_under_the_ids_of_the_report(held, report, tmp_path) -> None:
    memelite = pytest.importorskip("memelite.io")
    export(held, "meme", tmp_path / "m.meme")
    read = memelite.read_meme(str(tmp_path / "m.meme"))
    assert [name.split()[0] for name in read] == ["m1", "m2"]
    for motif, matrix in zip(report.motifs, read.values(), strict=True):
        np.testing.assert_allclose(np.asarray(matrix).T, motif.probabilities(), atol=1e-6)


def test_motifs_in_jaspar_are_the_counts(held, report, tmp_path) -> None:
    from Bio import motifs

    export(held, "jaspar", tmp_path / "m.jaspar")
    with (tmp_path / "m.jaspar").open() as file:
        read = motifs.parse(file, "jaspar")
    assert [(motif.matrix_id, motif.name) for motif in read] == [("m1", "m1"), ("m2", "second")]
    for motif, found in zip(report.motifs, read, strict=True):
        np.testing.assert_allclose([[found.counts[b][i] for b in "ACGT"] for i in range(len(motif))], motif.matrix)


def test_the_sequences_in_fasta_are_read_back_with_their_ids(held, report, tmp_path) -> None:
    export(held, "fasta", tmp_path / "s.fa")
    read = read_sequences(tmp_path / "s.fa")
    assert read.ids == report.sequences.ids
    np.testing.assert_array_equal(read.onehot, report.sequences.onehot)
    assert ">b chr1:100-120(-)\n" in (tmp_path / "s.fa").read_text()


def test_npz_holds_the_hypothetical_maps_in_the_uniform_gauge_with_the_bases_before_the_positions(
    held, report, tmp_path
) -> None:
    exported = export(held, "modisco", tmp_path / "maps.npz")
    assert [path.name for path in exported.paths] == ["maps.ohe.npz", "maps.Dev.attr.npz", "maps.head_Hk_mean.attr.npz"]
    with np.load(exported.paths[0]) as file:
        np.testing.assert_array_equal(file["arr_0"].transpose(0, 2, 1), report.sequences.onehot)
        assert file["ids"].tolist() == ["a", "b", "c", "d"]
    values = report.attributions.values
    for target in range(2):
        with np.load(exported.paths[1 + target]) as file:
            wanted = values[target] - values[target].mean(-1, keepdims=True)
            np.testing.assert_allclose(file["arr_0"].transpose(0, 2, 1), wanted, atol=1e-6)
            assert (str(file["gauge"]), str(file["target"])) == ("uniform", report.targets[target])


def test_maps_are_given_as_they_are_where_that_is_asked_for(report, tmp_path) -> None:
    exported = export(report, "modisco:gauge=own", tmp_path / "maps.npz")
    with np.load(exported.paths[1]) as file:
        np.testing.assert_array_equal(file["arr_0"].transpose(0, 2, 1), report.attributions.values[0])


def test_maps_of_own_bases_alone_are_zero_elsewhere_and_it_is_said(report, tmp_path) -> None:
    onehot = report.sequences.onehot
    shares = Attributions((report.attributions.values * onehot)[:1], hypothetical=False)
    exported = export(replace(report, attributions=shares), "modisco", tmp_path / "maps.npz")
    with np.load(exported.paths[1]) as file:
        np.testing.assert_allclose(file["arr_0"].transpose(0, 2, 1), shares.values[0], atol=1e-6)
    assert "zero for every other base" in exported.notes[0]


def test_a_report_without_what_a_file_holds_says_what_it_holds(report, tmp_path) -> None:
    bare = MotifReport(report.sequences, masks=Masks(np.ones((1, 4, LENGTH)), "sufficient"))
    with pytest.raises(ReportError, match="meme is written from motifs, but the report holds only masks"):
        export(bare, "meme", tmp_path / "m.meme")


def test_a_file_of_another_suffix_is_refused(report, tmp_path) -> None:
    with pytest.raises(ReportError, match=r"meme is written to a file named \*.meme or \*.txt, got m.jaspar"):
        export(report, "meme", tmp_path / "m.jaspar")


def test_an_unknown_exporter_lists_those_there_are(report, tmp_path) -> None:
    with pytest.raises(PluginError, match="no exporter is named 'mem': choose one of meme, jaspar, bed"):
        export(report, "mem", tmp_path / "m.meme")


def test_a_folder_that_is_not_there_is_one_sentence(report, tmp_path) -> None:
    with pytest.raises(ReportError, match="must be writable, got No such file or directory"):
        export(report, "meme", tmp_path / "nowhere" / "m.meme")


def test_a_file_that_fails_half_way_leaves_nothing(report, tmp_path) -> None:
    spaced = replace(report, motifs=(Motif("two words", np.eye(4)),))
    with pytest.raises(ReportError, match="one word"):
        export(spaced, "meme", tmp_path / "m.meme")
    assert list(tmp_path.iterdir()) == []


def test_what_is_derived_of_a_report_in_a_store_is_exported(report, tmp_path) -> None:
    store = ReportStore.open(tmp_path / "r.zarr", "a")
    replace(report, motifs=(), instances=None).save(tmp_path / "r.zarr")
    store.keep_derived("report", report)
    export(store.reader("report"), "bed", tmp_path / "i.bed")
    assert set(bed(tmp_path / "i.bed")["name"]) == {"m1", "m2"}


def test_a_run_that_is_not_finished_says_how_much_is_missing(report, tmp_path) -> None:
    bare = replace(report, motifs=(), instances=None, validity=Validity())
    bare.save(tmp_path / "r.zarr")
    marker = next((tmp_path / "r.zarr" / "reports" / "report" / "done").iterdir())
    marker.unlink()
    with pytest.raises(ReportError, match="must hold a finished block"):
        export(ReportStore.open(tmp_path / "r.zarr").reader("report"), "fasta", tmp_path / "s.fa")
