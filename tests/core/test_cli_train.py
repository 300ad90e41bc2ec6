"""`cislens train`, and what `cislens plugins` shows of trainers, as they are typed."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from cislens.cli.app import USER_ERROR, run
from cislens.errors import CislensError
from cislens.plugins import registry
from cislens.simulation import load_grammar, read_truth
from cislens.training import DataOptions, TrainingContext, read_training_data
from cislens.training.grammar_data import GrammarData, Sizes
from cislens.training.trainer import parse_trainer

pytestmark = pytest.mark.torch
Call = Callable[..., tuple[int, str, str]]
GRAMMAR = """
length = 80
instances = "best"
[motifs]
word = { consensus = "GATTACAT" }
[rules]
bound = "word"
[[arrangements]]
name = "with"
layout = "word"
[[arrangements]]
name = "without"
layout = ""
"""
SIZES = ("--epoch-size", "128", "--validation-size", "64", "--test-size", "32")
TRAINER = "standard_cnn:epochs=2,batch_size=32,device=cpu"
TRAIN = ("train", TRAINER, "word.toml", "-o", "model", *SIZES)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch) -> Path:
    (tmp_path / "word.toml").write_text(GRAMMAR)
    texts = ["".join(row) for row in np.random.default_rng(0).choice(list("ACGT"), (120, 80))]
    rows = [f"{text},{text.count('G')},{text.count('T')}" for text in texts]
    (tmp_path / "table.csv").write_text("sequence,guanine,thymine\n" + "\n".join(rows))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cislens(monkeypatch, capsys) -> Call:
    """Run the command line in this process; return exit status, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cislens", *arguments])
        with pytest.raises(SystemExit) as ended:
            sys.exit(run())
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


# ---- training ---------------------------------------------------------------------------------------------


def test_without_a_name_the_trainers_are_listed_with_what_they_do(cislens: Call) -> None:
    status, out, _ = cislens("train")
    assert status == 0
    for name, kind in registry().trainers.items():
        assert f"{name} " in out
        assert kind.summary() in out
    assert "cislens train NAME DATA -o folder" in out


def test_a_model_of_a_grammar_is_the_one_that_python_trains_and_opens(cislens: Call) -> None:
    status, out, err = cislens(*TRAIN, "--seed", "3", "--data-seed", "4")
    assert status == 0
    assert "note: epoch 2 of 2: training loss" in err
    assert "validation (64 sequences): accuracy" in out
    assert "test (32 sequences): accuracy" in out
    assert "next      cislens inspect model/model.safetensors" in out
    data = GrammarData(load_grammar("word.toml"), Sizes(128, 64, 32), seed=4)
    wanted = parse_trainer(TRAINER).train(data, Path("python"), TrainingContext(3))
    assert Path("model/model.safetensors").read_bytes() == wanted.read_bytes()
    status, out, _ = cislens("inspect", "model/model.safetensors")
    assert status == 0
    assert "logit" in out


def test_train_speaks_json_and_nothing_else_on_standard_output(cislens: Call) -> None:
    status, out, _ = cislens(*TRAIN, "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts == {
        "checkpoint": "model/model.safetensors",
        **json.loads(Path("model/training.json").read_text()),
    }
    assert (facts["epochs"], facts["sizes"]) == (2, {"validation": 64, "test": 32})


def test_the_same_command_again_does_nothing_and_another_is_refused_unless_it_overwrites(cislens: Call) -> None:
    cislens(*TRAIN)
    weights = Path("model/model.safetensors").read_bytes()
    status, _, err = cislens(*TRAIN)
    assert (status, err) == (0, "note: training was finished before: model/model.safetensors\n")
    status, _, err = cislens(*TRAIN, "--seed", "1")
    assert status == USER_ERROR
    assert "model holds another run (seed 0, not 1): choose another folder, or say --overwrite" in err
    assert Path("model/model.safetensors").read_bytes() == weights
    assert cislens(*TRAIN, "--seed", "1", "--overwrite")[0] == 0
    assert Path("model/model.safetensors").read_bytes() != weights


def test_a_command_that_was_killed_goes_on(cislens: Call, monkeypatch) -> None:
    kept = TrainingContext.rng

    def killed(self, *names: str) -> np.random.Generator:
        if names == ("order", "2"):
            raise CislensError("killed")
        return kept(self, *names)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingContext, "rng", killed)
        assert cislens(*TRAIN)[0] == USER_ERROR
    status, _, err = cislens(*TRAIN)
    assert status == 0
    assert "going on after epoch 1" in err
    assert "epoch 1 of 2" not in err
    again = Path("model/model.safetensors").read_bytes()
    cislens(*TRAIN, "--overwrite")
    assert Path("model/model.safetensors").read_bytes() == again


def test_a_table_of_values_is_trained_on(cislens: Call) -> None:
    arguments = ("bpnet_like:epochs=1,batch_size=16,channels=4", "table.csv", "--values", "guanine", "-o", "model")
    status, out, _ = cislens("train", *arguments)
    assert status == 0
    assert "Pearson's r" in out
    facts = json.loads(Path("model/training.json").read_text())
    assert (facts["data"]["task"], facts["data"]["outputs"]) == ("regression", ["guanine"])


