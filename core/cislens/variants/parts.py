"""Finished blocks of a run, kept on disk until its output is whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cislens.errors import ReportError
from cislens.files import write_text
from cislens.lock import Lock
from cislens.variants.scores import Scorer, Scores


@dataclass(frozen=True)
class Parts:
    """A folder with a file for each finished block, and a key that says of which run they are."""

    folder: Path

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, key: dict[str, Any], overwrite: bool = False) -> Iterator[Parts]:
        """Open the folder for one writer, making it where it is not there.

        Raises
        ------
        ReportError
            If it is of another run and is not to be overwritten, or another process writes to it.
        """
        with Lock(folder.with_suffix(".lock"), str(folder)):
            described = folder / "run.json"
            if described.exists():
                other = json.loads(described.read_text(encoding="utf-8"))
                changed = [name for name in key if other.get(name) != key[name]]
                if changed and not overwrite:
                    raise ReportError(
                        f"{folder} must be of this run to be gone on with, but its {' and '.join(changed)} "
                        f"{'was' if len(changed) == 1 else 'were'} another: say --overwrite (overwrite=True), or write "
                        "to another file"
                    )
                if changed:
                    shutil.rmtree(folder)
            folder.mkdir(parents=True, exist_ok=True)
            write_text(described, json.dumps(key, indent=1))
            yield cls(folder)

    def get(self, number: int) -> Scores | None:
        """Return a block, None where it is not finished."""
        path = self._path(number)
        return Scores.load(path) if path.exists() else None

    def keep(self, number: int, scores: Scores) -> None:
        """Keep a finished block."""
        scores.save(self._path(number))

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.npz"


def run_key(scorer: Scorer, vcf: Path, genome: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return everything that effects depend on, as plain JSON values."""
    with vcf.open("rb") as file:
        digest = hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    state = genome.stat()
    return {
        "model": scorer.oracle.fingerprint,
        "targets": list(map(str, scorer.targeted.targets)),
        # As text: settings may hold tuples, which JSON gives back as lists.
        "explainers": [f"{item.label}={item.explainer!r}" for item in scorer.explainers],
        "seed": scorer.seed,
        "variants": digest,
        # A genome is too large to be read whole for a hash.
        "genome": f"{state.st_size} {state.st_mtime_ns}",
        **settings,
    }
