"""Which motifs are put where: each alone, and each two in every order, orientation and spacing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Placement(NamedTuple):
    """A motif, by its number, where it starts, and whether it reads on the minus strand."""

    motif: int
    start: int
    reverse: bool


class Arrangement(NamedTuple):
    """Two motifs, how they stand as motif_1 reads forward, and the designs that hold both, either one, and none."""

    motif_1: int
    motif_2: int
    order: str
    orientation: str
    spacing: int
    both: int
    one: int
    two: int


@dataclass
class Designs:
    """List what is put into each background, nothing twice; the first design is the background itself.

    motif_1 stays in the middle, so that what changes with the spacing is not its own place. Motifs alone stand where
    they stand in the pair. What does not fit into the sequence is left out.

    Parameters
    ----------
    widths
        Of the motifs, in bp.
    length
        Of the sequences.
    spacings
        The bp between two motifs.
    """

    widths: Sequence[int]
    length: int
    spacings: Sequence[int]
    placements: dict[tuple[Placement, ...], int] = field(default_factory=lambda: {(): 0})

    def __post_init__(self) -> None:
        self.alone = [
            (motif, reverse, self._design(Placement(motif, self._middle(motif), reverse)))
            for motif, width in enumerate(self.widths)
            if width <= self.length
            for reverse in (False, True)
        ]
        self.arrangements = tuple(self._arrangements())

    def __len__(self) -> int:
        return len(self.placements)

    def _middle(self, motif: int) -> int:
        return (self.length - self.widths[motif]) // 2

    def _design(self, *placed: Placement) -> int:
        return self.placements.setdefault(placed, len(self.placements))

    def _arrangements(self) -> Iterator[Arrangement]:
        numbers = range(len(self.widths))
        for one, two in ((i, j) for i in numbers for j in numbers[i:]):
            for order, reverse in (("1-2", False), ("2-1", False), ("1-2", True), ("2-1", True)):
                if one == two and (order, reverse) == ("2-1", False):
                    continue  # the first of two that are alike is motif_1
                for spacing in self.spacings:
                    first = Placement(one, self._middle(one), False)
                    before = first.start - spacing - self.widths[two]
                    after = first.start + self.widths[one] + spacing
                    second = Placement(two, after if order == "1-2" else before, reverse)
                    if first.start >= 0 and 0 <= second.start <= self.length - self.widths[two]:
                        held = (self._design(first, second), self._design(first), self._design(second))
                        yield Arrangement(one, two, order, "+-" if reverse else "++", spacing, *held)

    def embedded(self, background: Array, motifs: Sequence[Array], size: int) -> Iterator[Array]:
        """Yield a background (length, 4) with each design put into it, in blocks (size, length, 4).

        `motifs` are one-hot (width, 4), as they read forward.
        """
        listed = list(self.placements)
        for first in range(0, len(listed), size):
            block = np.repeat(background[None], len(listed[first : first + size]), axis=0)
            for row, placed in zip(block, listed[first : first + size], strict=True):
                for motif, start, reverse in placed:
                    site = motifs[motif][::-1, ::-1] if reverse else motifs[motif]
                    row[start : start + len(site)] = site
            yield block
