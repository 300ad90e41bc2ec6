from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from cislens.cli.app import USER_ERROR, run
from cislens.simulation import bundled_grammars, read_truth, simulate


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def cislens(monkeypatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["cislens", *words])
    with pytest.raises(SystemExit) as ended:
        run()
    return int(ended.value.code or 0)


def test_without_a_name_the_grammars_are_listed(monkeypatch, capsys) -> None:
    assert cislens(monkeypatch, "simulate") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in bundled_grammars())


def test_what_is_written_is_what_python_simulates(monkeypatch, capsys) -> None:
    assert (
        cislens(monkeypatch, "simulate", "argminn_rest", "-n", "60", "--seed", "4", "-o", "rest", "--bayes", "500") == 0
    )
    assert "60 sequences in rest" in capsys.readouterr().out
    written, wanted = read_truth("rest"), simulate("argminn_rest", 60, 4)
    assert written.sequences.strings() == wanted.sequences.strings()
    assert (written.labels == wanted.labels).all()
    facts = json.loads(Path("rest/dataset.json").read_text())
    assert 0.9 < facts["bayes_limit"]["accuracy"] < 1


def test_a_folder_that_holds_files_is_refused_unless_told(monkeypatch, capsys) -> None:
    asked = ("simulate", "argminn_spi1", "-n", "5", "-o", "spi1", "--bayes", "0")
    assert cislens(monkeypatch, *asked) == 0
    assert cislens(monkeypatch, *asked) == USER_ERROR
    assert "must be new or empty" in capsys.readouterr().err
    assert cislens(monkeypatch, *asked, "--overwrite", "--json") == 0
    assert json.loads(capsys.readouterr().out)["sequences"] == 5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nonsense",), "must be a .toml file or one of"),
        (("argminn_spi1", "--instances", "weak"), "--instances must be sampled, best or a fraction"),
        (("argminn_spi1", "--spurious", "some"), "spurious must be one of"),
        (("argminn_spi1", "--length", "5"), "must fit into 5 bp"),
        (("argminn_spi1", "--background", "dinucleotide"), "is made of real sequences"),
    ],
)
def test_a_wrong_choice_is_a_sentence_and_leaves_no_set(words, sentence: str, monkeypatch, capsys) -> None:
    assert cislens(monkeypatch, "simulate", *words, "-n", "5", "-o", "out") == USER_ERROR
    assert sentence in capsys.readouterr().err
    assert not Path("out/dataset.json").exists()
