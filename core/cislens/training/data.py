"""What a model is trained on: sequences with values, in batches, with a part held out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens.sequences.container import OneHot, check_onehot

Task = Literal["binary", "regression"]
ORIGIN = ("name", "file", "options", "dropped", "notes")  # entries of a record that tell where data came from
Split = Literal["validation", "test"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Hold sequences and what is known of each.

    Parameters
    ----------
    onehot : (n, length, 4)
        uint8.
    values : (n, outputs)
        float32; 0 and 1 where the task is "binary".

    Raises
    ------
    CislensError
        If the two do not agree.
    """

    onehot: OneHot
    values: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        check_onehot(self.onehot)
        if self.values.ndim != 2 or len(self.values) != len(self.onehot) or self.values.dtype != np.float32:
            raise CislensError(
                f"values must be float32 (n, outputs) for {len(self.onehot)} sequences, got {self.values.dtype} "
                f"{self.values.shape}"
            )

    def __len__(self) -> int:
        return len(self.onehot)

    def take(self, index: Any) -> Examples:
        """Return the examples at these positions (slice, integers or boolean mask), in that order."""
        return Examples(self.onehot[index], self.values[index])


class TrainingData(ABC):
    """Give a model its training batches, and what is held out.

    Attributes
    ----------
    name
        What it is, for records.
    length
        Of every sequence, in bp.
    outputs
        A name for each column of the values.
    task
        "binary": each value is 0 or 1; "regression": any number.
    """

    name: str
    length: int
    outputs: tuple[str, ...]
    task: Task

    @abstractmethod
    def batches(self, size: int, rng: np.random.Generator) -> Iterator[Examples]:
        """Yield the training batches of one epoch, in an order that `rng` draws, each of `size` examples.

        What is left over at the end of an epoch is left out of it.
        """

    @abstractmethod
    def steps(self, size: int) -> int:
        """Return how many batches `batches` yields."""

    @abstractmethod
    def held_out(self, split: Split) -> Examples:
        """Return the examples of a held-out split; always the same ones."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Return what makes these data again, as JSON: files, settings, seeds, sizes of the splits.

        A "fingerprint", where there is one, stands for the content: see `content_of`.
        """


def content_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a record tells data from others.

    Where a fingerprint stands for the content, that is all but where it came from (`ORIGIN`): the same file under
    another path, or a note in other words, is the same data. Else it is the whole record.
    """
    return {name: value for name, value in record.items() if "fingerprint" not in record or name not in ORIGIN}
