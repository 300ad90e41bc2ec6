"""The torch training loop: seeds, kills, early stopping, and sentences for what cannot be trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.adapters.training_models import (  # noqa: E402
    LENGTH,
    QUICK,
    SMALL,
    array_data,
    facts,
    grammar_data,
    told_by,
    trained,
)
from torch import nn  # noqa: E402

from cislens.errors import CislensError  # noqa: E402
from cislens.plugins import registry  # noqa: E402
from cislens.training import TrainingContext  # noqa: E402
from cislens.training.trainer import parse_trainer  # noqa: E402
from cislens_torch import TorchTrainer  # noqa: E402
from cislens_torch.training.files import TrainingState  # noqa: E402

pytestmark = pytest.mark.torch


@dataclass(frozen=True)
class Watched(TorchTrainer):
    """Train a network that keeps what it is shown, and what torch draws at each step."""

    name: ClassVar[str] = "watched"

    def network(self, length: int, outputs: int) -> nn.Module:
        shown.clear()
        drawn.clear()
        network = nn.Sequential(nn.Flatten(), nn.Linear(4 * length, outputs))
        network.register_forward_pre_hook(watch)
        return network


shown: list[Any] = []
drawn: list[float] = []


def watch(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    if module.training:
        shown.append(inputs[0])
        drawn.append(float(torch.rand(())))


# ---- seeds ------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_checkpoint_bit_for_bit_and_another_seed_another(tmp_path: Path) -> None:
    contents = [
        trained(tmp_path / str(i), array_data(), context=TrainingContext(seed), **SMALL).read_bytes()
        for i, seed in enumerate((1, 1, 2))
    ]
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_weights_do_not_depend_on_what_torch_drew_before_and_its_generators_stay_as_they_were(tmp_path: Path) -> None:
    contents = []
    for seed in (3, 4):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        contents.append(trained(tmp_path / str(seed), array_data(), **SMALL).read_bytes())
        assert torch.equal(torch.get_rng_state(), before)
        np.testing.assert_array_equal(np.random.get_state()[1], numpys)  # noqa: NPY002
    assert contents[0] == contents[1]


def test_the_users_number_type_and_threads_stay_as_they_are_and_training_is_in_float32(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    try:
        path = trained(tmp_path, array_data())
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.get_num_threads() == threads
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()
    from safetensors.torch import load_file

    assert {t.dtype for t in load_file(path).values()} == {torch.float32, torch.int64}


def test_each_epoch_has_a_dropout_of_its_own(tmp_path: Path) -> None:
    Watched(**{**QUICK, "epochs": 3}).train(array_data(), tmp_path, TrainingContext())
    assert len(set(drawn)) == len(drawn) == len(shown) == 3 * 6


@pytest.mark.parametrize(("schedule", "middle"), [("constant", 1.0), ("cosine", 0.5)])
def test_the_learning_rate_follows_its_schedule(schedule: str, middle: float, tmp_path: Path, monkeypatch) -> None:
    rates: list[float] = []
    step = torch.optim.AdamW.step

    def watched(self: Any, *given: Any, **named: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *given, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    trained(tmp_path, array_data(), epochs=4, patience=None, learning_rate=0.01, schedule=schedule)
    assert rates[0] == 0.01
    assert rates[len(rates) // 2] == pytest.approx(0.01 * middle)
    assert rates == sorted(rates, reverse=True)
    assert (rates[-1] < 0.001) == (schedule == "cosine")


# ---- stopping ---------------------------------------------------------------------------------------------


def test_the_best_epoch_is_the_first_with_the_lowest_validation_loss() -> None:
    state, network = TrainingState(), nn.Linear(1, 1)
    for loss in (3.0, 1.0, 2.0, 1.0, 1.5):
        with torch.no_grad():
            network.weight.fill_(state.epoch)
        state.add({"validation_loss": loss}, network)
    assert (state.epoch, state.best_epoch, float(state.best["weight"])) == (5, 2, 1.0)


@pytest.mark.parametrize("patience", [1, 2, None])
def test_training_stops_when_patience_ends_and_the_best_epoch_is_kept(patience: int | None, tmp_path: Path) -> None:
    data = array_data(labels="random")
    trained(tmp_path, data, epochs=12, patience=patience, learning_rate=0.03)
    found = facts(tmp_path)
    losses = [epoch["validation_loss"] for epoch in found["history"]]
    assert found["best_epoch"] == int(np.argmin(losses)) + 1
    assert found["epochs"] == len(losses) == (12 if patience is None else min(12, found["best_epoch"] + patience))
    assert len(losses) > found["best_epoch"]  # else nothing was stopped, and the last epoch is the best anyhow
    best = found["history"][found["best_epoch"] - 1]
    assert found["scores"]["validation"] == {name: best[f"validation_{name}"] for name in found["scores"]["validation"]}


def test_a_run_that_cannot_learn_is_reported_as_failed_and_one_that_learns_is_not(tmp_path: Path) -> None:
    said = told_by(tmp_path / "random", array_data(labels="random", n=200))
    assert said[-1].startswith("failed: on the validation set the model does no better than chance")
    assert facts(tmp_path / "random")["failed"] is True
    linear = Watched(**{**QUICK, "epochs": 20}, learning_rate=0.01, reverse_complement=False)
    said.clear()
    linear.train(array_data(n=800), tmp_path / "counts", TrainingContext(tell=said.append))
    assert facts(tmp_path / "counts")["failed"] is False
    assert not any(sentence.startswith("failed") for sentence in said)
    assert facts(tmp_path / "counts")["scores"]["test"]["pearson"] > 0.5


@pytest.mark.parametrize("settings", [{"learning_rate": 1e6, "epochs": 9}, {"learning_rate": 1e6, "batch_size": 96}])
def test_a_loss_that_is_not_finite_is_a_sentence(settings: dict, tmp_path: Path) -> None:
    with pytest.raises(CislensError, match=r"loss must stay finite, got (nan|inf) in epoch \d: lower the learning"):
        trained(tmp_path, array_data(), "bpnet_like", layers=9, **settings)


# ---- what is shown, and what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize("both", [True, False])
def test_each_batch_shows_both_strands_of_its_sequences_if_asked(both: bool, tmp_path: Path) -> None:
    data = array_data()
    Watched(**{**QUICK, "epochs": 1}, reverse_complement=both).train(data, tmp_path, TrainingContext())
    assert {tuple(x.shape) for x in shown} == {(16, 4, LENGTH)}
    rows = 8 if both else 16
    assert len(shown) == len(data.parts.train) // rows
    known = {row.tobytes() for row in data.examples.onehot[data.parts.train]}
    for x in shown:
        onehot = x.numpy().swapaxes(1, 2).astype(np.uint8)
        assert all(row.tobytes() in known for row in onehot[:rows])
        if both:
            np.testing.assert_array_equal(onehot[rows:], onehot[:rows, ::-1, ::-1])
    firsts = [row.tobytes() for x in shown for row in x.numpy().swapaxes(1, 2).astype(np.uint8)[:rows]]
    assert sorted(firsts) == sorted(known)  # each once an epoch


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"batch_size": 15}, "a batch that shows both strands must be of even size, got 15"),
        ({"batch_size": 1, "reverse_complement": False}, "batches of two at least"),
        ({"epochs": 0}, "an epoch at least"),
        ({"patience": 0}, "a patience of one epoch at least, got 2, 16 and 0"),
        ({"learning_rate": 0.0}, "a learning rate above 0 and up to 1e"),
        ({"learning_rate": 1e30}, "a learning rate above 0 and up to 1e"),
        ({"weight_decay": -0.1}, "a weight decay of 0 or more"),
        ({"batch_size": 500}, r"a batch must hold 1 to 48 examples, all that are trained on, got 250"),
        ({"width": 90}, "standard_cnn needs sequences of 137 bp at least, got 100"),
        ({"filters": 0}, "must hold weights, but convolution1.weight would hold none"),
        ({"filters": -3}, "the settings of standard_cnn must make a network, but do not: "),
    ],
)
def test_settings_that_cannot_be_trained_with_are_a_sentence(settings: dict, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(CislensError, match=sentence):
        trained(tmp_path / "run", array_data(), **settings)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CislensError, match="the device cuda must be there to train on it, but is not"):
        trained(tmp_path, array_data(), device="cuda")


def test_a_grammars_epoch_that_fills_no_batch_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CislensError, match="must fill a batch of 100 sequences at least: make the batches smaller"):
        trained(tmp_path, grammar_data(), batch_size=200)


def test_a_file_in_the_folders_place_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CislensError, match="must be a folder, or be made one"):
        trained(tmp_path / "file", array_data())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("standard_cnn:depth=3", "standard_cnn has no setting 'depth': its settings are epochs, batch_size"),
        ("standard_cnn:epochs=many", "standard_cnn's epochs must be int, got 'many'"),
        ("resnet", f"no trainer is named 'resnet': choose one of {', '.join(registry().trainers)}"),
    ],
)
def test_an_unknown_trainer_or_setting_is_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(CislensError, match=sentence):
        parse_trainer(text)
