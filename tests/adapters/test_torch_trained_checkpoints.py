"""Checkpoints of `cislens train`: they open as what was trained, and can name nothing but a registered trainer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from tests.adapters.training_models import LENGTH, array_data, facts, grammar_data, trained  # noqa: E402

from cislens import explain, open_oracle  # noqa: E402
from cislens.errors import OracleError  # noqa: E402
from cislens.oracle import Oracle  # noqa: E402
from cislens.plugins import registry  # noqa: E402
from cislens.sequences import Sequences  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402
from cislens.training import TrainingData  # noqa: E402
from cislens.training.scoring import scores  # noqa: E402

pytestmark = pytest.mark.torch
KINDS: dict[str, Callable[[], TrainingData]] = {"binary": grammar_data, "regression": array_data}
TRAINED = [(name, kind) for name in registry().trainers for kind in KINDS]


@pytest.fixture(scope="module", params=TRAINED, ids="-".join)
def run(request, tmp_path_factory) -> tuple[str, Path]:
    """Two epochs of every trainer that is installed, on labels and on values."""
    name, kind = request.param
    folder = tmp_path_factory.mktemp("trained")
    trained(folder, KINDS[kind](), name)
    return kind, folder


def test_a_checkpoint_answers_as_the_trained_network_did_on_the_held_out_sets(run) -> None:
    kind, folder = run
    data, found = KINDS[kind](), facts(folder)
    oracle = open_oracle(folder / "model.safetensors", batch_size=256, device="cpu")
    for split in ("validation", "test"):
        held = data.held_out(split)
        answers = oracle.predict(held.onehot)["prediction"]
        assert scores(answers, held.values, data.task) == found["scores"][split]
        assert found["sizes"][split] == len(held)
    # The epoch that was kept is the best of the history, and the losses there are of these answers.
    held = data.held_out("validation")
    answers = oracle.predict(held.onehot)["prediction"].astype(np.float64)
    squares = (answers - held.values) ** 2
    entropies = np.logaddexp(0, answers) - held.values * answers
    loss = float((entropies if kind == "binary" else squares).mean())
    assert loss == pytest.approx(found["history"][found["best_epoch"] - 1]["validation_loss"], rel=1e-5)


def test_a_checkpoint_says_what_its_answers_are(run) -> None:
    kind, folder = run
    oracle = open_oracle(folder / "model.safetensors")
    (head,) = oracle.heads
    assert (head.name, head.scale) == ("prediction", "logit" if kind == "binary" else "linear")
    assert head.outputs == KINDS[kind]().outputs
    assert oracle.length == LENGTH
    assert facts(folder)["parameters"] == sum(p.numel() for p in oracle.native.parameters())


def test_a_checkpoint_keeps_every_promise_of_an_oracle(run) -> None:
    kind, folder = run
    # In float64, whose finite differences hold derivatives to 1e-4: in float32 maxima and ReLUs blur them.
    oracle = open_oracle(folder / "model.safetensors", precision="float64")
    OracleContract(oracle, KINDS[kind]().held_out("test").onehot[:3]).check()


@pytest.mark.parametrize("explainer", ["ism", "saliency"])
def test_a_checkpoint_can_be_explained(run, explainer: str) -> None:
    kind, folder = run
    oracle = open_oracle(folder / "model.safetensors")
    sequences = Sequences.from_onehot(KINDS[kind]().held_out("test").onehot[:2])
    maps = explain(oracle, sequences, explainer, target=oracle.heads[0].outputs[-1]).attributions
    assert maps is not None
    assert maps.values.shape == (1, 2, LENGTH, 4)
    assert np.isfinite(maps.values).all()
    assert np.abs(maps.values).max() > 0


# ---- what a checkpoint says of itself -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return trained(tmp_path_factory.mktemp("checkpoint"), array_data())


def said_by(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["cislens"])


def saying(path: Path, text: str, folder: Path) -> Path:
    """Return a copy of a checkpoint that says something else of itself."""
    save_file(load_file(path), folder / "other.safetensors", {"cislens": text})
    return folder / "other.safetensors"


def opened(checkpoint: Path, folder: Path, **changes: Any) -> Oracle:
    return open_oracle(saying(checkpoint, json.dumps({**said_by(checkpoint), **changes}), folder))


def test_a_checkpoint_says_its_trainer_its_settings_and_its_data_and_nothing_else(checkpoint: Path) -> None:
    said = said_by(checkpoint)
    assert sorted(said) == ["length", "outputs", "settings", "task", "trainer"]
    assert (said["trainer"], said["length"], said["outputs"]) == ("standard_cnn", LENGTH, ["guanine", "excess"])
    assert said["settings"]["filters"] == 8


def test_opening_leaves_torchs_generator_as_it_was(checkpoint: Path) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    open_oracle(checkpoint)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_the_user_states_wins_over_what_the_checkpoint_says(checkpoint: Path) -> None:
    oracle = open_oracle(checkpoint, heads=("activity",), outputs=("g", "a_less_c"), scales={"activity": "log"})
    (head,) = oracle.heads
    assert (head.name, head.outputs, head.scale) == ("activity", ("g", "a_less_c"), "log")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"standard_cnn"', "{}", "[" * 100_000, '{"trainer": "x"}'])
def test_metadata_that_says_nothing_is_a_sentence(text: str, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(OracleError, match="must say its trainer, settings, length, outputs and task"):
        open_oracle(saying(checkpoint, text, tmp_path))


@pytest.mark.parametrize(
    "changes",
    [
        {"trainer": 3},
        {"trainer": ["standard_cnn"]},
        {"settings": None},
        {"settings": [1]},
        {"length": 0},
        {"length": "100"},
        {"length": 1.5},
        {"length": True},
        {"outputs": []},
        {"outputs": "guanine"},
        {"outputs": [1, 2]},
        {"task": "ranking"},
        {"task": None},
    ],
    ids=str,
)
def test_metadata_of_the_wrong_kind_is_a_sentence(changes: dict, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(OracleError, match="must say its trainer, settings, length, outputs and task"):
        opened(checkpoint, tmp_path, **changes)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"depth": 3}, "standard_cnn has no setting 'depth'"),
        ({"filters": "many"}, "standard_cnn's filters must be int, got 'many'"),
        ({"filters": [8]}, "standard_cnn's filters must be int"),
        ({"filters": 0}, "would hold none"),
        ({"filters": -8}, "must make a network, but do not"),
        ({"width": 99}, "standard_cnn needs sequences of 146 bp at least"),
        ({"filters": 10**15}, "must make a network, but do not"),
        ({"__class__": "os.system"}, "has no setting '__class__'"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_a_sentence(
    settings: dict, sentence: str, checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(OracleError, match=rf"must say settings of which the standard_cnn .* but .*{sentence}"):
        opened(checkpoint, tmp_path, settings={**said_by(checkpoint)["settings"], **settings})


def test_a_setting_of_the_network_that_is_not_said_is_a_sentence_and_one_of_training_is_nothing(
    checkpoint: Path, tmp_path: Path
) -> None:
    said = said_by(checkpoint)["settings"]
    opened(checkpoint, tmp_path, settings={name: value for name, value in said.items() if name != "schedule"})
    with pytest.raises(OracleError, match="every setting of standard_cnn's network, but not width: it was trained"):
        opened(checkpoint, tmp_path, settings={name: value for name, value in said.items() if name != "width"})


def test_settings_that_build_another_network_are_a_sentence(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(OracleError, match="must fit the model"):
        opened(checkpoint, tmp_path, settings={"filters": 9, "width": 10})
    with pytest.raises(OracleError, match="must fit the model"):
        opened(checkpoint, tmp_path, trainer="bpnet_like", settings={"channels": 8, "width": 9, "layers": 1})


@pytest.mark.parametrize("name", ["nobodys", "os.system", "cislens_reference_models.trainers:StandardCnn", "", "ism"])
def test_metadata_can_name_nothing_but_a_registered_trainer(
    name: str, checkpoint: Path, tmp_path: Path, monkeypatch
) -> None:
    import importlib

    monkeypatch.setattr(importlib, "import_module", lambda *names: pytest.fail(f"{names} was imported"))
    with pytest.raises(OracleError, match=f"was trained by {name!r}, whose plugin must be installed: no trainer is"):
        opened(checkpoint, tmp_path, trainer=name)


def test_weights_that_say_nothing_of_cislens_are_opened_as_before(checkpoint: Path, tmp_path: Path) -> None:
    save_file(load_file(checkpoint), tmp_path / "plain.safetensors", {"format": "pt"})
    with pytest.raises(OracleError, match="holds weights without the model"):
        open_oracle(tmp_path / "plain.safetensors")
