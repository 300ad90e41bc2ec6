"""Examples in memory, batch by batch."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cislens.errors import CislensError
from cislens.training import ArrayData, Examples
from cislens.training.splits import Parts


def data(n: int = 20, train: int = 14, validation: int = 4) -> ArrayData:
    """Examples whose value is their place, and whose bases spell it in base 4."""
    places = np.arange(n)
    codes = places[:, None] // 4 ** np.arange(6) % 4
    parts = Parts(places[:train], places[train : train + validation], places[train + validation :])
    examples = Examples(np.eye(4, dtype=np.uint8)[codes], places[:, None].astype(np.float32))
    return ArrayData("numbers", examples, parts, ("place",), "regression")


@settings(deadline=None, max_examples=50)
@given(train=st.integers(1, 40), size=st.integers(1, 40), seed=st.integers(0, 5))
def test_every_training_example_comes_once_an_epoch_and_what_is_left_over_does_not(
    train: int, size: int, seed: int
) -> None:
    held = data(50, train, 5)
    if size > train:
        with pytest.raises(CislensError, match=f"a batch must hold 1 to {train} examples"):
            held.steps(size)
        return
    batches = list(held.batches(size, np.random.default_rng(seed)))
    seen = [int(value) for batch in batches for value in batch.values[:, 0]]
    assert all(len(batch) == size for batch in batches)
    assert len(batches) == held.steps(size) == train // size
    assert len(seen) == len(set(seen)) == train // size * size
    assert set(seen) <= set(range(train))


def test_bases_stay_with_their_values() -> None:
    for batch in data().batches(5, np.random.default_rng(1)):
        spelled = (batch.onehot.argmax(-1) * 4 ** np.arange(6)).sum(1)
        assert np.array_equal(spelled, batch.values[:, 0])
        assert batch.onehot.dtype == np.uint8


def test_the_order_is_that_of_the_stream() -> None:
    orders = [
        np.concatenate([b.values for b in data().batches(2, np.random.default_rng(seed))]).tolist()
        for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_epochs_of_one_stream_differ() -> None:
    rng = np.random.default_rng(0)
    first, second = (np.concatenate([b.values for b in data().batches(2, rng)]).tolist() for _ in range(2))
    assert first != second
    assert sorted(first) == sorted(second)


def test_held_out_parts_are_whole_and_always_the_same() -> None:
    held = data()
    assert held.held_out("validation").values[:, 0].tolist() == [14, 15, 16, 17]
    assert held.held_out("test").values[:, 0].tolist() == [18, 19]
    assert np.array_equal(held.held_out("test").onehot, held.held_out("test").onehot)


def test_the_fingerprint_sees_a_base_a_value_and_the_split() -> None:
    first, other_split, other_base, other_value = data(), data(train=13, validation=5), data(), data()
    other_base.examples.onehot[3, 2] = other_base.examples.onehot[3, 2, ::-1]
    other_value.examples.values[3] += 1
    prints = [d.record()["fingerprint"] for d in (first, other_split, other_base, other_value)]
    assert len(set(prints)) == 4
    assert data().record()["fingerprint"] == prints[0]


def test_the_record_is_json_and_counts_the_parts() -> None:
    record = json.loads(json.dumps(data().record()))
    assert record["sizes"] == {"train": 14, "validation": 4, "test": 2}
    assert (record["length"], record["outputs"], record["task"]) == (6, ["place"], "regression")


def test_columns_without_a_name_are_refused() -> None:
    held = data()
    with pytest.raises(CislensError, match="got 2 names for 1 columns"):
        ArrayData("numbers", held.examples, held.parts, ("a", "b"), "regression")
