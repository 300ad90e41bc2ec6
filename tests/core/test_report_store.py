from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cislens.errors import ReportError
from cislens.motif import Motif
from cislens.report import TABLES, Attributions, Cost, Masks, MotifReport, Provenance, Validity
from cislens.report.store import ReportStore, RunKey
from cislens.report.store_arrays import decode_text, encode_text, file_name
from cislens.sequences import Dropped, Region, Sequences

FLOATS = (np.float32, np.float64)
# Text that a file may hold, lone surrogates (of files that are not UTF-8) and NUL among it.
TEXT = st.text(max_size=6) | st.sampled_from(["", "\0", "\udcff", "a/b", ".hidden", "__own", "zarr.json", "Å β", "x "])


# ---- any report, and whether two are the same --------------------------------------------------------------


@st.composite
def arrays(draw, shape, low=None, high=None):
    """Floats of any kind, -0.0 and (where there are no bounds) nan and inf among them."""
    dtype = draw(st.sampled_from(FLOATS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if low is not None:
        return rng.uniform(low, high, shape).astype(dtype)
    odd = rng.choice(np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, 1e38]), shape)
    every = draw(st.sampled_from([0.0, 0.3, 1.0]))
    return np.where(rng.random(shape) < every, odd, rng.normal(size=shape)).astype(dtype)


@st.composite
def sequence_sets(draw):
    n, length = draw(st.integers(0, 7)), draw(st.integers(0, 5))
    codes = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 5, (n, length))
    onehot = np.eye(5, 4, dtype=np.uint8)[codes]
    ids = draw(st.lists(TEXT, min_size=n, max_size=n, unique=True))
    region = st.builds(Region, TEXT, st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from("+-."))
    regions = draw(st.lists(st.none() | region, min_size=n, max_size=n))
    drops = draw(st.lists(st.builds(Dropped, TEXT, TEXT), max_size=2))
    return Sequences(onehot, tuple(ids), tuple(regions), tuple(drops), tuple(draw(st.lists(TEXT, max_size=2))))


@st.composite
def motifs(draw):
    kind = draw(st.sampled_from(["counts", "probabilities", "weights", "contributions"]))
    values = draw(arrays((draw(st.integers(1, 4)), 4), 0.1, 9))
    if kind == "probabilities":
        values = values / values.sum(1, keepdims=True)
    if kind == "counts" and draw(st.booleans()):
        values = values.astype(np.int64)
    background = draw(st.sampled_from([(0.25, 0.25, 0.25, 0.25), (0.1, 0.2, 0.3, 0.4)]))
    return Motif(draw(TEXT), values, kind, background, draw(TEXT), draw(st.none() | st.integers(0, 9)))


@st.composite
def tables(draw, name):
    rows = draw(st.integers(0, 3))
    extra = draw(st.lists(TEXT.filter(lambda c: c not in TABLES[name]), max_size=2, unique=True))
    columns = {}
    for column in (*TABLES[name], *extra):
        kind = draw(st.sampled_from([np.int64, np.int8, np.bool_, np.float32, np.float64, str]))
        if kind is str:
            texts = draw(st.lists(TEXT, min_size=rows, max_size=rows))
            columns[column] = pd.Series(texts, dtype=None if rows else object)
        elif kind in FLOATS:
            columns[column] = pd.Series(draw(arrays((rows,)))).astype(kind)
        else:
            columns[column] = pd.Series(np.arange(rows) % 3).astype(kind)
    return pd.DataFrame(columns)


@st.composite
def provenances(draw):
    setting = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | TEXT | st.lists(st.floats(), max_size=2)
    return Provenance(
        explainer=draw(TEXT),
        settings=draw(st.dictionaries(TEXT, setting, max_size=3)),
        targets=tuple({"target": text, "component": {"centre": [0.5]}} for text in draw(st.lists(TEXT, max_size=2))),
        seed=draw(st.integers(0, 2**70)),
        model={"fingerprint": draw(TEXT), "length": draw(st.none() | st.integers(0, 9))},
        training=draw(TEXT),
        references=tuple(draw(st.lists(TEXT, max_size=1))),
        versions={"python": "3"},
        derivations=tuple(draw(st.lists(st.just({"step": "motifs", "share": 0.2}), max_size=1))),
        cost=Cost(draw(st.floats(0, 1e6)), draw(st.integers(0, 10**12)), draw(st.integers(0, 10**12))),
    )


