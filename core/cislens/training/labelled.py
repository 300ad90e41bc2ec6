"""Sequences with values on their way to training data, whatever file they came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens.sequences.container import Sequences
from cislens.training.data import Task
from cislens.training.splits import Parts


@dataclass(frozen=True, eq=False)
class Labelled:
    """Hold sequences with the values of each, before they are split.

    Parameters
    ----------
    sequences
        With what was dropped and changed while they were read.
    values : (n, outputs)
        float32.
    outputs
        A name for each column of the values.
    parents : (n,)
        For a sequence that was made from another, the place of that one; for all others their own. None where none
        was made.
    parts
        The split that the file itself makes, None where it makes none.

    Raises
    ------
    CislensError
        If a value is missing or not finite.
    """

    sequences: Sequences
    values: npt.NDArray[np.float32]
    outputs: tuple[str, ...]
    parents: npt.NDArray[np.intp] | None = None
    parts: Parts | None = None

    def __post_init__(self) -> None:
        missing = np.argwhere(~np.isfinite(self.values))
        if len(missing):
            row, column = missing[0]
            raise CislensError(
                f"every sequence must have finite values, got {self.values[row, column]} as {self.outputs[column]!r} "
                f"of {self.sequences.ids[row]!r}, and {len(missing) - 1:,} more such: remove these sequences or "
                "fill in their values"
            )

    def task(self, stated: Task | None) -> Task:
        """Return the task: the one stated, else "binary" where every value is 0 or 1.

        Raises
        ------
        CislensError
            If "binary" is stated and there are other values.
        """
        other = np.argwhere((self.values != 0) & (self.values != 1))
        if stated == "binary" and len(other):
            row, column = other[0]
            raise CislensError(
                f"the values of a binary task must be 0 or 1, got {self.values[row, column]:g} for "
                f"{self.sequences.ids[row]!r}: say --task regression"
            )
        return stated or ("regression" if len(other) else "binary")


def as_values(columns: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return numbers (n,) or (n, outputs) of any type as float32 (n, outputs)."""
    array: npt.NDArray[Any] = np.asarray(columns)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused with its place
        values = array.astype(np.float32)
    return values[:, None] if values.ndim == 1 else values