def test_a_run_that_learns_nothing_says_so(cislens: Call) -> None:
    status, out, err = cislens("train", f"{TRAINER},learning_rate=1e-9", "word.toml", "-o", "model", *SIZES)
    assert status == 0
    assert "failed: no better than chance on the validation set" in out
    assert "failed: on the validation set the model does no better than chance" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nonsense", "word.toml"), "no trainer is named 'nonsense': choose one of"),
        (("standard_cnn:depth=3", "word.toml"), "standard_cnn has no setting 'depth'"),
        (("standard_cnn:batch_size=31", "word.toml"), "must be of even size, got 31"),
        (("standard_cnn:width=60", "word.toml"), "standard_cnn needs sequences of 107 bp at least, got 80"),
        (("standard_cnn", "nothing.fa"), "nothing.fa"),
        (("standard_cnn", "notes.txt"), "training data are read from"),
        (("standard_cnn", "word.toml", "--epoch-size", "10"), "must fill a batch of 64 sequences at least"),
        (("standard_cnn", "word.toml", "--negatives", "gc", "--test", "chr1"), "leave out --negatives, --test"),
        (("standard_cnn", "table.csv", "--epoch-size", "10"), "leave out --epoch-size, --validation-size and"),
        (("standard_cnn", "table.csv", "--values", "adenine"), "has no column 'adenine'"),
    ],
)
def test_a_wrong_choice_is_one_sentence(cislens: Call, arguments: tuple[str, ...], sentence: str) -> None:
    status, _, err = cislens("train", *arguments)
    assert status == USER_ERROR
    assert sentence in err
    assert (err.startswith("error: "), err.count("\n")) == (True, 1)
    assert not Path("trained/training.json").exists()


def test_two_commands_cannot_write_to_one_folder_at_once(cislens: Call) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        Path("model.lock").write_text(f"{other.pid} {socket.gethostname()}")
        status, _, err = cislens("train", TRAINER, "word.toml", "-o", "model", *SIZES)
        assert status == USER_ERROR
        assert f"the folder model may have one writer, and process {other.pid} is writing it" in err
        assert not Path("model").exists()
    finally:
        other.communicate(b"\n")
    assert cislens("train", TRAINER, "word.toml", "-o", "model", *SIZES)[0] == 0
    assert not Path("model.lock").exists()


def test_a_trainer_without_data_is_told_what_is_missing(cislens: Call) -> None:
    status, _, err = cislens("train", "standard_cnn")
    assert status != 0
    assert "say what to train on: a grammar, or a file" in err


# ---- a simulated set as training data -------------------------------------------------------------------------


@pytest.fixture
def simulated(cislens: Call) -> Path:
    assert cislens("simulate", "word.toml", "-n", "200", "--bayes", "0", "-o", "set")[0] == 0
    return Path("set")


def test_a_simulated_set_is_trained_on(cislens: Call, simulated: Path) -> None:
    status, out, _ = cislens("train", TRAINER, "set", "-o", "model")
    assert status == 0
    assert "validation (20 sequences): accuracy" in out


def test_a_simulated_set_is_split_at_random_with_the_labels_that_it_states(simulated: Path) -> None:
    truth = read_truth(simulated)
    known = {row.tobytes(): label for row, label in zip(truth.sequences.onehot, truth.labels, strict=True)}
    data = read_training_data(simulated, DataOptions(validation=0.2, test=0.1, seed=1))
    assert (data.task, data.outputs, data.length) == ("binary", ("positive",), 80)
    record = data.record()
    assert (record["sizes"], record["file"]) == ({"train": 140, "validation": 40, "test": 20}, "set")
    batches = data.batches(140, np.random.default_rng(0))
    parts = [next(batches), data.held_out("validation"), data.held_out("test")]
    seen = [(row.tobytes(), value) for part in parts for row, value in zip(part.onehot, part.values[:, 0], strict=True)]
    assert {bases: value == 1 for bases, value in seen} == known
    assert len(seen) == 200


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"negatives": "dinucleotide"}, "brings values of its own: leave out --negatives"),
        ({"values": ("label",)}, "leave out --sequences and --values"),
        ({"length": 60, "fit": "crop-center"}, "stay as they are, 80 bp long, .* got a length of 60"),
        ({"validation": ("chr1",), "test": ("chr2",)}, "needs the coordinates of every sequence"),
    ],
)
def test_what_does_not_apply_to_a_simulated_set_is_refused(simulated: Path, options: dict, sentence: str) -> None:
    with pytest.raises(CislensError, match=sentence):
        read_training_data(simulated, DataOptions(**options))
    assert read_training_data(simulated, DataOptions(length=80)).length == 80


def test_a_folder_that_is_no_whole_simulated_set_is_refused(simulated: Path, tmp_path: Path) -> None:
    (simulated / "dataset.json").unlink()
    with pytest.raises(CislensError, match="must hold a set that cislens simulate wrote, but dataset.json is missing"):
        read_training_data(simulated)


# ---- plugins ----------------------------------------------------------------------------------------------


def test_plugins_list_trainers_and_show_their_settings(cislens: Call) -> None:
    out = cislens("plugins")[1]
    assert "Trainers" in out
    assert all(kind.summary() in out for kind in registry().trainers.values())
    out = cislens("plugins", "show", "standard_cnn")[1]
    assert "filters=8  (int)  of each convolution" in out
    assert "use    cislens train standard_cnn:epochs=40 DATA -o folder" in out
    listed = json.loads(cislens("plugins", "--json")[1])["trainers"]
    assert [entry["name"] for entry in listed] == list(registry().trainers)
    assert {"name": "width", "type": "int", "default": 10, "help": "of the first filters, in bp"} in next(
        entry["settings"] for entry in listed if entry["name"] == "standard_cnn"
    )


def test_a_name_of_nothing_lists_what_there_is(cislens: Call) -> None:
    status, _, err = cislens("plugins", "show", "nonsense")
    assert status == USER_ERROR
    assert "no part of a plugin is named 'nonsense': choose one of" in err
    assert "ism" in err
    assert "standard_cnn" in err
