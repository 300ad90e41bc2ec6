"""Files that are there whole or not at all, and what to say where they cannot be written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cislens.errors import ReportError

RESUMED = "mend that and start the same run again, what is finished is kept"
ELSEWHERE = "mend that, or name a file in another folder"
UNFINISHED = ".unfinished-"  # in the name of a file that is being written, before the number of its process


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield where to write a file; it gets its own name once the block ends well, and is removed otherwise.

    A reader, or a process that goes on after a kill, sees the old file or the new one. Two processes may write the same
    file at once: the last one counts. A kill leaves a file behind that `remove_unfinished` clears.

    Parameters
    ----------
    path
        Of the file.
    """
    # With the suffix at the end, by which some writers choose the format.
    unfinished = path.with_name(f"{path.name}{UNFINISHED}{os.getpid()}{path.suffix}")
    try:
        yield unfinished
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def remove_unfinished(path: Path) -> None:
    """Remove what killed processes left of a file; nobody may be writing it."""
    for left in path.parent.glob("*"):
        if left.name.startswith(f"{path.name}{UNFINISHED}"):
            left.unlink(missing_ok=True)


@contextmanager
def writing(path: Path, then: str = RESUMED) -> Iterator[None]:
    """Turn a full disk or a missing permission into a sentence, which ends with what to do then."""
    try:
        yield
    except OSError as error:
        raise ReportError(f"{path} must be writable, got {error.strerror or error}: {then}") from error
