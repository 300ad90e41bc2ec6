"""Reading one-hot arrays."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import SequenceError
from cislens.sequences.container import OneHot, Sequences, ones_by_position
from cislens.sequences.files import require_file
from cislens.sequences.policy import Layout
from cislens.sequences.record import counted, unique_names

ARRAY_SUFFIXES = (".npy", ".npz", ".h5", ".hdf5")
BLOCK_BYTES = 32_000_000  # of an array in the file's own type that is held at a time
INSIDE = re.compile(r"(.+\.(?:h5|hdf5|npz)):(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class ArrayFile:
    """An open file of arrays: their shapes by name, and a way to one of them, which reads what is indexed."""

    path: Path
    shapes: dict[str, tuple[int, ...]]
    array: Callable[[str], Any]


def split_key(path: Path) -> tuple[Path, str | None]:
    """Split "file.h5:dataset" into the file and the name of the array in it."""
    match = None if path.exists() else INSIDE.fullmatch(str(path))
    return (path, None) if match is None else (Path(match[1]), match[2])


def read_array(path: Path, key: str | None, layout: Layout) -> Sequences:
    """Read a one-hot array (n, length, 4), or (n, 4, length) where the layout says so, of any number type.

    A row of zeros, or of 0.25 each, is N. Ids come from a one-dimensional array named `ids` beside it where there is
    one with an entry for each sequence, else they are seq0, seq1, ... Nothing is unpickled.

    Raises
    ------
    SequenceError
        If there is no such array, or it is not one-hot.
    """
    require_file(path, "an array file")
    try:
        with opened_arrays(path) as file:
            name = _chosen(file, key)
            stored = file.array(name)
            _check(stored, layout, f"{path}:{name}" if name else str(path))
            onehot, soft = _onehot(stored, layout)
            ids, notes = _ids(file, name, len(onehot))
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise SequenceError(
            f"{path} must be an array file that opens without unpickling, but does not ({error}): save it anew"
        ) from None
    if soft:
        notes += (f"{counted(soft, 'position')} with 0.25 for each base read as N",)
    return Sequences(onehot, tuple(ids), notes=notes)


@contextmanager
def opened_arrays(path: Path) -> Iterator[ArrayFile]:
    """Open a file of arrays for as long as the block lasts."""
    suffix = path.suffix.lower()
    if suffix == ".npy":
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        yield ArrayFile(path, {"": array.shape}, lambda name: array)
    elif suffix == ".npz":
        shapes = _npz_shapes(path)
        with np.load(path, allow_pickle=False) as arrays:
            yield ArrayFile(path, shapes, arrays.__getitem__)
    else:
        import h5py

        with h5py.File(path, "r") as file:
            found: dict[str, tuple[int, ...]] = {}
            file.visititems(lambda name, item: _note_shape(found, name, item))
            yield ArrayFile(path, found, file.__getitem__)


def _note_shape(found: dict[str, tuple[int, ...]], name: str, item: Any) -> None:
    if getattr(item, "shape", None) is not None:
        found[name] = item.shape


def _npz_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Read shapes from the headers alone: an array that nobody asks for may be large, or a pickle."""
    shapes = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shapes[member.removesuffix(".npy")] = read(file)[0]
    return shapes


def _chosen(file: ArrayFile, key: str | None) -> str:
    fitting = [name for name, shape in file.shapes.items() if len(shape) == 3 and 4 in shape[1:]]
    listed = ", ".join(f"{name} {shape}" for name, shape in file.shapes.items() if len(shape) == 3) or "none"
    if key is not None:
        name = key.strip("/")
        if name not in file.shapes:
            raise SequenceError(f"{file.path} has no array {key!r}: its three-dimensional arrays are {listed}")
        return name
    if file.path.suffix.lower() == ".npy":
        return ""
    if len(fitting) != 1:
        how_many = "several arrays" if fitting else "no array"
        raise SequenceError(
            f"{file.path} must hold one array (n, length, 4), or be told which, but {how_many} could be it: "
            f"its three-dimensional arrays are {listed}; name one as {file.path.name}:NAME or with --key NAME"
        )
    return fitting[0]


def _check(stored: Any, layout: Layout, where: str) -> None:
    shape = stored.shape
    if len(shape) != 3:
        hint = ": add an axis with x[None]" if len(shape) == 2 and 4 in shape else ""
        raise SequenceError(f"an array of sequences must have three axes, (n, length, 4), got {shape} in {where}{hint}")
    wanted, other = (2, 1) if layout == "length,4" else (1, 2)
    if shape[wanted] != 4:
        hint = "check which array it is"
        if shape[other] == 4:
            said = "4,length" if layout == "length,4" else "length,4"
            hint = f"transpose it with x.swapaxes(1, 2), or say --array-layout {said} (in Python, layout={said!r})"
        raise SequenceError(
            f"under layout {layout!r} axis {wanted} must hold the four bases, got {shape} in {where}: {hint}"
        )
    if stored.dtype.kind not in "biuf":
        raise SequenceError(f"a one-hot array must hold numbers, got {stored.dtype} in {where}")


def _onehot(stored: Any, layout: Layout) -> tuple[OneHot, int]:
    """Return the one-hot array and how many positions held 0.25 for each base."""
    n, length = stored.shape[0], stored.shape[1 if layout == "length,4" else 2]
    onehot = np.empty((n, length, 4), np.uint8)
    rows = max(1, BLOCK_BYTES // max(1, length * 4 * stored.dtype.itemsize))
    soft = 0
    for start in range(0, n, rows):
        block = np.asarray(stored[start : start + rows])
        if layout == "4,length":
            block = block.swapaxes(1, 2)
        ones = block == 1
        singles = ones_by_position(ones)
        fine = (singles <= 1) & (singles + ones_by_position(block == 0) == 4)
        if not fine.all():
            unknown = ~fine
            unknown[unknown] = (block[unknown] == 0.25).all(-1)
            _refuse_relaxed(block, fine | unknown, start)
            soft += int(unknown.sum())
        onehot[start : start + rows] = ones
    return onehot, soft


def _refuse_relaxed(block: npt.NDArray[Any], fine: npt.NDArray[np.bool_], start: int) -> None:
    if not fine.all():
        number, position = np.argwhere(~fine)[0]
        row = ", ".join(f"{value:g}" for value in block[number, position])
        raise SequenceError(
            f"each position must hold a single 1, or 0 or 0.25 throughout for N, got [{row}] in sequence "
            f"{start + number} at position {position} (both counted from 0): check that the array is one-hot"
        )


def _ids(file: ArrayFile, name: str, n: int) -> tuple[list[str], tuple[str, ...]]:
    folder = name.rpartition("/")[0]
    beside = f"{folder}/ids" if folder else "ids"
    numbered = [f"seq{i}" for i in range(n)]
    if beside not in file.shapes:
        return numbered, ()
    if file.shapes[beside] != (n,):
        return numbered, (f"the array {beside} has shape {file.shapes[beside]}, not ({n},), and was not taken for ids",)
    values = file.array(beside)[()]
    return unique_names([value.decode() if isinstance(value, bytes) else str(value) for value in values])
