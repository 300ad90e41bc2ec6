"""The arrays of a store: made in one step, chunked along the sequences, text among them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.report.store_json import plain

Array = npt.NDArray[Any]
ROWS = 65536  # of a table, a chunk
# Bytes that UTF-8 never holds: what fills a row of text up, and what stands for a text that is missing.
FILL, MISSING = 0xFF, 0xFE


@dataclass(frozen=True)
class ArraySpec:
    """Say what an array is.

    Parameters
    ----------
    shape, chunks
        Of the whole, and of what is written and read at a time.
    dtype
        Its number type.
    attributes
        JSON values kept with it.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        said = [f"{self.dtype} {self.shape}", *(f"{name} {value!r}" for name, value in self.attributes.items())]
        return ", ".join(said)


def create(folder: Path, spec: ArraySpec) -> Any:
    """Make an array that holds nothing yet."""
    import zarr

    return zarr.create_array(
        store=str(folder),
        shape=spec.shape,
        chunks=tuple(max(size, 1) for size in spec.chunks),
        dtype=spec.dtype,
        fill_value=missing_value(spec.dtype),
        attributes=plain(spec.attributes),
        config={"write_empty_chunks": True},
    )


def create_at_once(folder: Path, spec: ArraySpec, workshop: Path) -> None:
    """Make an array that is there as a whole or, after a kill, not at all."""
    unfinished = workshop / "array"
    shutil.rmtree(unfinished, ignore_errors=True)
    create(unfinished, spec)
    folder.parent.mkdir(parents=True, exist_ok=True)
    os.rename(unfinished, folder)


def open_array(folder: Path, mode: Any = "r") -> Any:
    """Open an array.

    Chunks that happen to equal the fill value are written all the same: zarr takes one NaN for another and -0.0 for
    0.0, and would lose their bits.

    Raises
    ------
    ReportError
        If it is not there, or damaged.
    """
    import zarr

    try:
        with zarr.config.set({"array.write_empty_chunks": True}):  # open_array itself takes no notice of it
            return zarr.open_array(str(folder), mode=mode)
    except (OSError, ValueError, KeyError) as error:
        raise ReportError(f"{folder} must be a zarr array, got {error}: the store is damaged") from error


def spec_of(array: Any) -> ArraySpec:
    """Return what an open array is."""
    return ArraySpec(array.shape, array.chunks, array.dtype, dict(array.attrs))


def read(array: Any, selection: Any = slice(None)) -> Array:
    """Return some of an open array.

    Raises
    ------
    ReportError
        If a chunk is damaged.
    """
    try:
        return np.asarray(array[selection])
    except (OSError, ValueError, RuntimeError) as error:
        raise ReportError(
            f"{array.store_path} must be readable, got {error}: the store is damaged, explain again with --overwrite"
        ) from error


def missing_value(dtype: np.dtype[Any]) -> Any:
    """Return what stands where nothing was found: NaN, or zero where there is none."""
    return dtype.type(np.nan if dtype.kind == "f" else 0)


def write_whole(folder: Path, values: Array, rows: int = ROWS, attributes: Mapping[str, Any] | None = None) -> None:
    """Write an array at one go, chunked along its first axis."""
    spec = ArraySpec(values.shape, (min(rows, len(values)), *values.shape[1:]), values.dtype, attributes or {})
    array = create(folder, spec)
    if values.size:
        array[...] = values


def encode_text(texts: Sequence[str | None]) -> npt.NDArray[np.uint8]:
    """Return texts as UTF-8 in rows of one width, (n, width), None for a text that is missing."""
    # Ids may hold lone surrogates where a file was not UTF-8; they survive too.
    encoded = [bytes([MISSING]) if text is None else text.encode("utf-8", "surrogatepass") for text in texts]
    width = max(map(len, encoded), default=0)
    filled = b"".join(text.ljust(width, bytes([FILL])) for text in encoded)
    return np.frombuffer(filled, np.uint8).reshape(len(encoded), width)


def decode_text(rows: npt.NDArray[np.uint8]) -> list[str | None]:
    """Return what `encode_text` was given."""
    stripped = (row.tobytes().rstrip(bytes([FILL])) for row in rows)
    return [None if text == bytes([MISSING]) else text.decode("utf-8", "surrogatepass") for text in stripped]


def file_name(name: str) -> str:
    """Return a name as a file can bear it: readable, and another for every name."""
    quoted = quote(name, safe=" ", errors="surrogatepass")
    if quoted[:1] in ("", ".", "_"):
        # A leading dot hides a file, and zarr keeps "__" for itself.
        quoted = f"%{ord(name[0]):02X}{quoted[1:]}" if name else "%"
    return "zarr%2Ejson" if quoted == "zarr.json" else quoted
