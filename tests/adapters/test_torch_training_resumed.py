"""Training runs that are killed, started again, or meet another run in their folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.adapters.training_models import SMALL, array_data, facts, grammar_data, told_by, trained  # noqa: E402

from cislens.errors import CislensError  # noqa: E402
from cislens.training import TrainingContext  # noqa: E402
from cislens.training.scoring import told  # noqa: E402

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[2]


class Killed(BaseException):
    """What stands for a kill: nothing catches it."""


def killing(epoch: int) -> TrainingContext:
    def tell(sentence: str) -> None:
        if sentence.startswith(f"epoch {epoch} "):
            raise Killed

    return TrainingContext(tell=tell)


@pytest.mark.parametrize(("make", "schedule"), [(array_data, "constant"), (grammar_data, "cosine")])
def test_a_run_killed_after_any_epoch_and_started_again_ends_as_one_that_was_not(
    make: Callable[[], Any], schedule: str, tmp_path: Path
) -> None:
    whole = trained(tmp_path / "whole", make(), epochs=3, schedule=schedule, **SMALL)
    for epoch in (1, 2, 3):
        folder = tmp_path / str(epoch)
        with pytest.raises(Killed):
            trained(folder, make(), context=killing(epoch), epochs=3, schedule=schedule, **SMALL)
        again = trained(folder, make(), epochs=3, schedule=schedule, **SMALL)
        assert again.read_bytes() == whole.read_bytes()
        assert facts(folder)["scores"] == facts(tmp_path / "whole")["scores"]


def test_a_kill_at_any_write_leaves_no_half_file_and_a_run_that_goes_on(tmp_path: Path, monkeypatch) -> None:
    whole = trained(tmp_path / "whole", array_data()).read_bytes()
    kept, replaced = os.replace, 0

    def replacing(*paths: Any) -> None:
        nonlocal replaced
        if replaced == limit:
            raise Killed
        replaced += 1
        kept(*paths)

    monkeypatch.setattr(os, "replace", replacing)
    for limit in range(20):
        folder, replaced = tmp_path / str(limit), 0
        try:
            trained(folder, array_data())
        except Killed:
            for path in folder.iterdir():
                if path.suffix == ".json":
                    json.loads(path.read_text())
                assert path.name in ("training.json", "state.pt", "model.safetensors")
            replaced = -100
            assert trained(folder, array_data()).read_bytes() == whole
        else:
            break
    assert limit == 5  # what the run is of, two epochs, the checkpoint, the results
    assert sorted(path.name for path in folder.iterdir()) == ["model.safetensors", "training.json"]


def test_a_process_killed_outright_goes_on_where_it_stopped(tmp_path: Path) -> None:
    program = (
        "import os, signal; from pathlib import Path\n"
        "from tests.adapters.training_models import array_data, trained; from cislens.training import TrainingContext\n"
        "def tell(s):\n    s.startswith('epoch 3') and os.kill(os.getpid(), signal.SIGKILL)\n"
        "trained(Path('killed'), array_data(), context=TrainingContext(tell=tell), epochs=4)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    said = told_by(tmp_path / "killed", array_data(), epochs=4)
    assert said[0] == "going on after epoch 2"
    whole = trained(tmp_path / "whole", array_data(), epochs=4)
    assert (tmp_path / "killed" / "model.safetensors").read_bytes() == whole.read_bytes()


def test_a_finished_run_started_again_does_nothing(tmp_path: Path) -> None:
    trained(tmp_path, array_data())
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    (sentence,) = told_by(tmp_path, array_data())
    assert sentence.startswith("training was finished before: ")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()} == before


ANOTHER = [
    ({"learning_rate": 0.1}, {}, 0, r"settings learning_rate 0.001, not 0.1"),
    ({"name": "bpnet_like"}, {}, 0, r"trainer 'standard_cnn', not 'bpnet_like'"),
    ({}, {}, 5, r"seed 0, not 5"),
    ({}, {"seed": 1}, 0, r"data fingerprint '\w+', not '\w+'"),
]


@pytest.mark.parametrize(("settings", "data", "seed", "difference"), ANOTHER)
@pytest.mark.parametrize("killed", [False, True])
def test_another_run_in_the_same_folder_is_refused_by_its_difference(
    settings: dict, data: dict, seed: int, difference: str, killed: bool, tmp_path: Path
) -> None:
    if killed:
        with pytest.raises(Killed):
            trained(tmp_path, array_data(), context=killing(2))
    else:
        trained(tmp_path, array_data())
    with pytest.raises(
        CislensError, match=rf"holds another run \({difference}\): choose another folder, or say --over"
    ):
        trained(tmp_path, array_data(**data), context=TrainingContext(seed), **settings)
    replaced = trained(tmp_path, array_data(**data), context=TrainingContext(seed, overwrite=True), **settings)
    fresh = trained(tmp_path / "fresh", array_data(**data), context=TrainingContext(seed), **settings)
    assert replaced.read_bytes() == fresh.read_bytes()


def test_grammars_of_one_name_and_other_motifs_are_other_data(tmp_path: Path) -> None:
    trained(tmp_path, grammar_data())
    with pytest.raises(CislensError, match="data fingerprint"):
        trained(tmp_path, grammar_data(word="GATTACAA"))


@pytest.mark.parametrize("name", ["model.safetensors", "state.pt"])
def test_files_of_which_no_run_tells_are_neither_gone_on_with_nor_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"somebody's")
    with pytest.raises(CislensError, match=f"holds {name}, of which no training.json tells: choose another folder"):
        trained(tmp_path, array_data())
    assert (tmp_path / name).read_bytes() == b"somebody's"


def test_a_results_file_of_something_else_is_another_run(tmp_path: Path) -> None:
    for text in ("[1]", "{}", "half a fi"):
        (tmp_path / "training.json").write_text(text)
        with pytest.raises(CislensError, match="holds another run"):
            trained(tmp_path, array_data())


def test_settings_that_failed_before_the_first_epoch_do_not_occupy_the_folder(tmp_path: Path) -> None:
    with pytest.raises(CislensError, match="137 bp at least"):
        trained(tmp_path, array_data(), width=90)
    trained(tmp_path, array_data(), width=9)


def test_the_same_data_told_of_in_other_words_are_the_same_run(tmp_path: Path) -> None:
    first = array_data()
    reworded = replace(first, name="other.fa", origin={"file": "./other.fa"}, notes=("read with care",))
    trained(tmp_path, first)
    (sentence,) = told_by(tmp_path, reworded)
    assert sentence.startswith("training was finished before: ")
    assert facts(tmp_path)["data"]["name"] == first.name


def test_a_run_that_is_to_replace_others_goes_on_with_itself(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        trained(tmp_path / "killed", array_data(), context=killing(3), epochs=4)
    sentences: list[str] = []
    context = TrainingContext(tell=sentences.append, overwrite=True)
    again = trained(tmp_path / "killed", array_data(), context=context, epochs=4)
    assert sentences[0] == "going on after epoch 2"
    assert again.read_bytes() == trained(tmp_path / "whole", array_data(), epochs=4).read_bytes()


def test_what_is_no_number_is_null_in_the_results(tmp_path: Path) -> None:
    # Of held-out sets of one label there is no area under a curve.
    data = array_data(labels="random")
    data.examples.values[np.concatenate([data.parts.validation, data.parts.test])] = 0
    trained(tmp_path, data)
    text = (tmp_path / "training.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["scores"]["test"]["auroc"] is None
    assert "AUROC not known" in told(json.loads(text)["scores"]["test"])
