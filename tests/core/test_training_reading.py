"""Training data from any file, in Python and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cislens.cli.training_options import TrainingDataOptions, with_training_options
from cislens.errors import CislensError
from cislens.training import DataOptions, read_training_data
from cislens.training.options import parse_held_out


def write_table(path: Path, n: int = 40) -> Path:
    codes = np.random.default_rng(0).integers(0, 4, (n, 12))
    rows = [f"chr{i % 4}:{i}-{i + 12},{''.join('ACGT'[c] for c in code)},{i},{i % 2}" for i, code in enumerate(codes)]
    path.write_text("\n".join(["id,sequence,level,on", *rows]) + "\n")
    return path


@pytest.mark.parametrize("name", ["x.npy", "x.txt", "x", "x.npz.gz", "x.toml"])
def test_a_file_of_another_kind_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CislensError, match=rf"training data are read from .* got {name}: rename or convert"):
        read_training_data(tmp_path / name)


@pytest.mark.parametrize("name", ["x.csv", "x.npz", "x.fa"])
def test_a_file_that_is_not_there_is_said(name: str, tmp_path: Path) -> None:
    options = DataOptions(negatives="dinucleotide") if name == "x.fa" else DataOptions()
    with pytest.raises(CislensError, match=rf"must be a file that exists, got .*{name}"):
        read_training_data(tmp_path / name, options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"validation": ("chr1",)}, r"both be fractions or both chromosomes, got \('chr1',\) and 0.1"),
        ({"validation": ("a", "b"), "test": ("b",)}, r"chromosomes that the other does not, got a\+b and b"),
        ({"validation": (), "test": ("b",)}, r"chromosomes that the other does not, got none and b"),
        ({"validation": 0.5, "test": 0.5}, r"above 0 and leave something for training, got 0.5 and 0.5"),
        ({"validation": 0.0}, r"above 0 and leave something for training"),
        ({"validation": float("nan")}, r"above 0 and leave something for training"),
        ({"per_positive": 0}, r"at least one negative must be made for each positive, got 0"),
        ({"task": "ranking"}, r"the task must be one of 'binary', 'regression', got 'ranking'"),
        ({"fit": "stretch"}, r"fit must be one of"),
        ({"layout": "4"}, r"layout must be one of"),
        ({"seed": -1}, r"the seed of the data must not be negative, got -1"),
        ({"pool": "x.fa"}, r"a pool is what gc chooses from, but negatives are None"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict, sentence: str) -> None:
    with pytest.raises(CislensError, match=sentence):
        DataOptions(**options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.1", 0.1), (".25", 0.25), ("chr1", ("chr1",)), ("chr8+chr10", ("chr8", "chr10")), ("1", ("1",)), ("", ())],
)
def test_a_held_out_part_is_a_fraction_or_chromosomes(text: str, expected: object) -> None:
    assert parse_held_out(text) == expected


def test_a_file_with_a_split_of_its_own_is_not_split_by_chromosome(tmp_path: Path) -> None:
    onehot = np.eye(4)[np.random.default_rng(0).integers(0, 4, (9, 5))]
    np.savez(tmp_path / "x.npz", X_train=onehot, Y_train=np.arange(9))
    with pytest.raises(CislensError, match="is split already cannot be split by chromosome"):
        read_training_data(tmp_path / "x.npz", DataOptions(validation=("a",), test=("b",)))


def test_held_out_intervals_that_overlap_ones_trained_on_are_told(tmp_path: Path) -> None:
    texts = write_table(tmp_path / "t.csv").read_text().splitlines()[1:]
    apart = "".join(f"chr{i % 4}:{100 * i}-{100 * i + 12},{row.split(',')[1]},{i}\n" for i, row in enumerate(texts))
    (tmp_path / "apart.csv").write_text("id,sequence,level\n" + apart)
    assert read_training_data(tmp_path / "apart.csv").record()["notes"] == []
    # In the first table each of 12 bp begins 4 bp after another of its chromosome, and a fifth of 40 are held out.
    (note,) = read_training_data(tmp_path / "t.csv", DataOptions(values=("level",))).record()["notes"]
    assert note == "8 held-out intervals overlapping one trained on: split by chromosome to keep them apart"


def test_the_record_makes_the_data_again(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv")
    first = read_training_data(path, DataOptions(values=("level",), seed=3))
    record = json.loads(json.dumps(first.record()))
    told = record["options"]
    again = read_training_data(record["file"], DataOptions(**{**told, "values": tuple(told["values"])}))
    assert again.record() == first.record()
    assert record["task"] == "regression"
    assert read_training_data(path, DataOptions(values=("on",))).task == "binary"


def run(arguments: list[str]) -> tuple[dict[str, Any], str]:
    app = typer.Typer()

    @app.command()
    @with_training_options
    def show(data: str, read: TrainingDataOptions) -> None:
        typer.echo(json.dumps(read.read(data).record()))

    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), result.stderr


def test_options_of_the_command_line_reach_the_reader(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv")
    given = (
        "--values level --values on --input-length 10 --length crop-left --validation chr1 --test chr2 --data-seed 5 "
        "--task regression --sequences sequence --lowercase n --ambiguous drop"
    )
    told, said = run([str(path), *given.split()])
    assert told["outputs"] == ["level", "on"]
    assert (told["length"], told["sizes"]) == (10, {"train": 20, "validation": 10, "test": 10})
    assert told["notes"] == ["40 sequences cropped to their left end to 10 bp"]
    assert said == "note: 40 sequences cropped to their left end to 10 bp\n"
    expected = {"seed": 5, "task": "regression", "lowercase": "n", "ambiguous": "drop", "fit": "crop-left"}
    assert expected.items() <= told["options"].items()


def test_negatives_of_the_command_line_reach_the_reader(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv").read_text().splitlines()[1:]
    (tmp_path / "p.fa").write_text("".join(">{}\n{}\n".format(*row.split(",")[:2]) for row in table))
    told, _ = run([str(tmp_path / "p.fa"), "--negatives", "dinucleotide", "--per-positive", "2"])
    assert (told["options"]["per_positive"], told["task"], told["outputs"]) == (2, "binary", ["positive"])
    assert sum(told["sizes"].values()) + len(told["dropped"]) == 120
