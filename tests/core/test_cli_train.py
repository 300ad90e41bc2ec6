from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from cislens.cli.app import USER_ERROR, run

pytestmark = pytest.mark.torch
pytest.importorskip("torch")
QUICK = ("--epoch-size", "128", "--validation-size", "64", "--test-size", "64")
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


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("word.toml").write_text(GRAMMAR)


def cislens(monkeypatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["cislens", *words])
    with pytest.raises(SystemExit) as ended:
        run()
    return int(ended.value.code or 0)


def test_without_a_name_the_trainers_are_listed(monkeypatch, capsys) -> None:
    assert cislens(monkeypatch, "train") == 0
    out = capsys.readouterr().out
    assert "standard_cnn" in out
    assert "residual_network" in out


def test_a_model_of_a_grammar_is_trained_told_of_and_opened(monkeypatch, capsys) -> None:
    words = ("train", "standard_cnn:epochs=2,batch_size=32", "word.toml", "-o", "model", *QUICK)
    assert cislens(monkeypatch, *words) == 0
    printed = capsys.readouterr()
    assert "epoch 2 of 2" in printed.err
    assert "checkpoint in model/model.safetensors" in printed.out
    assert cislens(monkeypatch, "inspect", "model/model.safetensors") == 0
    assert "logit" in capsys.readouterr().out
    assert cislens(monkeypatch, *words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == 2
    assert cislens(monkeypatch, *words, "--seed", "1") == USER_ERROR
    assert "seed 0, not 1" in capsys.readouterr().err


def test_a_table_of_values_is_trained_on(monkeypatch, capsys) -> None:
    texts = ("".join(row) for row in np.random.default_rng(0).choice(list("ACGT"), (120, 80)))
    rows = [f"{text},{text.count('G')}" for text in texts]
    Path("table.csv").write_text("sequence,activity\n" + "\n".join(rows))
    words = ("train", "bpnet_like:epochs=1,batch_size=16,channels=4", "table.csv", "-o", "model")
    assert cislens(monkeypatch, *words) == 0
    assert "Pearson's r" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nonsense", "word.toml"), "no trainer is named 'nonsense'"),
        (("standard_cnn:depth=3", "word.toml"), "has no setting 'depth'"),
        (("standard_cnn", "nothing.fa"), "nothing.fa"),
    ],
)
def test_a_wrong_choice_is_a_sentence(words, sentence: str, monkeypatch, capsys) -> None:
    assert cislens(monkeypatch, "train", *words, *QUICK) == USER_ERROR
    assert sentence in capsys.readouterr().err
