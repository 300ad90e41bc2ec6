"""Time `cislens inspect` of the demo's network in every kind of file, beyond the time to import its framework."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import record

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "scripts"))
ROUNDS = 3
LIMIT = 5.0  # seconds beyond the import
IMPORTS = {
    "torch": "import torch",
    "keras": "import tensorflow, keras",
    "onnxruntime": "import onnx, onnxruntime, torch",
}


def seconds(command: list[str]) -> float:
    """Return the median time of a command that must succeed."""
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        taken.append(time.perf_counter() - start)
        if run.returncode:
            sys.exit(f"{' '.join(command)} failed: {run.stderr}")
    return statistics.median(taken)


def inspected(files: Any) -> list[str]:
    """Return the command that inspects a kind."""
    command = [sys.executable, "-m", "cislens", "inspect", files.model]
    if files.weights is not None:
        command += ["--weights", files.weights]
    if "heads" in files.options:
        command += ["--heads", ",".join(files.options["heads"])]
    if "length" in files.options:
        command += ["--input-length", str(files.options["length"])]
    return command


def main() -> None:
    from file_kinds import KINDS, written

    imports = {name: seconds([sys.executable, "-c", code]) for name, code in IMPORTS.items()}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for i, kind in enumerate(KINDS):
            beyond = seconds(inspected(written(kind, Path(folder) / str(i)))) - imports[kind.framework]
            measure = f"cislens inspect, beyond the import: {kind.name}"
            rows.append({"measure": measure, "value": beyond, "unit": "s", "bound": LIMIT, "peer": None})
    settings = {"rounds": ROUNDS, "seconds to import": {name: round(value, 2) for name, value in imports.items()}}
    record("inspect", rows, settings)


if __name__ == "__main__":
    main()
