"""What other tools wrote is read as a report that says where it comes from."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from cislens.derivation import derive
from cislens.errors import CislensError, ReportError
from cislens.exchange import export, import_report
from cislens.report import Attributions, MotifReport, Provenance
from cislens.sequences import Region, Sequences
from cislens.testing.same_report import require_same_report

RNG = np.random.default_rng(11)
N, LENGTH, WINDOW = 6, 40, 30
ONEHOT = np.eye(4, dtype=np.uint8)[RNG.integers(0, 4, (N, LENGTH))]
MAPS = RNG.normal(size=(N, LENGTH, 4)).astype(np.float32)
PROGRAM = Path(sys.executable).parent / "modisco"


@pytest.fixture(scope="module")
def modisco():
    """The package of modisco, which is slow to import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own
        return pytest.importorskip("modiscolite")


def chrombpnet(path: Path) -> Path:
    """A file of contributions as ChromBPNet writes them, in half precision."""
    with h5py.File(path, "w") as file:
        file["raw/seq"] = ONEHOT.swapaxes(1, 2).astype(np.int8)
        file["shap/seq"] = MAPS.swapaxes(1, 2).astype(np.float16)
        file["projected_shap/seq"] = (ONEHOT * MAPS).swapaxes(1, 2).astype(np.float16)
    return path


def narrow_peaks(path: Path) -> Path:
    """Peaks with summits, one without: its window lies around its middle."""
    rows = [("chr1", 1000 * i, 1000 * i + 100, "p", 0, ".", 0, 0, 0, 30) for i in range(1, N)]
    rows.append(("chr2", 500, 540, ".", 0, ".", 0, 0, 0, -1))
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path


def test_chrombpnets_contributions_are_read_with_their_windows(tmp_path) -> None:
    bed = narrow_peaks(tmp_path / "peaks.bed")
    report = import_report(chrombpnet(tmp_path / "c.h5"), f"chrombpnet:regions={bed},target=counts")
    np.testing.assert_array_equal(report.sequences.onehot, ONEHOT)
    np.testing.assert_array_equal(report.attributions.values[0], MAPS.astype(np.float16).astype(np.float32))
    assert report.sequences.regions[0] == Region("chr1", 1030 - 20, 1030 + 20)
    assert report.sequences.regions[-1] == Region("chr2", 500, 540)
    assert report.sequences.ids[-1] == "chr2:500-540"
    assert (report.attributions.gauge, report.attributions.hypothetical) == ("reference", True)


def test_the_provenance_of_an_import_names_the_file_and_what_its_numbers_are(tmp_path) -> None:
    report = import_report(chrombpnet(tmp_path / "c.h5"), "chrombpnet:target=counts")
    made = report.provenance
    assert made.explainer == "imported as chrombpnet"
    assert made.settings["file"] == "c.h5"
    assert len(made.settings["sha256"]) == 64
    assert (made.settings["gauge"], made.settings["hypothetical"]) == ("reference", True)
    assert report.targets == ("counts",)


def test_contributions_packed_with_blosc_are_read(tmp_path) -> None:
    hdf5plugin = pytest.importorskip("hdf5plugin")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("raw/seq", data=ONEHOT.swapaxes(1, 2), **hdf5plugin.Blosc())
        file.create_dataset("shap/seq", data=MAPS.swapaxes(1, 2), **hdf5plugin.Blosc())
    np.testing.assert_array_equal(import_report(tmp_path / "c.h5").attributions.values[0], MAPS)


def test_bpnets_contributions_are_read_with_their_own_coordinates(tmp_path) -> None:
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["input_seqs"], file["hyp_scores"] = ONEHOT, MAPS
        file["coords_chrom"] = [b"chr7"] * N
        file["coords_start"], file["coords_end"] = np.arange(N) * 100, np.arange(N) * 100 + LENGTH
    report = import_report(tmp_path / "b.h5")
    np.testing.assert_array_equal(report.attributions.values[0], MAPS)
    assert report.sequences.regions[2] == Region("chr7", 200, 240)


