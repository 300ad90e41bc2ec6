"""Any report comes back from a store bit by bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_report_comes_back_bit_by_bit(tmp_path_factory, report) -> None:
    path = tmp_path_factory.mktemp("any") / "r.zarr"
    report.save(path)
    require_same(MotifReport.load(path), report)


@given(reports(), st.integers(1, 4), st.randoms())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
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


def test_a_map_of_nothing_but_nan_keeps_its_bits(tmp_path) -> None:
    sequences = Sequences.from_strings(["ACGT"])
    values = np.full((1, 1, 4, 4), -np.nan, np.float32)
    MotifReport(sequences, attributions=Attributions(values)).save(tmp_path / "r.zarr")
    assert bits(MotifReport.load(tmp_path / "r.zarr").attributions.values) == bits(values)
