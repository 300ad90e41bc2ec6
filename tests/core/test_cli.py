from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest

from cislens.cli.app import BUG, USER_ERROR, run
from cislens.report import MotifReport

MODEL = """
import numpy as np

def two(x):
    return {"a": x[:, :, 0].sum(1), "g": x[:, :, 2].sum(1)}

def sick(x):
    return np.full(len(x), np.nan)
"""
FASTA = ">one\nACGTACGTAC\n>two\nGGGGTTTTAA\n>three\nAAAAAAAAAA\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "seqs.fa").write_text(FASTA)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cislens(monkeypatch, capsys):
    """Run the command line in this process; return exit status, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cislens", *arguments])
        with pytest.raises(SystemExit) as ended:
            sys.exit(run())
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


EXPLAIN = ("explain", "model.py:two", "seqs.fa", "--input-length", "10", "-e", "ism")


def test_explain_writes_a_report_that_python_reads(cislens) -> None:
    status, out, _ = cislens(*EXPLAIN, "-t", "g", "-o", "out.zarr")
    assert status == 0
    assert "ism: 3 sequences, target g" in out
    report = MotifReport.load("out.zarr")
    assert report.sequences.ids == ("one", "two", "three")
    np.testing.assert_allclose(report.predictions[0], [2, 4, 0])


def test_explain_without_a_target_lists_the_choices(cislens) -> None:
    status, _, err = cislens(*EXPLAIN)
    assert status == USER_ERROR
    assert "choose one with -t" in err
    assert "a, g" in err
    assert "Traceback" not in err


def test_the_same_command_again_does_no_work_twice(cislens) -> None:
    cislens(*EXPLAIN, "-t", "g")
    first = json.loads(cislens(*EXPLAIN, "-t", "g", "--json")[1])
    assert first["ism"]["provenance"]["cost"]["predictions"] == 3 * (1 + 30)


def test_another_run_into_the_same_label_is_refused_unless_overwritten(cislens) -> None:
    cislens(*EXPLAIN, "-t", "g")
    status, _, err = cislens(*EXPLAIN, "-t", "a")
    assert status == USER_ERROR
    assert "--overwrite" in err
    assert cislens(*EXPLAIN, "-t", "a", "--overwrite")[0] == 0


def test_labels_keep_two_settings_of_one_explainer_apart(cislens) -> None:
    status, out, _ = cislens(*EXPLAIN, "-e", "again=ism", "-t", "g", "--json")
    assert status == 0
    assert list(json.loads(out)) == ["ism", "again"]


def test_one_label_for_two_explainers_is_refused(cislens) -> None:
    assert "label 'ism'" in cislens(*EXPLAIN, "-e", "ism", "-t", "g")[2]


def test_an_explainer_that_does_not_fit_names_those_that_do(cislens) -> None:
    status, _, err = cislens(*EXPLAIN[:-1], "saliency", "-t", "g")
    assert status == USER_ERROR
    assert re.search(r"choose one of (\w+, )*ism(, \w+)*$", err.strip())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("inspect", "nowhere.h5"), "file or folder that exists"),
        (("explain", "model.py:two", "nowhere.fa", "--input-length", "10", "-e", "ism", "-t", "g"), "nowhere.fa"),
        ((*EXPLAIN[:-1], "shap", "-t", "g"), "no explainer is named 'shap'"),
        ((*EXPLAIN[:-1], "ism:depth=3", "-t", "g"), "no setting 'depth'"),
        ((*EXPLAIN, "-t", "g:median"), "unknown or one too many"),
        ((*EXPLAIN, "-t", "g", "-o", "out.html"), "named \\*.zarr"),
        (
            (*EXPLAIN, "-t", "g", "--page", "no/page.html"),
            "no/page.html must be writable, got No such file or directory: mend that",
        ),
        (
            ("explain", "model.py:two", "seqs.fa", "--input-length", "12", "-e", "ism", "-t", "g"),
            "--length crop-center",
        ),
        (("report", "nowhere.zarr"), "nowhere.zarr"),
        (("explain", "model.py:sick", "seqs.fa", "--input-length", "10", "-e", "ism"), "NaN"),
    ],
)
def test_a_users_mistake_is_one_sentence_and_no_traceback(cislens, arguments, sentence: str) -> None:
    status, _, err = cislens(*arguments)
    assert status == USER_ERROR
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert sentence.replace("\\", "") in err


def test_debug_shows_the_traceback(monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["cislens", "inspect", "nowhere.h5", "--debug"])
    with pytest.raises(Exception, match="file or folder"):
        run()


def test_a_bug_says_how_to_see_its_traceback(cislens, monkeypatch) -> None:
    def broken(*_, **__):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("cislens.opening.open_oracle", broken)
    status, _, err = cislens("inspect", "model.py:two")
    assert status == BUG
    assert "--debug" in err


def test_inspect_shows_heads_capabilities_reasons_and_explainers(cislens) -> None:
    status, out, _ = cislens("inspect", "model.py:two", "--input-length", "10")
    assert status == 0
    for part in (
        "a",
        "g",
        "linearize, layers, ",
        "logits: a Python function shows nothing",
        "explain   ism",
        "not with  saliency",
    ):
        assert part in out


def test_inspect_speaks_json(cislens) -> None:
    facts = json.loads(cislens("inspect", "model.py:two", "--input-length", "10", "--json")[1])
    assert [head["name"] for head in facts["heads"]] == ["a", "g"]
    assert facts["capabilities"]["predict"] is None
    assert facts["explainers"]["ism"] == []


def test_report_writes_a_page_of_every_label(cislens, here) -> None:
    cislens(*EXPLAIN, "-e", "again=ism", "-t", "g")
    status, out, _ = cislens("report", "report.zarr", "-o", "page.html")
    assert status == 0
    assert out.strip() == "page.html"
    page = (here / "page.html").read_text()
    assert "again" in page
    assert "three" in page


def test_plugins_lists_explainers_and_shows_the_settings_of_one(cislens) -> None:
    assert "integrated_gradients" in cislens("plugins")[1]
    assert "steps=50" in cislens("plugins", "show", "integrated_gradients")[1]
    listed = json.loads(cislens("plugins", "--json")[1])
    assert {"ism", "saliency"} <= {entry["name"] for entry in listed["explainers"]}


def test_plugins_list_every_kind_that_can_be_registered(cislens) -> None:
    from cislens.plugins import registry
    from cislens.plugins.registry import KINDS

    listed = json.loads(cislens("plugins", "--json")[1])
    screen = cislens("plugins")[1]
    for kind in KINDS:
        names = list(getattr(registry(), kind))
        assert [entry["name"] for entry in listed[kind]] == names
        assert all(entry["summary"] for entry in listed[kind])
        assert not names or kind.capitalize() in screen
        assert all(name in screen for name in names)


def test_plugins_show_knows_every_name_of_every_kind(cislens) -> None:
    from cislens.plugins import registry

    for name in {name for entries in registry().entries.values() for name in entries}:
        status, out, err = cislens("plugins", "show", name)
        assert (status, err) == (0, "")
        assert out.startswith(f"{name}\n")
    # A derivation and an importer, with what each takes and how it is used.
    out = cislens("plugins", "show", "syntax")[1]
    assert "takes       instances" in out
    assert "use    cislens derive report.zarr syntax:most=150" in out
    # A setting of several values is shown as it is typed.
    assert "-e global_importance:motifs=TGACTCA+GATAAG " in cislens("plugins", "show", "global_importance")[1]


def test_doctor_names_versions_and_devices(cislens) -> None:
    status, out, _ = cislens("doctor", "--json")
    facts = json.loads(out)
    assert status == (1 if facts["problems"] else 0)
    assert facts["packages"]["numpy"] == np.__version__


def test_progress_is_reported_where_there_is_no_terminal(capsys, monkeypatch) -> None:
    from cislens.cli import console

    monkeypatch.setattr(console, "QUIET_SECONDS", 0.0)
    with console.progress_bar("ism") as progress:
        progress(3, 10)
    assert "ism: 3 of 10" in capsys.readouterr().err


def test_options_of_the_model_reach_it(cislens) -> None:
    out = cislens("inspect", "model.py:two", "--input-length", "10", "--heads", "x,y", "--scale", "y=counts", "--json")[
        1
    ]
    heads = json.loads(out)["heads"]
    assert [(head["name"], head["scale"]) for head in heads] == [("x", "unknown"), ("y", "counts")]


@pytest.mark.parametrize("option", [("--scale", "y"), ("--extra-input", "control"), ("--batch-size", "fast")])
def test_a_malformed_option_is_one_sentence(cislens, option) -> None:
    status, _, err = cislens("inspect", "model.py:two", "--input-length", "10", *option)
    assert status == USER_ERROR
    assert err.startswith("error: ")


def test_inspect_suggests_the_command_that_explains_this_model(cislens, here) -> None:
    out = cislens("inspect", "model.py:two", "--input-length", "10")[1]
    assert "cislens explain model.py:two SEQUENCES.fa -e ism -t a -o report.zarr" in out
