"""What the benchmarks share: one core, alternating runs, a JSON with machine, versions and settings."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("cislens", "numpy", "torch", "tensorflow", "keras", "onnxruntime", "tangermeme", "zarr")


def pin_to_one_core() -> None:
    """Keep this process, and every thread that it starts, on one core; call it before importing a framework."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def real_data() -> Path:
    """Return the folder of real checkpoints and sequences, or end with a sentence."""
    named = os.environ.get("CISLENS_REAL_DATA")
    if not named:
        sys.exit("these benchmarks need CISLENS_REAL_DATA, the folder of published checkpoints")
    return Path(named)


def alternate(
    calls: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Run each call once unmeasured, then all of them in turn, `rounds` times; return seconds by name.

    On a machine with other work, `time.process_time` counts what this process was given of the processor.
    """
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = clock()
            call()
            seconds[name].append(clock() - start)
    return seconds


def ratio(seconds: Mapping[str, list[float]], ours: str, theirs: str) -> float:
    """Return the median over rounds of our time over theirs, pair by pair."""
    return statistics.median(a / b for a, b in zip(seconds[ours], seconds[theirs], strict=True))


def peak_memory() -> float:
    """Return the largest resident size of this process so far, in MB.

    Linux hands `ru_maxrss` on from the process that started this one, so that its own record is read there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def record(name: str, rows: list[dict[str, Any]], settings: Mapping[str, Any]) -> None:
    """Write results with machine and versions, and print them.

    A row has "measure", "value", "unit", "bound" (what it must not exceed, or None) and "peer".
    """
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    RESULTS.mkdir(exist_ok=True)
    machine = {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()}
    result = {
        "name": name,
        "rows": rows,
        "settings": dict(settings),
        "machine": machine,
        "python": platform.python_version(),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d"),
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    for row in rows:
        bound = "" if row["bound"] is None else f" (at most {row['bound']})"
        print(f"{row['measure']}: {row['value']:.4g} {row['unit']}{bound}")
