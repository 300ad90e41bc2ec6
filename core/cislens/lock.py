"""One writer at a time: a lock file with the process that holds it."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Self

from cislens.errors import ReportError

GRACE = 1.0  # seconds that a new lock file may be empty before its maker counts as dead
# Locks of this process. A restarted container gives the number of the killed process out again, to the very process
# that takes over; only what is listed here is truly its own.
_HELD: set[Path] = set()


class Lock:
    """Hold a file or folder for one writer; a lock whose process is dead is taken over.

    Parameters
    ----------
    path
        Of the lock file.
    what
        What is locked, for the sentence.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path = path.absolute()
        self.what = what

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        ReportError
            If a living process holds it, or a process of another machine, of which nobody here can tell.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while not self._create():
            content = self._read()
            if content is not None:
                self._refuse_the_living(content)
                self._clear(content)
        _HELD.add(self.path)

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        if self.path in _HELD:
            _HELD.discard(self.path)
            self.path.unlink(missing_ok=True)

    def _create(self) -> bool:
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        with os.fdopen(handle, "w") as file:
            file.write(f"{os.getpid()} {socket.gethostname()}")
        return True

    def _read(self) -> str | None:
        """Return what the lock file says, None where it is gone; a file just made may not say it yet."""
        until = time.monotonic() + GRACE
        while True:
            try:
                content = self.path.read_text()
            except FileNotFoundError:
                return None
            if content or time.monotonic() > until:
                return content
            time.sleep(GRACE / 20)

    def _refuse_the_living(self, content: str) -> None:
        if not content:
            return
        process, _, host = content.partition(" ")
        if host != socket.gethostname():
            raise ReportError(
                f"{self.what} may have one writer, and process {process} on {host} began one: wait for it or, if it "
                f"is no longer running, delete {self.path}"
            )
        if self.path in _HELD or (int(process) != os.getpid() and is_running(int(process))):
            raise ReportError(
                f"{self.what} may have one writer, and process {process} is writing it: wait for it, stop it, or "
                "write elsewhere"
            )

    def _clear(self, content: str) -> None:
        """Remove a dead process's lock, unless somebody else took it over in the meantime."""
        aside = self.path.with_name(f"{self.path.name}.{os.getpid()}.dead")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return
        if aside.read_text() == content:
            aside.unlink()
        else:
            os.rename(aside, self.path)


def is_running(process: int) -> bool:
    """Tell whether a process of this machine is alive; one that was killed and not yet buried is not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    status = Path(f"/proc/{process}/stat")
    if not status.exists():
        return True
    # The state follows the name, which stands in brackets and may hold any sign.
    return status.read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
