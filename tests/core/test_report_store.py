"""A store: written block by block, gone on with, read lazily, and refusing in sentences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cislens.errors import ReportError
from cislens.motif import Motif
from cislens.report import TABLES, Attributions, Cost, MotifReport, Provenance, Validity
from cislens.report.store import ReportStore, RunKey
from cislens.sequences import Dropped, Region, Sequences
from cislens.testing.same_report import require_same_report

RNG = np.random.default_rng(7)
N, LENGTH, BLOCK = 10, 6, 4
SEQUENCES = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[RNG.integers(0, 4, (N, LENGTH))])
MADE = Provenance("toy", {"steps": 50}, ({"target": "Dev"}, {"target": "Hk"}), 0, {"fingerprint": "f00d"})
KEY = RunKey("toy", {"steps": 50}, ("Dev", "Hk"), 0, "f00d", SEQUENCES.hashes())
MAPS = RNG.normal(size=(2, N, LENGTH, 4)).astype(np.float32)


def part(rows: slice, cost: Cost | None = None) -> MotifReport:
    """The report of some sequences, tables, motifs and measures among it."""
    sequences = SEQUENCES.take(rows)
    k = len(sequences)
    first = pd.DataFrame({c: [f"{c}{rows.start}"] * 2 for c in TABLES["instances"]})
    instances = first.assign(start=[rows.start, 2], score=np.array([0.5, np.nan], np.float32))
    return MotifReport(
        sequences,
        predictions=np.arange(2 * k, dtype=np.float64).reshape(2, k),
        attributions=Attributions(MAPS[:, rows], gauge="uniform"),
        motifs=(Motif(f"m{rows.start}", np.eye(4)),),
        instances=instances,
        validity=Validity({"delta": np.full((2, k), rows.start)}, {"r2": 0.5}, ("mind the gap",)),
        provenance=replace(MADE, cost=cost or Cost(1.5, k, 2 * k)),
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "r.zarr"


def require_same(came: MotifReport, expected: MotifReport) -> None:
    require_same_report(came, expected, "the report", exactly=True)
    assert came.provenance == expected.provenance
    assert came.validity.warnings == expected.validity.warnings
    assert (came.dropped, came.sequences.regions) == (expected.dropped, expected.sequences.regions)
    np.testing.assert_array_equal(came.sequences.onehot, expected.sequences.onehot)


def begun(path, **changes):
    return ReportStore.open(path, "a").begin("toy", KEY, SEQUENCES, **{"block": BLOCK, **changes})


def written(path, label="toy") -> ReportStore:
    store = ReportStore.open(path, "a")
    with store.begin(label, KEY, SEQUENCES, block=BLOCK) as writer:
        for number in writer.pending:
            writer.write(number, part(writer.rows(number)))
        writer.finish(MADE, ["of the whole"])
    return store


def test_blocks_are_joined_and_their_costs_added(path) -> None:
    report = written(path).read("toy")
    np.testing.assert_array_equal(report.attributions.values, MAPS)
    assert report.provenance.cost == Cost(4.5, N, 2 * N)
    assert [motif.id for motif in report.motifs] == ["m0", "m4", "m8"]
    assert list(report.instances["start"]) == [0, 2, 4, 2, 8, 2]
    assert report.instances["score"].dtype == np.float32
    assert report.validity.warnings == ("mind the gap", "of the whole")
    assert report.validity.summary == {"r2": 0.5}
    np.testing.assert_array_equal(report.validity.measures["delta"][1], [0] * 4 + [4] * 4 + [8] * 2)


def test_a_run_that_stopped_goes_on_with_what_is_pending(path) -> None:
    with begun(path) as writer:
        assert writer.pending == (0, 1, 2)
        writer.write(1, part(writer.rows(1)))
    with begun(path, block=2) as writer:
        assert (writer.pending, writer.block) == ((0, 2), BLOCK)
        for number in writer.pending:
            writer.write(number, part(writer.rows(number)))
        writer.finish(MADE, ["of the whole"])
    require_same(MotifReport.load(path), written(path.with_name("whole.zarr")).read())


def test_a_report_is_complete_only_when_it_is_finished(path) -> None:
    writer = begun(path)
    reader = ReportStore.open(path).reader("toy")
    assert (reader.complete, reader.n, reader.targets) == (False, N, ("Dev", "Hk"))
    with pytest.raises(ReportError, match="must hold a finished block"):
        reader.load()
    writer.write(2, part(writer.rows(2)))
    reader = ReportStore.open(path).reader("toy")
    half = reader.load()
    assert half.sequences.ids == ("seq8", "seq9")
    assert "only 1 of 3 blocks" in half.validity.warnings[-1]
    assert (half.provenance.explainer, half.provenance.cost.predictions) == ("toy", 2)
    with pytest.raises(ReportError, match="2 are not: 0, 1"):
        writer.finish(MADE)
    for number in writer.pending:
        writer.write(number, part(writer.rows(number)))
    assert not ReportStore.open(path).reader("toy").complete
    writer.finish(MADE)
    assert ReportStore.open(path).reader("toy").complete


def test_a_half_written_block_whose_arrays_hold_garbage_is_redone(path) -> None:
    whole = written(path).read()
    folder = path / "reports" / "toy"
    (folder / "done" / "000002").unlink()
    for chunk in (folder / "attributions" / "c").glob("*/2/0/0"):
        chunk.write_bytes(b"garbage")
    for chunk in (folder / "predictions" / "c").glob("*/2"):
        chunk.write_bytes(b"")
    for column in (folder / "blocks" / "000002" / "instances").glob("*/zarr.json"):
        column.write_text("{")
    (folder / "blocks" / "000002" / "zarr.json").write_text('{"attri')
    with begun(path) as writer:
        assert writer.pending == (2,)
        writer.write(2, part(writer.rows(2)))
        writer.finish(MADE, ["of the whole"])
    require_same(MotifReport.load(path), whole)


def test_an_array_left_by_a_kill_in_the_first_block_is_made_anew(path) -> None:
    with begun(path) as writer:
        doubled = replace(part(writer.rows(0)), attributions=Attributions(MAPS[:, :4].astype(np.float64)))
        writer.write(0, doubled)
    (path / "reports" / "toy" / "done" / "000000").unlink()
    require_same(written(path).read(), written(path.with_name("whole.zarr")).read())


def test_another_run_is_refused_with_what_differs(path) -> None:
    written(path)
    other = RunKey("toy", {"steps": 100}, ("Dev",), 1, "f00d", SEQUENCES.hashes())
    with pytest.raises(ReportError, match=r"targets Dev Hk there and Dev here, seed 0 there and 1 here, setting steps"):
        ReportStore.open(path, "a").begin("toy", other, SEQUENCES)
    with pytest.raises(ReportError, match="--overwrite"):
        ReportStore.open(path, "a").begin("toy", other, SEQUENCES)


def test_the_same_bases_under_other_names_are_another_run(path) -> None:
    written(path)
    renamed = replace(SEQUENCES, ids=tuple(f"other{i}" for i in range(N)))
    moved = replace(SEQUENCES, regions=(Region("chr1", 0, LENGTH),) * N)
    for sequences, sentence in ((renamed, "other ids"), (moved, "other coordinates")):
        with pytest.raises(ReportError, match=sentence):
            ReportStore.open(path, "a").begin("toy", KEY, sequences)


def test_overwriting_deletes_that_label_alone(path) -> None:
    written(path)
    kept = written(path, "kept").read("kept")
    with begun(path, overwrite=True) as writer:
        assert writer.pending == (0, 1, 2)
    store = ReportStore.open(path)
    assert store.labels == ("kept", "toy")
    require_same(store.read("kept"), kept)


def test_saving_over_a_report_must_be_asked_for(path) -> None:
    one, two = part(slice(0, 4)), part(slice(4, 8))
    one.save(path)
    with pytest.raises(ReportError, match="holds a report 'report' already.*overwrite=True"):
        two.save(path)
    two.save(path, overwrite=True)
    assert MotifReport.load(path).sequences.ids == two.sequences.ids


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"explainer": "ism"}, "explainer toy there and ism here"),
        ({"targets": ()}, "targets Dev Hk there and none here"),
        ({"seed": 9}, "seed 0 there and 9 here"),
        ({"fingerprint": "beef"}, "model fingerprint f00d there and beef here"),
        ({"settings": {"steps": 50, "correct": True}}, "setting correct 'absent' there and True here"),
        ({"settings": {"steps": True}}, "setting steps 50 there and True here"),
        ({"hashes": KEY.hashes[:-1]}, "10 sequences there and 9 here"),
        ({"hashes": (*KEY.hashes[:-1], "x")}, "1 of 10 sequences are others"),
        ({"training": ("x",)}, "0 training sequences there and 1 here"),
        ({"settings": {"steps": np.int64(50)}}, ""),
    ],
)
def test_a_key_says_what_differs_and_is_equal_where_nothing_does(change, words: str) -> None:
    other = replace(KEY, **change)
    assert KEY.difference(other) == words
    assert (other == KEY) == (not words)
    if not words:
        assert hash(other) == hash(KEY)


def test_settings_compare_by_value_not_by_type_or_nan(path) -> None:
    one = replace(KEY, settings={"cut": float("nan"), "widths": (3, 5)})
    assert one == replace(KEY, settings={"cut": float("nan"), "widths": [3, 5]})
    ReportStore.open(path, "a").begin("toy", one, SEQUENCES).close()
    ReportStore.open(path, "a").begin("toy", one, SEQUENCES).close()


# ---- sequences that fail, and reports without any ----------------------------------------------------------


def without(block: MotifReport, *gone: str) -> MotifReport:
    kept = [i for i, name in enumerate(block.sequences.ids) if name not in gone]
    return replace(block.take(kept), dropped=tuple(Dropped(name, "a reason") for name in gone))


def test_failed_sequences_are_left_out_and_listed(path) -> None:
    with begun(path) as writer:
        writer.write(0, without(part(writer.rows(0)), "seq1"))
        writer.write(1, without(part(writer.rows(1)), "seq4", "seq7"))
        writer.write(2, part(writer.rows(2)))
        writer.finish(MADE)
    report = MotifReport.load(path)
    gone = ["seq1", "seq4", "seq7"]
    assert [drop.id for drop in report.dropped] == gone
    assert report.sequences.ids == tuple(name for name in SEQUENCES.ids if name not in gone)
    np.testing.assert_array_equal(report.attributions.values, np.delete(MAPS, [1, 4, 7], axis=1))
    assert ReportStore.open(path).reader("toy").n == N


def test_a_block_that_failed_as_a_whole_takes_nothing_from_the_others(path) -> None:
    with begun(path) as writer:
        writer.write(0, part(writer.rows(0)))
        names = SEQUENCES.ids[4:8]
        empty = MotifReport(SEQUENCES.take(slice(0, 0)), dropped=tuple(Dropped(name, "no") for name in names))
        writer.write(1, empty)
        writer.write(2, part(writer.rows(2)))
        writer.finish(MADE)
    reader = ReportStore.open(path).reader("toy")
    report = reader.load()
    np.testing.assert_array_equal(report.attributions.values, np.delete(MAPS, range(4, 8), axis=1))
    assert len(report.dropped) == 4
    assert report.validity.summary == reader.validity.summary == {"r2": 0.5}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda r: replace(without(r, "seq1"), dropped=()), "'seq1' is not"),
        (lambda r: part(slice(4, 8)), "of its sequences in their order"),
        (lambda r: r.take([1, 0, 2, 3]), "of its sequences in their order"),
    ],
)
def test_a_block_of_other_sequences_is_refused(path, change, sentence: str) -> None:
    with begun(path) as writer, pytest.raises(ReportError, match=sentence):
        writer.write(0, change(part(writer.rows(0))))


def test_blocks_that_do_not_agree_are_refused(path) -> None:
    with begun(path) as writer:
        writer.write(0, part(writer.rows(0)))
        block = part(writer.rows(1))
        for other in (Attributions(MAPS[:, 4:8].astype(np.float64), gauge="uniform"), Attributions(MAPS[:, 4:8])):
            with pytest.raises(ReportError, match="all blocks of a report must agree: attributions"):
                writer.write(1, replace(block, attributions=other))
        assert writer.pending == (1, 2)


def test_a_block_that_is_not_there_is_an_error(path) -> None:
    with begun(path) as writer, pytest.raises(ReportError, match="numbered 0 to 2, got 3"):
        writer.rows(3)


def test_a_report_without_sequences_has_one_block_of_none(path) -> None:
    nothing = SEQUENCES.take(slice(0, 0))
    store = ReportStore.open(path, "a")
    with store.begin("filters", replace(KEY, hashes=()), nothing) as writer:
        assert (writer.pending, writer.rows(0)) == ((0,), slice(0, 0))
        writer.write(0, MotifReport(nothing, motifs=(Motif("m", np.eye(4)),), provenance=MADE))
        writer.finish(MADE)
    report = store.read()
    assert [motif.consensus() for motif in report.motifs] == ["ACGT"]
    assert report.sequences.onehot.shape == (0, LENGTH, 4)


# ---- what is no store, and what cannot be written ----------------------------------------------------------


def test_what_is_no_store_is_told_so(tmp_path, path) -> None:
    with pytest.raises(ReportError, match="nothing is: check the path"):
        ReportStore.open(path)
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("x")
    for mode in ("r", "a"):
        for name in ("file", "folder"):
            with pytest.raises(ReportError, match="is something else"):
                ReportStore.open(tmp_path / name, mode)
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["thesis.tex"]


def test_another_zarr_and_a_damaged_store_are_told_so(path) -> None:
    path.mkdir()
    (path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    with pytest.raises(ReportError, match="is another zarr"):
        ReportStore.open(path, "a")
    (path / "zarr.json").write_text("{")
    with pytest.raises(ReportError, match="the store is damaged"):
        ReportStore.open(path)


def test_a_newer_schema_is_refused(path) -> None:
    written(path)
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"]["cislens"]["schema"] = 99
    (path / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(ReportError, match=r"newer cislens \(schema 99, this one reads 1\)"):
        ReportStore.open(path)


def test_a_label_that_is_not_there_lists_those_that_are(path) -> None:
    store = written(path)
    written(path, "other")
    with pytest.raises(ReportError, match="no report 'ism': it holds other, toy"):
        store.read("ism")
    with pytest.raises(ReportError, match="it holds other, toy: name one"):
        store.read()


@pytest.mark.parametrize("label", ["", "a/b", "..", ".x", "__x", "zarr.json"])
def test_a_label_that_is_no_plain_name_is_refused(path, label: str) -> None:
    with pytest.raises(ReportError, match="a label m"):
        ReportStore.open(path, "a").begin(label, KEY, SEQUENCES)


def test_a_store_opened_for_reading_is_not_written_to(path) -> None:
    written(path)
    with pytest.raises(ReportError, match="open it with mode 'a'"):
        ReportStore.open(path).begin("new", KEY, SEQUENCES)


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ReportError, match=r"must be writable, got Not a directory"):
        ReportStore.open(tmp_path / "file" / "r.zarr", "a")


FULL = """
import resource, sys
from test_report_store import MotifReport, begun, part
from cislens.errors import ReportError
from pathlib import Path
import numpy as np
path = Path("r.zarr")
with begun(path) as writer:
    writer.write(0, part(writer.rows(0)))
    block = part(writer.rows(1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    try:
        writer.write(1, block)
    except ReportError as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(error)
    assert writer.pending == (1, 2)
assert len(MotifReport.load(path).sequences) == 4
"""


def test_a_full_disk_is_a_sentence_and_what_was_done_stays(tmp_path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
    run = subprocess.run([sys.executable, "-c", FULL], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "must be writable, got File too large" in run.stdout


@pytest.mark.parametrize("chunk", ["attributions/c/0/0/0/0", "attributions/zarr.json"])
def test_a_damaged_array_is_a_sentence(path, chunk: str) -> None:
    written(path)
    (path / "reports" / "toy" / chunk).write_bytes(b"garbage")
    with pytest.raises(ReportError, match="the store is damaged"):
        MotifReport.load(path)


@pytest.mark.parametrize("values", [[(1, 2), (3, 4)], [1, "a"], pd.to_datetime(["2020-01-01"] * 2)])
def test_a_column_that_is_neither_numbers_nor_text_is_refused(path, values) -> None:
    with begun(path) as writer:
        report = part(writer.rows(0))
        odd = report.instances.assign(extra=values)
        with pytest.raises(ReportError, match="column 'extra' of instances must hold numbers, booleans or texts"):
            writer.write(0, replace(report, instances=odd))


def test_a_setting_that_is_no_json_value_is_refused(path) -> None:
    with pytest.raises(ReportError, match="got set"):
        ReportStore.open(path, "a").begin("toy", replace(KEY, settings={"x": {1, 2}}), SEQUENCES)
    assert ReportStore.open(path).labels == ()


def test_a_missing_text_stays_missing(path) -> None:
    report = part(slice(0, 4))
    gappy = report.instances.assign(family=["bZIP", None])
    replace(report, instances=gappy).save(path)
    assert list(MotifReport.load(path).instances["family"].isna()) == [False, True]


# ---- laziness, and what others see -------------------------------------------------------------------------


def test_reading_one_block_opens_the_chunks_of_no_other(path) -> None:
    written(path)
    folder = path / "reports" / "toy"
    for number in (1, 2):
        for chunk in folder.glob(f"attributions/c/*/{number}/0/0"):
            chunk.write_bytes(b"garbage: whoever reads this fails")
        (folder / "bases" / "c" / str(number) / "0").write_bytes(b"garbage")
    reader = ReportStore.open(path).reader("toy")
    assert reader.validity.measures["delta"].shape == (2, N)
    assert reader.provenance.cost.predictions == N
    first = next(reader.blocks())
    np.testing.assert_array_equal(first.attributions.values, MAPS[:, :4])
    with pytest.raises(ReportError, match="damaged"):
        list(reader.blocks())


def test_arrays_are_chunked_along_the_sequences_and_open_in_plain_zarr(path) -> None:
    import zarr

    written(path)
    group = zarr.open_group(str(path), mode="r")
    maps = group["reports/toy/attributions"]
    assert (maps.shape, maps.chunks, maps.dtype) == ((2, N, LENGTH, 4), (2, BLOCK, LENGTH, 4), np.float32)
    assert maps.attrs["gauge"] == "uniform"
    np.testing.assert_array_equal(maps[:], MAPS)
    assert group["reports/toy/blocks/000001/instances/start"][0] == 4
    assert group.attrs["cislens"] == {"schema": 1}


def test_no_file_of_a_store_is_a_pickle_and_all_json_is_strict(path) -> None:
    report = part(slice(0, 4))
    odd = Validity(report.validity.measures, {"r2": float("nan")})
    replace(report, validity=odd).save(path)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    for file in path.rglob("zarr.json"):
        text = file.read_text()
        assert "pickle" not in text
        if json.loads(text)["node_type"] == "group":
            json.loads(text, parse_constant=refuse)
    assert np.isnan(MotifReport.load(path).validity.summary["r2"])


def test_importing_the_report_imports_neither_zarr_nor_pandas() -> None:
    code = "import sys, cislens.report, cislens.report.store; print({'zarr', 'pandas'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
