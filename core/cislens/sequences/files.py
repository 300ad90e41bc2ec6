"""Opening files of sequences, gzipped or not."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from cislens.errors import SequenceError

GZIP_MAGIC = b"\x1f\x8b"


def require_file(path: Path, what: str) -> None:
    """Raise unless there is a file at `path`."""
    if path.is_dir():
        raise SequenceError(f"{what} must be a file, got the folder {path}")
    if not path.exists():
        raise SequenceError(f"{what} must be a file that exists, got {path}: check the path")


def is_gzipped(path: Path) -> bool:
    """Tell by its first bytes whether a file is gzipped, as bgzipped files are too."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def is_bgzipped(path: Path) -> bool:
    """Tell by its first bytes whether a file is gzipped in blocks that can be reached one by one."""
    with path.open("rb") as file:
        start = file.read(14)
    return start[:4] == b"\x1f\x8b\x08\x04" and start[12:14] == b"BC"


def read_bytes(path: Path) -> bytes:
    """Read a whole file of text, unpacked, its lines ended by a newline each.

    Raises
    ------
    SequenceError
        If it cannot be read, or its packing is broken.
    """
    try:
        if is_gzipped(path):
            with gzip.open(path) as unpacked:
                data = unpacked.read()
        else:
            data = path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SequenceError(
            f"{path} must be a whole gzip file, but cannot be unpacked ({error}): copy it anew"
        ) from None
    except OSError as error:
        raise SequenceError(f"{path} must be readable, but is not: {error.strerror}") from None
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.removeprefix(b"\xef\xbb\xbf")
