"""Read the examples of a page and run them, in order, as a reader would.

A page is Markdown. Fenced blocks of `python`, `console` and `bash` are run in one folder of the page's own:

- `python` in one interpreter a page; with `title="NAME"` (any language) the block is a file that is written instead;
- `console`: lines after "$ " are commands; the other lines are what they print, in order, where "..." stands for
  anything, so that a page cannot show what no longer happens;
- `<!-- ends with N -->` above a block says that its last command fails with that status;
- `<!-- not run: REASON -->` above a block leaves it out;
- `<!-- run first: COMMAND -->` is run too, and not seen by readers.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)?(?P<rest>[^`\n]*)$")
NOT_RUN = re.compile(r"<!-- not run: (?P<reason>.+?) -->")
TITLE = re.compile(r'title="(?P<title>[^"]+)"')
RUN_FIRST = re.compile(r"<!-- run first: (?P<command>.+) -->")
STATUS = re.compile(r"<!-- ends with (?P<status>\d+) -->")
RUN = ("python", "console", "bash")
SECONDS = 300  # after which a command hangs


@dataclass(frozen=True)
class Example:
    """One fenced block: where it stands, what it is in, its text, and why it is not run."""

    line: int
    language: str
    text: str
    title: str | None
    status: int
    skipped: str | None


def examples(page: str) -> Iterator[Example]:
    """Yield the blocks of a page that are to be run or written."""
    lines = page.splitlines()
    number = 0
    while number < len(lines):
        if prepared := RUN_FIRST.match(lines[number]):
            yield Example(number + 1, "bash", prepared["command"], None, 0, None)
        opened = FENCE.match(lines[number])
        if not opened or opened["language"] is None:
            number += 1
            continue
        start, indent = number, len(opened["indent"])
        number += 1
        while lines[number].strip() != "```":
            number += 1
        body = "\n".join(line[indent:] for line in lines[start + 1 : number]) + "\n"
        above = next((line for line in reversed(lines[:start]) if line.strip()), "")
        skipped, title, status = NOT_RUN.search(above), TITLE.search(opened["rest"]), STATUS.search(above)
        if title or opened["language"] in RUN:
            yield Example(
                start + 1,
                opened["language"],
                body,
                title["title"] if title else None,
                int(status["status"]) if status else 0,
                skipped["reason"] if skipped else None,
            )
        number += 1


def unseen(page: str) -> list[int]:
    """Return the lines at which code is indented instead of fenced, which the tests would not see."""
    lines, fenced, found = page.splitlines(), False, []
    for number, line in enumerate(lines):
        if line.strip().startswith("```"):
            fenced = not fenced
        above = lines[number - 1] if number else ""
        in_list = any(re.match(r" *([-*]|\d+\.|!!!|===) ", text) for text in lines[:number][-12:])
        if not fenced and line.startswith("    ") and line.strip() and not above.strip() and not in_list:
            found.append(number + 1)
    return found


class Reader:
    """Do what a page says, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "__main__"}

    def follow(self, example: Example, page: str) -> None:
        """Write or run one example; raise `AssertionError` where what it shows did not happen."""
        where = f"{page}:{example.line}"
        if example.title is not None:
            path = self.folder / example.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(example.text, encoding="utf-8")
        elif example.language == "python":
            exec(compile("\n" * example.line + example.text, page, "exec"), self.names)
        elif example.language == "bash":
            self._command(example.text, "", example.status, where)
        else:
            *first, last = commands(example.text)
            for command, shown in first:
                self._command(command, shown, 0, where)
            self._command(*last, example.status, where)

    def _command(self, command: str, shown: str, status: int, where: str) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        run = subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "COLUMNS": "140", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert run.returncode == status, f"{where}: {command.strip()} ended with {run.returncode}:\n{run.stdout}"
        assert holds(run.stdout, shown), f"{where}: {command.strip()} must print\n{shown}\nbut printed\n{run.stdout}"


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield (command, what it prints) of a console block; a command ending in a backslash goes on below."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert not parts[0].strip(), f"a console block starts with a command, got {parts[0]!r}"
    for part in parts[1:]:
        lines = part.splitlines()
        end = next(i for i, line in enumerate(lines) if not line.endswith("\\"))
        yield "\n".join(lines[: end + 1]), "\n".join(lines[end + 1 :])


def holds(printed: str, shown: str) -> bool:
    """Tell whether every shown line was printed, in order; "..." stands for anything, runs of spaces are one."""
    place = 0
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for line in shown.splitlines():
        wanted = " ".join(line.split())
        if wanted in ("", "..."):
            continue
        pattern = re.compile(".*".join(re.escape(part.strip()) for part in wanted.split("...")))
        found = next((i for i in range(place, len(lines)) if pattern.fullmatch(lines[i])), None)
        if found is None:
            return False
        place = found + 1
    return True
