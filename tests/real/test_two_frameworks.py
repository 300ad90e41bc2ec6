"""The same DeepSTARR weights through Keras and through torch give the same answers and the same maps."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from cislens import Sequences, explain, open_oracle

pytestmark = [pytest.mark.real, pytest.mark.torch, pytest.mark.keras]
LENGTH = 249


@pytest.fixture(scope="module")
def oracles():
    folder = os.environ.get("CISLENS_REAL_DATA")
    if not folder:
        pytest.skip("needs CISLENS_REAL_DATA")
    pytest.importorskip("torch")
    pytest.importorskip("keras")
    module = Path(__file__).with_name("deepstarr_torch.py")
    spec = importlib.util.spec_from_file_location("deepstarr_torch", module)
    deepstarr_torch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(deepstarr_torch)

    checkpoint = Path(folder) / "checkpoints/deepstarr/deepstarr.model.h5"
    keras = open_oracle(checkpoint.with_suffix(".json"))
    torch = open_oracle(deepstarr_torch.from_keras_h5(checkpoint), outputs=("Dev", "Hk"))
    return keras, torch


@pytest.fixture(scope="module")
def sequences() -> Sequences:
    onehot = np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (6, LENGTH))]
    return Sequences.from_onehot(onehot)


@pytest.mark.parametrize("target", ["Dev", "Hk"])
def test_predictions_agree(oracles, sequences, target: str) -> None:
    a, b = (oracle.select(target).predict(sequences.onehot) for oracle in oracles)
    assert np.abs(a - b).max() <= 1e-5 * max(1, np.abs(a).max())


@pytest.mark.parametrize("explainer", ["saliency", "saliency:correct=no", "ism", "integrated_gradients:steps=10"])
def test_maps_agree_on_both_heads(oracles, sequences, explainer: str) -> None:
    few = sequences.take(slice(0, 2))
    a, b = (explain(oracle, few, explainer, ["Dev", "Hk"]).attributions.values for oracle in oracles)
    for ours, theirs in zip(a, b, strict=True):
        assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(ours).max()


@pytest.mark.parametrize("explainer", ["ism", "saliency"])
def test_batch_size_and_order_change_a_map_by_at_most_1e_5_of_its_largest_value(
    oracles, sequences, explainer: str
) -> None:
    few = sequences.take(slice(0, 2))
    for oracle in oracles:
        maps = {}
        for size in (1, 7, 512):
            oracle.batcher.size = size
            maps[size] = explain(oracle, few, explainer, "Dev").attributions.values
        shuffled = explain(oracle, few.take([1, 0]), explainer, "Dev").attributions.values[:, [1, 0]]
        oracle.batcher.size = "auto"
        bound = 1e-5 * np.abs(maps[512]).max()
        for other in (*maps.values(), shuffled):
            assert np.abs(other - maps[512]).max() <= bound
