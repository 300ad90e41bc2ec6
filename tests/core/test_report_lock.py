"""One writer at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from cislens.errors import ReportError
from cislens.report.store import ReportStore, RunKey
from cislens.sequences import Sequences

SEQUENCES = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[None])
KEY = RunKey("toy", hashes=SEQUENCES.hashes())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "r.zarr"


def begun(path):
    return ReportStore.open(path, "a").begin("toy", KEY, SEQUENCES)


def lock_file(path):
    return path / ".cislens" / "locks" / "toy"


def test_a_second_writer_is_refused_while_the_first_lives(path) -> None:
    writer = begun(path)
    with pytest.raises(ReportError, match=f"process {os.getpid()} is writing it"):
        begun(path)
    ReportStore.open(path, "a").begin("other", KEY, SEQUENCES).close()
    writer.close()
    begun(path).close()


def test_a_writer_in_another_process_is_refused_and_its_lock_taken_over_when_it_is_killed(path) -> None:
    begun(path).close()
    code = (
        f"import os,socket,time; open({str(lock_file(path))!r},'w').write(f'{{os.getpid()}} {{socket.gethostname()}}')"
    )
    process = subprocess.Popen([sys.executable, "-c", f"{code}; print(1, flush=True); time.sleep(600)"], stdout=-1)
    with process:
        process.stdout.readline()
        with pytest.raises(ReportError, match=f"process {process.pid} is writing it"):
            begun(path)
        process.send_signal(signal.SIGKILL)
        # Dead but not buried: nobody has waited for it yet.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        begun(path).close()
    assert not lock_file(path).exists()


@pytest.mark.parametrize("content", ["", f"{os.getpid()} {os.uname().nodename}"], ids=["empty", "own number"])
def test_a_lock_without_a_process_or_with_our_own_number_from_a_former_life_is_taken_over(path, content: str) -> None:
    begun(path).close()
    lock_file(path).write_text(content)
    begun(path).close()


def test_a_lock_of_another_machine_is_respected_and_its_file_named(path) -> None:
    begun(path).close()
    lock_file(path).write_text("1 elsewhere")
    with pytest.raises(ReportError, match=r"process 1 on elsewhere.*delete .*locks/toy"):
        begun(path)


def test_an_error_in_the_middle_gives_the_lock_back(path) -> None:
    with pytest.raises(ZeroDivisionError), begun(path):
        1 / 0  # noqa: B018
    begun(path).close()
