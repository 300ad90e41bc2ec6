"""Cut work into batches of the size that is fastest on this machine."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from cislens.errors import OracleError
from cislens.files import write_text

BatchSize = int | Literal["auto"]
Result = TypeVar("Result")
Array = npt.NDArray[Any]

START = 32  # until measured: the best or near it for every published model that was tried
CANDIDATES = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
WORTH_MEASURING = 2_000  # sequences asked for, before which no measurement pays
BUDGET = 1.5  # seconds that a measurement may take, its first batch apart
HOPELESS = 0.7  # share of the best throughput below which larger batches are given up


class Batcher:
    """Run a function over batches, halving them when memory runs out.

    Parameters
    ----------
    size
        Sequences a batch, or "auto": measured once and remembered for the model, length and device.
    fingerprint
        Names the model; called only when a size is to be remembered.
    device
        Where the model runs.
    out_of_memory
        Tells whether an error means that the batch was too large.
    most
        Rows that no batch may exceed; then nothing is measured.
    """

    def __init__(
        self,
        size: BatchSize,
        fingerprint: Callable[[], str],
        device: str,
        out_of_memory: Callable[[Exception], bool],
        most: int | None = None,
    ) -> None:
        if size != "auto" and (not isinstance(size, int) or size < 1):
            raise OracleError(f"the batch size must be a whole number above 0 or 'auto', got {size!r}")
        self.size: BatchSize = size
        self.most = most
        self._fingerprint = fingerprint
        self._device = device
        self._out_of_memory = out_of_memory
        self._asked = 0
        self._chosen: dict[int, int] = {}

    def run(self, call: Callable[[Array], Result], x: Array) -> Iterator[tuple[slice, Result]]:
        """Yield (rows, call(x[rows])) over consecutive batches."""
        size = self._size_for(call, x)
        start = 0
        while start < len(x):
            rows = slice(start, min(start + size, len(x)))
            try:
                result = call(x[rows])
            except Exception as error:
                if not self._out_of_memory(error) or size == 1:
                    raise
                size = self._halved(size, x.shape[1])
                continue
            yield rows, result
            start = rows.stop

    def _halved(self, size: int, length: int) -> int:
        size = max(size // 2, 1)
        warnings.warn(f"out of memory: the batch size was halved to {size}", ResourceWarning, stacklevel=4)
        if self.size == "auto":
            self._chosen[length] = size
        else:
            self.size = size
        return size

    def _size_for(self, call: Callable[[Array], object], x: Array) -> int:
        if self.most is not None:
            return self.most if self.size == "auto" else min(int(self.size), self.most)
        if self.size != "auto":
            return int(self.size)
        length = x.shape[1]
        if length in self._chosen:
            return self._chosen[length]
        self._asked += len(x)
        if self._asked < WORTH_MEASURING:
            return START
        key = f"{self._fingerprint()}:{length}:{self._device}:{os.cpu_count()}"
        remembered = _remembered(key)
        if remembered is None:
            remembered = fastest_size(call, x, self._out_of_memory)
            _remember(key, remembered)
        self._chosen[length] = remembered
        return remembered


def filled_up(x: Array, size: int | None) -> Array:
    """Return a batch with rows of zeros added up to `size`, the batch itself where no size is asked for."""
    if size is None or len(x) == size:
        return x
    return np.concatenate([x, np.zeros((size - len(x), *x.shape[1:]), x.dtype)])


def first_rows(outputs: dict[str, Array], n: int) -> dict[str, Array]:
    """Return the first `n` rows of each head's array."""
    return {name: values[:n] for name, values in outputs.items()}


def fastest_size(
    call: Callable[[Array], object], x: Array, out_of_memory: Callable[[Exception], bool], budget: float = BUDGET
) -> int:
    """Return the batch size with the highest throughput, by a measurement of at most `budget` seconds.

    Sizes are tried upwards, each for at least two batches where time allows, and given up when two in a row fall
    well below the best. The first batch warms up the framework and is not counted.
    """
    call(_rows(x, CANDIDATES[0]))
    began = time.perf_counter()
    speeds: dict[int, float] = {}
    hopeless = 0
    for size in CANDIDATES:
        left = budget - (time.perf_counter() - began)
        expected = size / max(speeds.values()) if speeds else 0.0
        if left <= 0 or 2 * expected > left or hopeless == 2:
            break
        try:
            speeds[size] = _throughput(call, _rows(x, size), min(left, budget / 10))
        except Exception as error:
            if not out_of_memory(error):
                raise
            break
        hopeless = hopeless + 1 if speeds[size] < HOPELESS * max(speeds.values()) else 0
    return max(speeds, key=lambda size: speeds[size]) if speeds else CANDIDATES[0]


def _rows(x: Array, size: int) -> Array:
    return x[np.arange(size) % len(x)]


def _throughput(call: Callable[[Array], object], batch: Array, seconds: float) -> float:
    best = float("inf")
    began = time.perf_counter()
    for repeat in range(20):
        if repeat >= 2 and time.perf_counter() - began > seconds:
            break
        start = time.perf_counter()
        call(batch)
        best = min(best, time.perf_counter() - start)
    return len(batch) / best


def cache_folder() -> Path:
    """Return the folder in which measured batch sizes are kept: `CISLENS_CACHE`, else the user's cache."""
    if named := os.environ.get("CISLENS_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "cislens"


def _known_sizes() -> dict[str, int]:
    try:
        sizes = json.loads((cache_folder() / "batch_sizes.json").read_text())
    except (OSError, ValueError):
        return {}  # no memory, or a damaged one: sizes are measured again
    return sizes if isinstance(sizes, dict) else {}


def _remembered(key: str) -> int | None:
    size = _known_sizes().get(key)
    return size if isinstance(size, int) and size > 0 else None


def _remember(key: str, size: int) -> None:
    path = cache_folder() / "batch_sizes.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({**_known_sizes(), key: size}, indent=1))
    except OSError:
        return  # a read-only home costs a measurement a run, nothing else
