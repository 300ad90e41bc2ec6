from __future__ import annotations

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from cislens.report import MotifReport

N, LENGTH = 200, 20
MODEL = f"""
import time
import numpy as np

W = np.random.default_rng(0).normal(size=({LENGTH}, 4)).astype(np.float32)

def slow(x):
    time.sleep(0.002)
    return np.tanh((x * W).sum((1, 2)))
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)
    rng = np.random.default_rng(1)
    lines = [f">s{i}\n{''.join(rng.choice(list('ACGT'), LENGTH))}\n" for i in range(N)]
    (tmp_path / "seqs.fa").write_text("".join(lines))
    return tmp_path


def command(store: str) -> list[str]:
    settings = ("--input-length", str(LENGTH), "--batch-size", "32", "--block", "16", "-e", "ism", "-o", store)
    return [sys.executable, "-m", "cislens", "explain", "model.py:slow", "seqs.fa", *settings]


def done_blocks(store) -> int:
    return len(list(store.glob("reports/ism/done/*")))


def test_a_killed_run_started_again_ends_with_the_same_report_bitwise(folder) -> None:
    subprocess.run(command("whole.zarr"), cwd=folder, check=True, capture_output=True)
    run = subprocess.Popen(command("killed.zarr"), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    killed = folder / "killed.zarr"
    while done_blocks(killed) < 4 and run.poll() is None:
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    finished = done_blocks(killed)
    assert 4 <= finished < 13, "the kill must come in the middle"
    subprocess.run(command("killed.zarr"), cwd=folder, check=True, capture_output=True)

    whole, resumed = (MotifReport.load(folder / name) for name in ("whole.zarr", "killed.zarr"))
    assert resumed.sequences.ids == whole.sequences.ids
    np.testing.assert_array_equal(resumed.sequences.onehot, whole.sequences.onehot)
    np.testing.assert_array_equal(resumed.predictions, whole.predictions)
    np.testing.assert_array_equal(resumed.attributions.values, whole.attributions.values)
    made, remade = whole.provenance.to_json(), resumed.provenance.to_json()
    made.pop("cost")
    remade.pop("cost")
    assert remade == made


def test_what_was_done_before_a_kill_is_not_done_again(folder) -> None:
    subprocess.run(command("out.zarr"), cwd=folder, check=True, capture_output=True)
    store = folder / "out.zarr"
    stamps = {path: path.stat().st_mtime_ns for path in store.glob("reports/ism/done/*")}
    forgotten = sorted(stamps)[2]
    forgotten.unlink()
    subprocess.run(command("out.zarr"), cwd=folder, check=True, capture_output=True)
    redone = [path for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp]
    assert redone == [forgotten]


def test_an_interrupted_run_says_what_is_kept_and_goes_on(folder) -> None:
    run = subprocess.Popen(command("out.zarr"), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while done_blocks(folder / "out.zarr") < 2 and run.poll() is None:
        time.sleep(0.005)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate()
    assert run.returncode == 130
    assert "what was finished is kept" in told
    assert "Traceback" not in told
    (sentence,) = MotifReport.load(folder / "out.zarr").validity.warnings
    assert "goes on where it stopped" in sentence
