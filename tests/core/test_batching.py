from __future__ import annotations

import json
import time

import numpy as np
import pytest

from cislens.oracle import batching
from cislens.oracle.batching import Batcher, fastest_size

X = np.zeros((100, 5, 4), np.uint8)


def never(error: Exception) -> bool:
    return False


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CISLENS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "batch_sizes.json"


def test_a_size_that_falls_out_of_cache_is_not_chosen() -> None:
    def call(x):
        time.sleep(0.001 + 2e-5 * len(x) * (1 if len(x) <= 64 else 10))

    assert fastest_size(call, X, never) in (32, 64)


def test_a_call_with_a_fixed_price_gets_large_batches() -> None:
    assert fastest_size(lambda x: time.sleep(0.002), X, never) >= 512


def test_sizes_beyond_memory_are_not_chosen() -> None:
    def call(x):
        if len(x) > 100:
            raise MemoryError

    assert fastest_size(call, X, lambda error: isinstance(error, MemoryError)) <= 64


def test_an_error_that_is_not_about_memory_is_raised() -> None:
    def call(x):
        if len(x) > 16:
            raise KeyError("broken")

    with pytest.raises(KeyError):
        fastest_size(call, X, never)


def test_a_measurement_ends_after_its_budget() -> None:
    rows = []
    fastest_size(lambda x: (rows.append(len(x)), time.sleep(0.02 * len(x)))[0], X, never, budget=0.5)
    # 0.02 s a row leaves 25 rows in the budget; the warming batch of 8 comes before it
    assert sum(rows) <= 25 + 8 + 16


def test_auto_measures_only_where_it_pays_and_remembers(cache, monkeypatch) -> None:
    measured = []
    monkeypatch.setattr(batching, "fastest_size", lambda *_: measured.append(1) or 128)
    batcher = Batcher("auto", lambda: "model", "cpu", never)
    assert [rows.stop for rows, _ in batcher.run(len, X)] == [32, 64, 96, 100]
    assert not measured
    many = np.zeros((2500, 5, 4), np.uint8)
    assert next(iter(batcher.run(len, many)))[1] == 128
    assert next(iter(batcher.run(len, X)))[1] == 100
    other_run = Batcher("auto", lambda: "model", "cpu", never)
    assert next(iter(other_run.run(len, many)))[1] == 128
    assert len(measured) == 1
    assert list(json.loads(cache.read_text()).values()) == [128]


def test_another_model_length_or_device_is_measured_anew(monkeypatch) -> None:
    measured = []
    monkeypatch.setattr(batching, "fastest_size", lambda *_: measured.append(1) or 64)
    for name, device, length in [("a", "cpu", 5), ("b", "cpu", 5), ("a", "cuda", 5), ("a", "cpu", 6)]:
        batcher = Batcher("auto", lambda name=name: name, device, never)
        list(batcher.run(len, np.zeros((2500, length, 4), np.uint8)))
    assert len(measured) == 4


@pytest.mark.parametrize("damaged", ["", "[1, 2]", '{"half": '])
def test_a_damaged_memory_is_measured_again(cache, damaged: str, monkeypatch) -> None:
    monkeypatch.setattr(batching, "fastest_size", lambda *_: 16)
    cache.parent.mkdir(parents=True)
    cache.write_text(damaged)
    batcher = Batcher("auto", lambda: "model", "cpu", never)
    assert next(iter(batcher.run(len, np.zeros((2500, 5, 4), np.uint8))))[1] == 16
