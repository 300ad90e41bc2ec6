"""Where everything of a report lies in a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cislens.errors import ReportError
from cislens.files import whole_file

SCHEMA = 1
# The parts of a report that are arrays over all its sequences; measures lie beside, a name each.
PARTS = ("predictions", "attributions", "standard_errors", "masks")


@dataclass(frozen=True)
class Layout:
    """Name the folders and files of one label.

    Parameters
    ----------
    root
        The .zarr folder.
    label
        Names the report.
    """

    root: Path
    label: str

    def __post_init__(self) -> None:
        if not self.label or self.label.startswith((".", "__")) or set(self.label) & set("/\\\0"):
            raise ReportError(f"a label must be a plain name without slash or leading dot, got {self.label!r}")
        if self.label == "zarr.json":
            raise ReportError("a label may not be zarr.json, a name that zarr keeps for itself: choose another")

    @property
    def folder(self) -> Path:
        """The report's group."""
        return self.root / "reports" / self.label

    @property
    def measures(self) -> Path:
        """The group of measures of validity."""
        return self.folder / "measures"

    @property
    def blocks(self) -> Path:
        """The group of what each block holds beside its share of the arrays."""
        return self.folder / "blocks"

    @property
    def derived(self) -> Path:
        """The group of what was derived of the report, a group for each time; the last one counts."""
        return self.folder / "derived"

    @property
    def scratch(self) -> Path:
        """What an explainer keeps for itself over a kill."""
        return self.folder / "scratch"

    @property
    def workshop(self) -> Path:
        """Where things are made before they are moved into place; anything in it may be thrown away."""
        return self.root / ".cislens" / "unfinished" / self.label

    @property
    def lock(self) -> Path:
        """The lock file of the writer."""
        return self.root / ".cislens" / "locks" / self.label

    def block(self, number: int) -> Path:
        """Return the group of one block."""
        return self.blocks / f"{number:06d}"

    def marker(self, number: int) -> Path:
        """Return the file whose presence says that a block is whole."""
        return self.folder / "done" / f"{number:06d}"

    def mark(self, number: int) -> None:
        """Say that a block is whole."""
        with whole_file(self.marker(number)) as unfinished:
            unfinished.touch()

    def finished(self) -> tuple[int, ...]:
        """Return the numbers of the blocks that are whole."""
        return tuple(sorted(int(path.name) for path in (self.folder / "done").iterdir() if path.name.isdigit()))


def block_count(n: int, block: int) -> int:
    """Return how many blocks there are; a report without sequences has one, of none."""
    return max(1, -(-n // block))


def block_rows(number: int, n: int, block: int) -> slice:
    """Return the sequences of a block.

    Raises
    ------
    ReportError
        If there is no block of that number.
    """
    if not 0 <= number < block_count(n, block):
        raise ReportError(f"blocks are numbered 0 to {block_count(n, block) - 1}, got {number}")
    return slice(number * block, min((number + 1) * block, n))
