"""Cut fidelity work into cells: each one figure's worth of computing, kept in a JSON of its own, never done twice."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cislens.provenance import versions

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Cell:
    """Hold one cell.

    Parameters
    ----------
    name
        Says data, method and seed; also the name of its file.
    run
        Computes it, given a folder for what survives a kill, and returns JSON values.
    settings
        What was fixed before.
    """

    name: str
    run: Callable[[Path], Mapping[str, Any]]
    settings: Mapping[str, Any]

    @property
    def file(self) -> Path:
        """Where the result is kept."""
        return RESULTS / f"{self.name}.json"

    @property
    def done(self) -> bool:
        """Whether the result is there, and of these settings."""
        if not self.file.exists():
            return False
        return bool(json.loads(self.file.read_text())["settings"] == json.loads(json.dumps(dict(self.settings))))

    def compute(self, scratch: Path) -> None:
        """Compute and keep the result, with machine, versions and settings."""
        began = time.perf_counter()
        found = self.run(scratch / self.name)
        result = {
            "cell": self.name,
            "settings": dict(self.settings),
            "result": dict(found),
            "seconds": round(time.perf_counter() - began, 1),
            "machine": {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()},
            "versions": versions(),
            "date": time.strftime("%Y-%m-%d"),
        }
        RESULTS.mkdir(exist_ok=True)
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(result, indent=1) + "\n")
        os.replace(part, self.file)


def result(name: str) -> dict[str, Any] | None:
    """Return what a cell found, None where it was not computed."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text())["result"] if file.exists() else None


def row(*cells: str) -> str:
    """Return a row of a table in Markdown."""
    return f"| {' | '.join(cells)} |\n"


def main(cells: Sequence[Cell]) -> None:
    """Compute the cells that are asked for and not there yet, or there with other settings."""
    parser = argparse.ArgumentParser(description="Compute fidelity cells; those that are there are kept.")
    parser.add_argument("pattern", nargs="?", default="*", help="names of cells, with * and ?")
    parser.add_argument("--scratch", type=Path, default=Path("build/fidelity"), help="what survives a kill")
    parser.add_argument("--list", action="store_true", help="say which are done")
    chosen = parser.parse_args()
    for cell in cells:
        if not fnmatch.fnmatch(cell.name, chosen.pattern):
            continue
        if chosen.list or cell.done:
            print(f"{cell.name}: {'done' if cell.done else 'to do'}", flush=True)
            continue
        cell.compute(chosen.scratch)
        print(f"{cell.name}: computed", flush=True)
