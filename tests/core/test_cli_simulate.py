"""`cislens simulate`, as it is typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cislens.cli.app import USER_ERROR, run
from cislens.errors import CislensError
from cislens.simulation import Simulator, bundled_grammars, load_grammar, read_truth, simulate

Call = Callable[..., tuple[int, str, str]]
GRAMMAR = """
title = "A word is positive"
length = 80
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
def here(tmp_path: Path, monkeypatch) -> Path:
    (tmp_path / "word.toml").write_text(GRAMMAR)
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


def test_without_a_name_the_grammars_are_listed_with_their_titles(cislens: Call) -> None:
    status, out, _ = cislens("simulate")
    assert status == 0
    for name in bundled_grammars():
        assert f"{name} " in out
        assert load_grammar(name).title[:30] in out


def test_what_is_written_is_what_python_simulates(cislens: Call) -> None:
    status, out, _ = cislens("simulate", "argminn_rest", "-n", "60", "--seed", "4", "--bayes", "500", "-o", "rest")
    assert status == 0
    assert len(list(Path("rest").iterdir())) == 6
    written, wanted = read_truth("rest"), simulate("argminn_rest", 60, 4)
    assert written.sequences.strings() == wanted.sequences.strings()
    assert written.labels.tolist() == wanted.labels.tolist()
    assert f"60 sequences in rest, {int(wanted.labels.sum())} of them positive" in out
    assert "Bayes limit: accuracy 0." in out
    assert "next      cislens train standard_cnn argminn_rest -o model" in out


def test_simulate_speaks_json(cislens: Call) -> None:
    status, out, _ = cislens("simulate", "word.toml", "-n", "10", "--bayes", "200", "-o", "set", "--json")
    facts = json.loads(out)
    assert status == 0
    assert (facts["sequences"], facts["grammar"], facts["seed"]) == (10, "word.toml", 0)
    assert 0.5 < facts["bayes_limit"]["accuracy"] <= 1
    assert facts == {"folder": "set", **json.loads(Path("set/dataset.json").read_text())}


def test_what_is_changed_of_the_grammar_is_done_and_kept(cislens: Call) -> None:
    changes = ("--length", "60", "--instances", "best", "--background", "frequencies:0.1/0.4/0.4/0.1")
    status, out, _ = cislens("simulate", "word.toml", "-n", "20", "--bayes", "0", "-o", "set", *changes)
    assert status == 0
    assert read_truth("set").sequences.length == 60
    facts = json.loads(Path("set/dataset.json").read_text())
    assert facts["changes"] == {"length": 60, "instances": "best", "background": changes[-1]}
    assert "bayes_limit" not in facts
    # The grammar as its file states it would make other sequences.
    assert "next      cislens train standard_cnn set -o model" in out


def test_a_folder_that_holds_files_is_refused_unless_told(cislens: Call, here: Path) -> None:
    (here / "set").mkdir()  # an empty one is no hindrance
    arguments = ("simulate", "word.toml", "-n", "10", "--bayes", "0", "-o", "set")
    assert cislens(*arguments)[0] == 0
    before = Path("set/sequences.fa").read_text()
    status, _, err = cislens(*arguments, "--seed", "1")
    assert status == USER_ERROR
    assert "set must be new or empty, and holds files: choose another folder, or say --overwrite" in err
    assert Path("set/sequences.fa").read_text() == before
    assert cislens(*arguments, "--seed", "1", "--overwrite")[0] == 0
    assert Path("set/sequences.fa").read_text() != before


def test_a_set_that_is_replaced_and_cut_short_passes_for_none(cislens: Call, monkeypatch) -> None:
    arguments = ("simulate", "word.toml", "-n", "2000", "--bayes", "0", "-o", "set")
    assert cislens(*arguments)[0] == 0
    kept, blocks = Simulator.truths, []

    def cut_short(self, *given):
        for block in kept(self, *given):
            if blocks:
                raise CislensError("the power failed")
            blocks.append(block)
            yield block

    monkeypatch.setattr(Simulator, "truths", cut_short)
    assert cislens(*arguments, "--seed", "1", "--overwrite")[0] == USER_ERROR
    with pytest.raises(CislensError, match="dataset.json is missing"):
        read_truth("set")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nonsense",), "a grammar must be a .toml file or one of argminn_e2f6_max, "),
        (("nowhere.toml",), "a grammar must be a .toml file or one of"),
        (("word.toml", "--instances", "good"), "--instances must be sampled, best or a fraction such as 0.9, got"),
        (("word.toml", "--instances", "1.5"), "instances must be sampled, best or a fraction up to 1, got 1.5"),
        (("word.toml", "--instances", "nan"), "instances must be sampled, best or a fraction up to 1"),
        (("word.toml", "--spurious", "some"), "spurious must be one of 'relative', 'mean_probability', 'kept'"),
        (("word.toml", "--length", "5"), "must fit into 5 bp, got 8 bp"),
        (("word.toml", "--background", "flat"), "flat"),
        (("word.toml", "--background", "dinucleotide"), "is made of real sequences, but none were given"),
        (("word.toml", "--source", "nowhere.fa"), "nowhere.fa"),
        (("word.toml", "-o", "word.toml"), "word.toml must be a folder, or become one, and is a file"),
    ],
)
def test_a_wrong_choice_is_one_sentence_and_leaves_no_set(
    cislens: Call, arguments: tuple[str, ...], sentence: str
) -> None:
    status, _, err = cislens("simulate", *arguments, "--bayes", "0", "-n", "10")
    assert status == USER_ERROR
    assert sentence in err
    assert (err.startswith("error: "), err.count("\n")) == (True, 1)
    assert not Path("simulated/dataset.json").exists()