def test_bases_that_the_genome_does_not_have_are_refused(tmp_path) -> None:
    bed = narrow_peaks(tmp_path / "peaks.bed")
    (tmp_path / "g.fa").write_text(f">chr1\n{'A' * 6000}\n>chr2\n{'A' * 6000}\n")
    with pytest.raises(ReportError, match="chr1:1010-1050 does not: the bases there are others"):
        import_report(chrombpnet(tmp_path / "c.h5"), f"chrombpnet:regions={bed},genome={tmp_path / 'g.fa'}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("chr1\t0\t40\n", "one a sequence, got 1 in .* for 6 sequences"),
        ("chr1\t0\t10\n" * N, "of 40 bp around line 1 of .* begins before chr1 does"),
        ("chr1 0 40\n" * N, "lines of chromosome, start and end, with whole numbers, got 'chr1 0 40' in line 1"),
    ],
)
def test_regions_that_do_not_fit_are_refused(text, reason, tmp_path) -> None:
    (tmp_path / "r.bed").write_text(text)
    with pytest.raises(ReportError, match=reason):
        import_report(chrombpnet(tmp_path / "c.h5"), f"chrombpnet:regions={tmp_path / 'r.bed'}")


def test_what_modisco_is_given_comes_back_as_it_was(tmp_path) -> None:
    regions = (*(Region("chr1", 100 * i, 100 * i + LENGTH, "+-"[i % 2]) for i in range(N - 1)), None)
    sequences = replace(Sequences.from_onehot(ONEHOT), regions=regions)
    maps = Attributions(np.stack([MAPS, -MAPS]), gauge="wild-type", unit="log2")
    targets = Provenance(targets=({"target": "Dev"}, {"target": "Hk"}))
    given = MotifReport(sequences, attributions=maps, provenance=targets)
    _, dev, hk = export(given, "modisco:gauge=own", tmp_path / "m.npz").paths
    for path, sign, target in ((dev, 1, "Dev"), (hk, -1, "Hk")):
        report = import_report(path)
        alone = replace(given, attributions=replace(maps, values=sign * MAPS[None]), provenance=report.provenance)
        require_same_report(report, alone, "what came back", exactly=True)
        assert report.sequences.regions == regions
        assert (report.targets, report.attributions.unit) == ((target,), "log2")
        assert report.provenance.settings["gauge"] == "wild-type"


def test_maps_of_own_bases_alone_are_recognised_and_it_is_said(tmp_path) -> None:
    np.savez(tmp_path / "a.ohe.npz", ONEHOT.swapaxes(1, 2))
    np.savez(tmp_path / "a.attr.npz", (ONEHOT * MAPS).swapaxes(1, 2))
    report = import_report(tmp_path / "a.attr.npz")
    assert not report.attributions.hypothetical
    assert report.attributions.gauge == "none"
    np.testing.assert_allclose(report.projected()[0], (ONEHOT * MAPS).sum(-1))
    assert report.validity.warnings == ("the contributions are of the sequences' own bases alone, not hypothetical",)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (MAPS[:3].swapaxes(1, 2), r"their sequences' shape, \(6, 4, 40\), got \(3, 4, 40\)"),
        (np.full((N, 4, LENGTH), np.nan), "finite numbers, got NaN or infinity"),
    ],
)
def test_contributions_that_do_not_fit_are_refused(values, reason, tmp_path) -> None:
    np.savez(tmp_path / "a.ohe.npz", ONEHOT.swapaxes(1, 2))
    np.savez(tmp_path / "a.attr.npz", values)
    with pytest.raises(ReportError, match=reason):
        import_report(tmp_path / "a.attr.npz")


def test_maps_without_sequences_beside_them_ask_for_the_file(tmp_path) -> None:
    np.savez(tmp_path / "a.attr.npz", MAPS.swapaxes(1, 2))
    with pytest.raises(ReportError, match=r"there is no a.ohe.npz beside a.attr.npz: say .*sequences=FILE"):
        import_report(tmp_path / "a.attr.npz")


