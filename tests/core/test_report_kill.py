"""A kill at any moment costs no more than the block it fell into."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# Runs the same small report with a kill at one file event after the other. The server that forks never touches zarr
# itself, whose threads would not survive a fork.
KILLER = """
import hashlib, os, signal, sys
import numpy as np, pandas as pd, zarr
from pathlib import Path
from test_report_roundtrip import facts
from test_report_store import KEY, MADE, SEQUENCES, part
from cislens.report.store import ReportStore

STEP = int(sys.argv[1])
WATCHED = {"open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir"}
state = {"left": -1}

def watch(event, arguments):
    if event in WATCHED and state["left"] >= 0:
        if event == "open" and not isinstance(arguments[2], int):
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            return
        if state["left"] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        state["left"] -= 1

sys.addaudithook(watch)

def work(path):
    store = ReportStore.open(path, "a")
    with store.begin("toy", KEY, SEQUENCES, block=6) as writer:
        for number in writer.pending:
            writer.write(number, part(writer.rows(number)))
        writer.finish(MADE)

def child(what):
    pid = os.fork()
    if pid == 0:
        try:
            what()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def digest(path):
    report = ReportStore.open(path).read()
    said = repr(sorted(facts(report).items())) + report.instances.to_csv()
    Path(f"{path}.digest").write_text(hashlib.sha256(said.encode()).hexdigest())

def go_on(path):
    work(path)
    digest(path)

def killed(path, after):
    state["left"] = after
    work(path)

assert child(lambda: go_on("whole.zarr")) == 0
whole, kills, after = Path("whole.zarr.digest").read_text(), 0, 0
while True:
    path = f"killed{after}.zarr"
    status = child(lambda: killed(path, after))
    if status == 0:
        break
    assert status == -signal.SIGKILL, status
    kills += 1
    assert child(lambda: go_on(path)) == 0, after
    assert Path(f"{path}.digest").read_text() == whole, after
    after += STEP
print(kills)
"""


def kills(tmp_path, step: int) -> int:
    (tmp_path / "killer.py").write_text(KILLER)
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "killer.py", str(step)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def test_a_kill_at_any_moment_leaves_a_store_that_goes_on_to_the_same_report_bitwise(tmp_path) -> None:
    assert kills(tmp_path, step=61) > 3


@pytest.mark.slow
def test_a_kill_at_every_single_file_event_does_so_too(tmp_path) -> None:
    assert kills(tmp_path, step=1) > 70