@st.composite
def reports(draw):
    sequences = draw(sequence_sets())
    n, length, t = len(sequences), sequences.length, draw(st.integers(1, 3))
    maybe = st.booleans()
    measures = {name: draw(arrays((t, n))) for name in draw(st.lists(TEXT, max_size=2, unique=True))}
    summary = draw(st.dictionaries(TEXT, st.floats(), max_size=2))
    warnings = tuple(draw(st.lists(TEXT, max_size=2, unique=True)))
    said = (draw(maybe), draw(st.sampled_from(["uniform", "none"])), draw(TEXT))
    return MotifReport(
        sequences=sequences,
        predictions=draw(arrays((t, n))) if draw(maybe) else None,
        attributions=Attributions(draw(arrays((t, n, length, 4))), *said) if draw(maybe) else None,
        masks=Masks(draw(arrays((t, n, length), 0, 1)), "necessary") if draw(maybe) else None,
        motifs=tuple(draw(st.lists(motifs(), max_size=3))),
        validity=Validity(measures, summary, warnings),
        provenance=draw(provenances()),
        dropped=tuple(draw(st.lists(st.builds(Dropped, TEXT, TEXT), max_size=2))),
        **{name: draw(tables(name)) if draw(maybe) else None for name in TABLES},
    )


def bits(values):
    """Everything about an array, the signs of zeros and of nan among it."""
    return values if values is None else (values.shape, values.dtype, np.ascontiguousarray(values).tobytes())


def facts(report: MotifReport) -> dict[str, object]:
    """Everything that a report holds, in a form that compares, tables aside."""
    s, maps, masks = report.sequences, report.attributions, report.masks
    return {
        "sequences": (bits(s.onehot), s.ids, s.regions, s.dropped, s.notes),
        "predictions": bits(report.predictions),
        "attributions": maps and (bits(maps.values), maps.hypothetical, maps.gauge, maps.unit),
        "masks": masks and (bits(masks.values), masks.meaning),
        "motifs": [(m.id, bits(m.matrix), m.kind, m.background, m.name, m.sites) for m in report.motifs],
        "measures": {name: bits(values) for name, values in report.validity.measures.items()},
        "summary": repr(dict(report.validity.summary)),
        "warnings": report.validity.warnings,
        "provenance": repr(report.provenance.to_json()),
        "dropped": report.dropped,
    }


def require_same(came: MotifReport, expected: MotifReport) -> None:
    assert facts(came) == facts(expected)
    for name in TABLES:
        one, two = getattr(came, name), getattr(expected, name)
        assert (one is None) == (two is None)
        if two is not None:
            pd.testing.assert_frame_equal(one, two, check_exact=True, check_index_type=False)


@given(reports())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_report_comes_back_bit_by_bit(tmp_path_factory, report) -> None:
    path = tmp_path_factory.mktemp("any") / "r.zarr"
    report.save(path)
    require_same(MotifReport.load(path), report)


@given(reports(), st.integers(1, 4), st.randoms())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_maps_written_in_blocks_of_any_size_and_order_come_back_whole(tmp_path_factory, report, block, random) -> None:
    report = replace(report, motifs=(), dropped=(), **dict.fromkeys(TABLES))
    store = ReportStore.open(tmp_path_factory.mktemp("any") / "r.zarr", "a")
    with store.begin("r", key_of(report), report.sequences, block=block) as writer:
        numbers = list(writer.pending)
        random.shuffle(numbers)
        for number in numbers:
            cost = report.provenance.cost if number == 0 else Cost()
            writer.write(number, with_cost(report.take(writer.rows(number)), cost))
        writer.finish(report.provenance)
    require_same(store.read(), report)


def with_cost(report: MotifReport, cost: Cost) -> MotifReport:
    return replace(report, provenance=replace(report.provenance, cost=cost))


def key_of(report: MotifReport) -> RunKey:
    return RunKey("toy", {"steps": 50}, ("Dev",), 0, "f00d", report.sequences.hashes())


@given(st.lists(st.none() | TEXT))
def test_any_text_survives_its_bytes(texts) -> None:
    assert decode_text(encode_text(texts)) == texts


@given(TEXT, TEXT)
def test_two_names_never_share_a_file(one, two) -> None:
    assert (file_name(one) == file_name(two)) == (one == two)
    assert file_name(one) not in ("", ".", "..", "zarr.json")
    assert not set(file_name(one)) & set("/\\\0")