def test_a_file_that_nothing_recognises_lists_what_is_read(tmp_path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["other"] = 1
    with pytest.raises(ReportError, match="got x.h5: say which with --as NAME, of modisco .*; modisco_npz .*; chrombp"):
        import_report(tmp_path / "x.h5")
    with pytest.raises(ReportError, match="contributions must be in shap/seq and raw/seq or .*, and .* holds other"):
        import_report(tmp_path / "x.h5", "chrombpnet")


@pytest.mark.parametrize("kind", [None, "named"])
@pytest.mark.parametrize(("file", "name"), [("x.h5", "chrombpnet"), ("x.h5", "modisco"), ("x.npz", "modisco_npz")])
def test_a_damaged_file_is_one_sentence(kind, file, name, tmp_path) -> None:
    for path in (tmp_path / file, tmp_path / "x.ohe.npz"):
        path.write_text("not what it says")
    with pytest.raises(CislensError, match=r"must be (whole|an array file)"):
        import_report(tmp_path / file, name if kind else None)


def test_a_file_of_sequences_is_not_taken_for_maps_of_itself(tmp_path) -> None:
    np.savez(tmp_path / "a.ohe.npz", ONEHOT.swapaxes(1, 2))
    with pytest.raises(ReportError, match="contributions need their sequences"):
        import_report(tmp_path / "a.ohe.npz")


UNPACKED = """
import importlib.util, sys
from cislens.errors import ReportError
from cislens.exchange import import_report
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "hdf5plugin" else found(name, *rest)
try:
    import_report(sys.argv[1], "chrombpnet")
except ReportError as error:
    print(error)
"""


def test_a_packing_that_cannot_be_read_here_names_what_reads_it(tmp_path) -> None:
    hdf5plugin = pytest.importorskip("hdf5plugin")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("raw/seq", data=ONEHOT.swapaxes(1, 2))
        file.create_dataset("shap/seq", data=MAPS.swapaxes(1, 2), **hdf5plugin.Blosc())
    command = [sys.executable, "-c", UNPACKED, str(tmp_path / "c.h5")]
    # Once imported, as here, it tells the processes that follow where its filters are.
    environment = {name: value for name, value in os.environ.items() if name != "HDF5_PLUGIN_PATH"}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.rstrip().endswith("pip install hdf5plugin")


@pytest.fixture
def results(modisco, tmp_path) -> Path:
    """Results written by modisco itself: two patterns of seqlets on both strands, in the middle of longer sequences."""
    core = modisco.core
    offset = (LENGTH - WINDOW) // 2
    onehot, maps = (part[:, offset : offset + WINDOW].astype(float) for part in (ONEHOT, MAPS))
    tracks = core.TrackSet(onehot, onehot * maps, maps)

    def pattern(seqlets):
        return core.SeqletSet(tracks.create_seqlets([core.Seqlet(*seqlet) for seqlet in seqlets]))

    positive = pattern([(0, 0, 8, False), (2, 5, 13, True), (5, 22, 30, False)])
    negative = pattern([(1, 3, 9, True), (4, 0, 6, False)])
    modisco.io.save_hdf5(str(tmp_path / "modisco.h5"), [positive], [negative], WINDOW)
    np.savez(tmp_path / "a.ohe.npz", ONEHOT.swapaxes(1, 2))
    np.savez(tmp_path / "a.attr.npz", MAPS.swapaxes(1, 2))
    return tmp_path / "modisco.h5"


def read_at(row, sequences: Sequences) -> np.ndarray:
    """The one-hot bases of an instance as they read on its strand."""
    bases = sequences.onehot[sequences.ids.index(row.sequence), row.start : row.end]
    return bases[::-1, ::-1] if row.strand == "-" else bases


@pytest.mark.parametrize("with_maps", [False, True], ids=["alone", "with its maps"])
def test_modiscos_seqlets_are_instances_and_its_motifs_their_mean_bases(results, with_maps) -> None:
    text = f"modisco:maps={results.parent / 'a.attr.npz'}" if with_maps else "modisco"
    report = import_report(results, text)
    assert [motif.id for motif in report.motifs] == ["pos_patterns.pattern_0", "neg_patterns.pattern_0"]
    assert report.sequences.length == (LENGTH if with_maps else WINDOW)
    for motif in report.motifs:
        rows = report.instances[report.instances["motif"] == motif.id]
        counts = np.sum([read_at(row, report.sequences) for row in rows.itertuples()], 0)
        np.testing.assert_allclose(motif.matrix, counts, atol=1e-9)
        assert motif.sites == len(rows)
    if with_maps:
        for row in report.instances.itertuples():
            place = report.sequences.ids.index(row.sequence)
            assert row.score == pytest.approx(report.projected()[0, place, row.start : row.end].sum(), abs=1e-5)


def test_modiscos_results_alone_have_the_seqlets_bases_and_say_so(results) -> None:
    report = import_report(results)
    offset = (LENGTH - WINDOW) // 2
    known = report.sequences.onehot.any(-1)
    assert known.sum() == 3 * 8 + 2 * 6
    middle = ONEHOT[:, offset : offset + WINDOW]
    np.testing.assert_array_equal(report.sequences.onehot[known], middle[known])
    assert "N where none lies" in report.validity.warnings[0]


def test_results_in_which_modisco_found_nothing_are_an_empty_report(modisco, tmp_path) -> None:
    modisco.io.save_hdf5(str(tmp_path / "none.h5"), None, None, WINDOW)
    report = import_report(tmp_path / "none.h5")
    assert (report.motifs, len(report.instances), len(report.sequences)) == ((), 0, 0)
    assert f"TF-MoDISco found no pattern in the middle {WINDOW} bp of the sequences" in report.validity.warnings


def test_modiscos_results_are_placed_on_the_genome_by_the_peaks_it_was_given(results, tmp_path) -> None:
    (tmp_path / "peaks.bed").write_text("".join(f"chr{i}\t100\t200\n" for i in range(9)))
    report = import_report(results, f"modisco:regions={tmp_path / 'peaks.bed'}")
    assert report.sequences.regions == tuple(Region(f"chr{i}", 135, 165) for i in range(9))
    assert report.instances["sequence"][0] == "chr0:135-165"


def test_modiscos_results_with_maps_of_other_sequences_are_refused(results) -> None:
    folder = results.parent
    np.savez(folder / "b.ohe.npz", ONEHOT[:2].swapaxes(1, 2))
    np.savez(folder / "b.attr.npz", MAPS[:2].swapaxes(1, 2))
    with pytest.raises(ReportError, match="must lie in the 2 sequences of 40 bp"):
        import_report(results, f"modisco:maps={folder / 'b.attr.npz'}")


def test_maps_that_are_not_there_or_damaged_are_named_and_not_the_results(results) -> None:
    maps = results.parent / "a.attr.npz"
    maps.write_text("not what it says")
    with pytest.raises(ReportError, match="a.attr.npz must be whole"):
        import_report(results, f"modisco:maps={maps}")
    maps.unlink()
    with pytest.raises(CislensError, match="a file that exists, got .*a.attr.npz: check the path"):
        import_report(results, f"modisco:maps={maps}")


def test_modiscos_own_program_loads_our_npz_as_the_sequences_and_maps_of_the_report(
    modisco, tmp_path, monkeypatch
) -> None:
    report = MotifReport(Sequences.from_onehot(ONEHOT), attributions=Attributions(MAPS[None]))
    sequences, maps = export(report, "modisco", tmp_path / "m.npz").paths
    loaded = {}

    def keep(**given):
        loaded.update(given)
        return None, None

    monkeypatch.setattr(modisco.tfmodisco, "TFMoDISco", keep)
    arguments = ["motifs", "-s", str(sequences), "-a", str(maps), "-n", "100", "-w", str(LENGTH)]
    monkeypatch.setattr(sys, "argv", [str(PROGRAM), *arguments, "-o", str(tmp_path / "out.h5")])
    runpy.run_path(str(PROGRAM), run_name="__main__")
    np.testing.assert_array_equal(loaded["one_hot"], ONEHOT)
    np.testing.assert_allclose(loaded["hypothetical_contribs"], MAPS - MAPS.mean(-1, keepdims=True), atol=1e-6)


def planted() -> MotifReport:
    """Contributions of a motif planted into every sequence, and of nothing else."""
    word = np.array([0, 2, 3, 1, 1, 0, 3, 2, 0, 0])
    onehot = np.eye(4, dtype=np.uint8)[RNG.integers(0, 4, (300, 150))]
    values = RNG.normal(scale=0.01, size=(300, 150, 4)).astype(np.float32)
    for row, place in enumerate(RNG.integers(40, 100, 300)):
        onehot[row, place : place + len(word)] = np.eye(4)[word]
        values[row, place : place + len(word)] += 4 * np.eye(4)[word] - 1
    return MotifReport(Sequences.from_onehot(onehot), attributions=Attributions(values[None], gauge="uniform"))


@pytest.mark.slow
def test_a_run_of_modisco_on_our_npz_finds_the_planted_motif_and_is_read_back(modisco, tmp_path) -> None:
    sequences, maps = export(planted(), "modisco", tmp_path / "m.npz").paths
    arguments = ["motifs", "-s", str(sequences), "-a", str(maps), "-n", "300", "-w", "150", "-o", "out.h5"]
    subprocess.run([str(PROGRAM), *arguments], cwd=tmp_path, check=True, capture_output=True)
    report = import_report(tmp_path / "out.h5", f"modisco:maps={maps}")
    assert report.motifs[0].id == "pos_patterns.pattern_0"
    found = report.motifs[0].core(10).consensus()
    assert found in ("AGTCCATGAA", "TTCATGGACT")
    instances = derive(report, "instances").instances
    assert set(instances["motif"]) == {"pos_patterns.pattern_0"}
    assert len(instances) >= 285  # 95% of those that were planted
