"""Published weights opened by the name of their architecture, against the same weights opened with their network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cislens import Oracle, Sequences, explain, open_oracle

pytestmark = [pytest.mark.real, pytest.mark.torch, pytest.mark.keras]
FRAMEWORKS = ("keras", "torch")
CLASSES = ("MAX", "FOXA1", "JUND")
BOUND = 1e-5


def dna(length: int) -> np.ndarray:
    return np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (16, length))]


def enhancer(real_data: Path) -> np.ndarray:
    lines = (real_data / "sequences/deepstarr_enhancer.fa").read_text().splitlines()
    text = "".join(line.strip() for line in lines if not line.startswith(">"))
    return np.array([[[base == letter for letter in "ACGT"] for base in text]], np.uint8)


def assert_same(ours: Oracle, theirs: Oracle, x: np.ndarray, heads: dict[str, str]) -> None:
    answers, expected = ours.predict(x), theirs.predict(x)
    for own, other in heads.items():
        assert np.abs(answers[own] - expected[other]).max() <= BOUND * max(1, np.abs(expected[other]).max())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_deepstarr_by_name_is_the_model_of_its_json(framework: str, real_data: Path) -> None:
    weights = real_data / "checkpoints/deepstarr/deepstarr.model.h5"
    oracle = open_oracle(f"arch:deepstarr@{framework}", weights)
    assert (oracle.length, [head.name for head in oracle.heads]) == (249, ["Dev", "Hk"])
    assert oracle.predict(enhancer(real_data))["Dev"][0, 0] == pytest.approx(2.479, abs=5e-4)
    assert_same(oracle, open_oracle(weights.with_suffix(".json")), dna(249), {"Dev": "Dev", "Hk": "Hk"})


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_explainn_by_name_is_the_network_written_out(framework: str, real_data: Path) -> None:
    from tests.real.test_torch_real import ExplaiNN

    weights = real_data / "checkpoints/explainn_remap/model_epoch_best_4.pth"
    oracle = open_oracle(f"arch:explainn@{framework}", weights, outputs=CLASSES)
    assert (oracle.length, oracle.heads[0].outputs) == (200, CLASSES)
    assert_same(oracle, open_oracle(ExplaiNN(), weights), dna(200), {"classes": "output"})


@pytest.mark.parametrize(
    ("model", "file", "target"),
    [
        ("deepstarr", "deepstarr/deepstarr.model.h5", "Dev"),
        ("explainn", "explainn_remap/model_epoch_best_4.pth", "1"),
    ],
)
def test_maps_of_both_frameworks_agree(model: str, file: str, target: str, real_data: Path) -> None:
    oracles = [open_oracle(f"arch:{model}@{framework}", real_data / "checkpoints" / file) for framework in FRAMEWORKS]
    length = oracles[0].length
    assert length is not None
    few = Sequences.from_onehot(dna(length)[:3])
    a, b = (explain(oracle, few, "saliency", target).attributions.values for oracle in oracles)
    assert np.abs(a - b).max() <= 1e-4 * np.abs(a).max()