# ---- writing, stopping, going on ---------------------------------------------------------------------------

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


# Runs the same small report with a kill at one file event after the other. The server that forks never touches zarr
# itself, whose threads would not survive a fork.
KILLER = """
import hashlib, os, signal, sys
import numpy as np, pandas as pd, zarr
from pathlib import Path
from test_report_store import KEY, MADE, SEQUENCES, TABLES, facts, part
from cislens.report.store import ReportStore

STEP = int(sys.argv[1])
WATCHED = {"open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir"}
state = {"left": -1}

def watch(event, arguments):
    if event in WATCHED and state["left"] >= 0:
        if event == "open" and not isinstance(arguments[2], int):
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            return
        if state["left"] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        state["left"] -= 1

sys.addaudithook(watch)

def work(path):
    store = ReportStore.open(path, "a")
    with store.begin("toy", KEY, SEQUENCES, block=6) as writer:
        for number in writer.pending:
            writer.write(number, part(writer.rows(number)))
        writer.finish(MADE)

def child(what):
    pid = os.fork()
    if pid == 0:
        try:
            what()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def digest(path):
    report = ReportStore.open(path).read()
    said = repr(sorted(facts(report).items())) + report.instances.to_csv()
    Path(f"{path}.digest").write_text(hashlib.sha256(said.encode()).hexdigest())

def go_on(path):
    work(path)
    digest(path)

def killed(path, after):
    state["left"] = after
    work(path)

assert child(lambda: go_on("whole.zarr")) == 0
whole, kills, after = Path("whole.zarr.digest").read_text(), 0, 0
while True:
    path = f"killed{after}.zarr"
    status = child(lambda: killed(path, after))
    if status == 0:
        break
    assert status == -signal.SIGKILL, status
    kills += 1
    assert child(lambda: go_on(path)) == 0, after
    assert Path(f"{path}.digest").read_text() == whole, after
    after += STEP
print(kills)
"""


def kills(tmp_path, step: int) -> int:
    (tmp_path / "killer.py").write_text(KILLER)
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "killer.py", str(step)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def test_a_kill_at_any_moment_leaves_a_store_that_goes_on_to_the_same_report_bitwise(tmp_path) -> None:
    assert kills(tmp_path, step=7) > 10


@pytest.mark.slow
def test_a_kill_at_every_single_file_event_does_so_too(tmp_path) -> None:
    assert kills(tmp_path, step=1) > 70


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


# ---- one writer at a time ----------------------------------------------------------------------------------


def lock_file(path):
    return path / ".cislens" / "locks" / "toy"


def test_a_second_writer_is_refused_while_the_first_lives(path) -> None:
    writer = begun(path)
    with pytest.raises(ReportError, match=f"process {os.getpid()} is writing it"):
        begun(path)
    ReportStore.open(path, "a").begin("other", KEY, SEQUENCES).close()
    writer.close()
    begun(path).close()


def test_a_writer_in_another_process_is_refused_and_its_lock_taken_over_when_it_is_killed(path) -> None:
    begun(path).close()
    code = (
        f"import os,socket,time; open({str(lock_file(path))!r},'w').write(f'{{os.getpid()}} {{socket.gethostname()}}')"
    )
    process = subprocess.Popen([sys.executable, "-c", f"{code}; print(1, flush=True); time.sleep(600)"], stdout=-1)
    with process:
        process.stdout.readline()
        with pytest.raises(ReportError, match=f"process {process.pid} is writing it"):
            begun(path)
        process.send_signal(signal.SIGKILL)
        # Dead but not buried: nobody has waited for it yet.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        begun(path).close()
    assert not lock_file(path).exists()


@pytest.mark.parametrize("content", ["", f"{os.getpid()} {os.uname().nodename}"])
def test_a_lock_without_a_process_or_with_our_own_number_from_a_former_life_is_taken_over(path, content: str) -> None:
    begun(path).close()
    lock_file(path).write_text(content)
    begun(path).close()


def test_a_lock_of_another_machine_is_respected_and_its_file_named(path) -> None:
    begun(path).close()
    lock_file(path).write_text("1 elsewhere")
    with pytest.raises(ReportError, match=r"process 1 on elsewhere.*delete .*locks/toy"):
        begun(path)


def test_an_error_in_the_middle_gives_the_lock_back(path) -> None:
    with pytest.raises(ZeroDivisionError), begun(path):
        1 / 0  # noqa: B018
    begun(path).close()


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
