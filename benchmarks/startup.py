"""How long the command line takes to answer: the median of ten."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from measure import record

RUNS = 10


def seconds(*arguments: str) -> float:
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "cislens", *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    rows = [
        {"measure": "cislens --help", "value": seconds("--help"), "unit": "s", "bound": 0.5, "peer": None},
        {"measure": "cislens plugins", "value": seconds("plugins"), "unit": "s", "bound": 1.0, "peer": None},
    ]
    record("startup", rows, {"runs": RUNS})
