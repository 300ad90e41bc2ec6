"""bigWig files, read by a reader that is not what wrote them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cislens.errors import CislensError, ReportError
from cislens.exchange import export
from cislens.exchange.averaging import averaged
from cislens.report import Attributions, Masks, MotifReport, Provenance
from cislens.report.store import ReportStore
from cislens.sequences import Region, Sequences

pybigtools = pytest.importorskip("pybigtools")
pytest.importorskip("pyBigWig")
RNG = np.random.default_rng(5)
LENGTH = 12
REGIONS = (
    Region("chr2", 40, 52),
    Region("chr1", 108, 120, "-"),
    Region("chr1", 100, 112),
    None,
    Region("chr10", 0, 12),
    Region("chr1", 100, 112, "-"),
)


@pytest.fixture
def report() -> MotifReport:
    """Two targets; on chr1 three sequences overlap, of both strands, and one holds N."""
    onehot = np.eye(4, dtype=np.uint8)[RNG.integers(0, 4, (len(REGIONS), LENGTH))]
    onehot[2, 9:] = 0
    sequences = replace(Sequences.from_onehot(onehot), regions=REGIONS)
    maps = Attributions(RNG.normal(size=(2, len(REGIONS), LENGTH, 4)).astype(np.float32))
    return MotifReport(sequences, attributions=maps, provenance=Provenance(targets=({"target": "a"}, {"target": "b"})))


def means(report: MotifReport, values: np.ndarray) -> dict[str, np.ndarray]:
    """What each position should hold, written down position by position; NaN where nothing lies."""
    found: dict[str, dict[int, list[float]]] = {}
    for row, region in enumerate(report.sequences.regions):
        for place in range(LENGTH):
            if region is not None and report.sequences.onehot[row, place].any():
                where = region.end - 1 - place if region.strand == "-" else region.start + place
                found.setdefault(region.chrom, {}).setdefault(where, []).append(values[row, place])
    expected = {chrom: np.full(120, np.nan) for chrom in found}
    for chrom, held in found.items():
        for where, several in held.items():
            expected[chrom][where] = np.mean(several)
    return expected


def require_file(path: Path, expected: dict[str, np.ndarray]) -> None:
    with pybigtools.open(str(path)) as file:
        for chrom, size in file.chroms().items():
            read = file.values(chrom, 0, size, fillna=None)
            np.testing.assert_allclose(read, expected.get(chrom, np.full(120, np.nan))[:size], rtol=1e-6)


@pytest.mark.parametrize("stored", [False, True], ids=["in memory", "in a store"])
def test_each_target_has_a_file_with_the_mean_contribution_of_each_position(report, stored, tmp_path) -> None:
    held = report
    if stored:
        report.save(tmp_path / "r.zarr")
        held = ReportStore.open(tmp_path / "r.zarr").reader("report")
    exported = export(held, "bigwig", tmp_path / "maps.bw")
    assert [path.name for path in exported.paths] == ["maps.a.bw", "maps.b.bw"]
    for target, path in enumerate(exported.paths):
        require_file(path, means(report, report.contributions()[target]))
    assert exported.notes[0] == "1 sequence without coordinates left out"
    assert "chromosomes end where the last sequence does" in exported.notes[1]
    assert {path.name for path in tmp_path.iterdir()} - {"r.zarr"} == {"maps.a.bw", "maps.b.bw"}


def test_masks_and_maps_in_their_own_gauge_are_written_as_they_are(report, tmp_path) -> None:
    masks = Masks(RNG.uniform(size=(1, len(REGIONS), LENGTH)).astype(np.float32), "sufficient")
    export(replace(report, attributions=None, masks=masks), "bigwig", tmp_path / "mask.bw")
    require_file(tmp_path / "mask.bw", means(report, masks.values[0]))
    export(report, "bigwig:gauge=own", tmp_path / "own.bw")
    require_file(tmp_path / "own.a.bw", means(report, report.projected()[0]))


def test_chromosomes_have_the_sizes_of_the_genome_that_is_named(report, tmp_path) -> None:
    (tmp_path / "g.fa.fai").write_text("chr1\t500\t6\t60\t61\nchr2\t400\t9\t60\t61\nchr10\t300\t9\t60\t61\n")
    exported = export(report, f"bigwig:genome={tmp_path / 'g.fa.fai'}", tmp_path / "maps.bw")
    with pybigtools.open(str(exported.paths[0])) as file:
        assert file.chroms() == {"chr1": 500, "chr2": 400, "chr10": 300}
    assert len(exported.notes) == 1


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ("chr1\t500\nchr10\t300\n", "'chr2' is not: is it another genome?"),
        ("chr1\t110\nchr2\t400\nchr10\t300\n", "inside of chr1, which is 110 bp long, got one at 119"),
        ("chr1 500\n", "lines of name, tab and size, got 'chr1 500'"),
    ],
)
def test_a_genome_that_does_not_fit_is_refused_and_leaves_no_file(report, sizes, reason, tmp_path) -> None:
    (tmp_path / "g.sizes").write_text(sizes)
    with pytest.raises(ReportError, match=reason):
        export(report, f"bigwig:genome={tmp_path / 'g.sizes'}", tmp_path / "maps.bw")
    assert [path.name for path in tmp_path.iterdir()] == ["g.sizes"]


def test_a_report_without_coordinates_says_why_it_cannot_become_a_bigwig(report, tmp_path) -> None:
    nowhere = replace(report, sequences=replace(report.sequences, regions=()))
    with pytest.raises(ReportError, match="a bigWig holds values on a genome, but none of the 6 sequences has coord"):
        export(nowhere, "bigwig", tmp_path / "maps.bw")


def test_sequences_of_n_alone_are_refused_and_leave_no_file(report, tmp_path) -> None:
    nothing = replace(report, sequences=replace(report.sequences, onehot=np.zeros_like(report.sequences.onehot)))
    with pytest.raises(ReportError, match="the sequences with coordinates are all N"):
        export(nothing, "bigwig", tmp_path / "maps.bw")
    assert list(tmp_path.iterdir()) == []


def test_without_pybigwig_the_line_that_installs_it_is_named(report, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyBigWig", None)
    with pytest.raises(CislensError, match=r"pip install 'cislens\[bigwig\]'"):
        export(report, "bigwig", tmp_path / "maps.bw")


@settings(max_examples=60)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(1, 9), st.integers(1, 15), st.data())
def test_the_sweep_gives_the_mean_wherever_it_is_cut(starts, length, span, data) -> None:
    ordered = np.sort(np.array(starts))
    rows = RNG.normal(size=(len(ordered), length))
    rows[data.draw(st.integers(0, len(ordered) - 1)), data.draw(st.integers(0, length - 1))] = np.nan
    total, count = np.zeros(80), np.zeros(80)
    for start, row in zip(ordered, rows, strict=True):
        total[start : start + length] += np.nan_to_num(row)
        count[start : start + length] += ~np.isnan(row)
    swept = np.full(80, np.nan)
    for start, values in averaged(ordered, rows, length, span):
        assert np.isnan(swept[start : start + len(values)]).all()
        swept[start : start + len(values)] = values
    np.testing.assert_allclose(swept, np.where(count > 0, total / np.maximum(count, 1), np.nan))


MEMORY = """
import resource, sys
from pathlib import Path
from cislens.exchange import export
from cislens.report.store import ReportStore
folder = Path(sys.argv[1])
reader = ReportStore.open(folder / "r.zarr").reader("report")
for text, name in (("bigwig", "m.bw"), ("modisco", "m.npz"), ("fasta", "s.fa"), ("bed", "i.bed"), ("meme", "m.meme")):
    export(reader, text, folder / name)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
