"""Hostile and broken files: each is refused in one clear sentence, nothing is executed and nothing written."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from tests.hostile import keras_files, onnx_files, torch_files
from tests.hostile.hostile import Hostile

from cislens import open_oracle
from cislens.errors import OracleError

FILES = [*torch_files.FILES, *keras_files.FILES, *onnx_files.FILES]


def files_below(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_there_are_thirty_and_each_has_a_name_of_its_own() -> None:
    assert len({file.name for file in FILES}) == len(FILES) >= 30


@pytest.mark.parametrize("hostile", FILES, ids=lambda hostile: hostile.name)
def test_a_hostile_file_is_refused_in_a_sentence_and_nothing_runs(
    hostile: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = [name for name in hostile.needs if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    canary = tmp_path / "canary"
    attempt = hostile.write(inside, canary)
    before = files_below(tmp_path)
    with pytest.raises(OracleError, match=hostile.says) as refusal:
        open_oracle(attempt.model, attempt.weights)
    assert not canary.exists()
    assert files_below(tmp_path) == before
    sentence = str(refusal.value)
    assert "Traceback" not in sentence
    assert len(sentence) < 700
    assert re.match(r"\S", sentence)
