"""The bundled model: small, the same in both frameworks, and what it was made to be."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cislens import Sequences, explain, open_oracle, read_sequences
from cislens.demo import tour
from cislens.demo.tour import CHECKPOINT
from cislens.report import MotifReport
from cislens.report.store import ReportStore

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 300_000
SITES = {"ap1": "TGACTCA", "gata": "AGATAAGG"}
DRIVER = {"stimulated": "ap1", "blood": "gata"}
PLANTED = re.compile(r"_(ap1|gata)@(\d+)[+-]")
CLOSE = 1e-5  # float32 sums in another order, on values of at most 3


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_demo_model", ROOT / "scripts" / "train_demo_model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sequences() -> Sequences:
    return read_sequences(CHECKPOINT / "enhancers.fa", length=200)


def torch_oracle() -> Any:
    pytest.importorskip("torch")
    return open_oracle(f"{CHECKPOINT / 'model.py'}:torch_model", weights=CHECKPOINT / "enhancer.safetensors")


def keras_oracle() -> Any:
    pytest.importorskip("keras")
    return open_oracle(CHECKPOINT / "enhancer.keras")


def test_the_bundled_files_are_small() -> None:
    assert sum(path.stat().st_size for path in CHECKPOINT.rglob("*") if path.is_file()) < MOST_BYTES


def test_the_ids_say_what_the_sequences_hold(sequences: Sequences, script: ModuleType) -> None:
    for name, text in zip(sequences.ids, sequences.strings(), strict=True):
        for motif, start in PLANTED.findall(name):
            found = text[int(start) : int(start) + len(SITES[motif])]
            either = (SITES[motif], script.reverse_complement(SITES[motif]))
            assert (found in either) == (not name.startswith("decoy")), name


@pytest.mark.torch
@pytest.mark.keras
def test_both_frameworks_hold_the_same_model(sequences: Sequences) -> None:
    ours, theirs = torch_oracle().predict(sequences.onehot), keras_oracle().predict(sequences.onehot)
    assert list(ours) == list(theirs) == ["stimulated", "blood"]
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], atol=CLOSE)


@pytest.mark.torch
def test_the_model_answers_as_its_readme_says(script: ModuleType) -> None:
    stated = [float(n) for n in re.findall(r"(0\.\d{3})\s+of", (CHECKPOINT / "README.md").read_text())]
    held_out = script.simulate(script.HELD_OUT, np.random.default_rng([script.SEED, 1]))
    answer = torch_oracle().predict(Sequences.from_strings(held_out).onehot)
    found = script.r_squared(np.concatenate(list(answer.values()), 1), script.truth(held_out))
    np.testing.assert_allclose(found, stated, atol=2e-3)  # stated to three digits
    assert (found > 0.97).all()


@pytest.mark.torch
@pytest.mark.parametrize("explainer", ["ism", "saliency", "integrated_gradients"])
@pytest.mark.parametrize("target", ["stimulated", "blood"])
def test_maps_show_the_planted_sites_ten_times_above_the_rest(
    sequences: Sequences, explainer: str, target: str
) -> None:
    driver = DRIVER[target]
    holding = [i for i, name in enumerate(sequences.ids) if f"_{driver}@" in name and not name.startswith("decoy")]
    report = explain(torch_oracle(), sequences.take(holding), explainer, target=target)
    heights = np.abs(observed(report))
    for name, row in zip(report.sequences.ids, heights, strict=True):
        planted = {motif: slice(int(at), int(at) + len(SITES[motif])) for motif, at in PLANTED.findall(name)}
        outside = np.ones(200, bool)
        for place in planted.values():
            outside[place] = False
        assert row[planted[driver]].mean() > 10 * row[outside].mean(), name


def observed(report: MotifReport) -> Any:
    """Return the height of each observed base against the mean of the four, (n, length)."""
    assert report.attributions is not None
    values = report.attributions.values[0]
    return ((values - values.mean(-1, keepdims=True)) * report.sequences.onehot).sum(-1)


@pytest.mark.torch
def test_the_tour_leaves_a_store_a_page_and_commands_that_name_files_that_exist(tmp_path: Path) -> None:
    said: list[str] = []
    steps: list[float] = []
    page = tour.run_demo(tmp_path / "demo", said.append, lambda done, total: steps.append(done / total))
    assert page.exists()
    store = ReportStore.open(tmp_path / "demo" / "report.zarr", "r")
    assert set(store.labels) == {"ism", "saliency", "integrated_gradients"}
    assert [line.split()[1:7] for line in said if line.split()[:1] == ["ism"]] == ["12 of 12 12 of 12".split()]
    assert steps == sorted(steps)
    assert steps[-1] == 1
    named = re.findall(r"\S*demo/[\w.]+", "\n".join(line for line in said if line.strip().startswith("cislens ")))
    assert named
    assert all(Path(name).exists() for name in named)