WRITE = """
import sys
import numpy as np, pandas as pd
from dataclasses import replace
from cislens.motif import Motif
from cislens.report import Attributions, MotifReport, Provenance
from cislens.report.store import ReportStore, RunKey
from cislens.sequences import Region, Sequences
n, length = 10_000, 1_000
rng = np.random.default_rng(0)
onehot = np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (n, length))]
starts = rng.permutation(n) * 700
regions = tuple(Region(f"chr{i % 3}", int(s), int(s) + length, "+-"[i % 2]) for i, s in enumerate(starts))
sequences = replace(Sequences.from_onehot(onehot), regions=regions)
store = ReportStore.open(sys.argv[1], "a")
key = RunKey("toy", targets=("t",), hashes=sequences.hashes())
with store.begin("report", key, sequences) as writer:
    for block in writer.pending:
        part = sequences.take(writer.rows(block))
        maps = Attributions(rng.normal(size=(1, len(part), length, 4)).astype(np.float32))
        table = pd.DataFrame({"motif": "m", "sequence": part.ids, "start": 3, "end": 9, "strand": "+", "score": 1.0})
        writer.write(block, MotifReport(part, attributions=maps, motifs=(Motif("m", np.eye(4)),), instances=table))
    writer.finish(Provenance("toy", targets=({"target": "t"},)))
"""


@pytest.mark.slow
def test_ten_thousand_sequences_of_1000_bp_are_exported_within_two_gigabytes(tmp_path) -> None:
    subprocess.run([sys.executable, "-c", WRITE, str(tmp_path / "r.zarr")], check=True)
    run = subprocess.run([sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 2048
