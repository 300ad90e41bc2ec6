"""Training data that are held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens.training.data import Examples, Split, Task, TrainingData
from cislens.training.splits import Parts


@dataclass(frozen=True, eq=False)
class ArrayData(TrainingData):
    """Hold examples in memory, the bases as bytes, with the part that each belongs to.

    Parameters
    ----------
    name
        What they are, for records.
    examples
        All of them.
    parts
        Which are trained on and which are held out.
    outputs
        A name for each column of the values.
    task
        "binary" or "regression".
    origin
        What the record holds of where they came from.
    notes
        What was changed or left out on the way here, in plain words.

    Raises
    ------
    CislensError
        If the names and the values do not agree.
    """

    name: str
    examples: Examples
    parts: Parts
    outputs: tuple[str, ...]
    task: Task
    origin: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", int(self.examples.onehot.shape[1]))
        if len(self.outputs) != self.examples.values.shape[1]:
            raise CislensError(
                f"each column of the values must have a name, got {len(self.outputs)} names for "
                f"{self.examples.values.shape[1]} columns"
            )

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[Examples]:
        """Yield the training batches of one epoch; see `TrainingData`.

        Raises
        ------
        CislensError
            If there are fewer training examples than one batch takes.
        """
        steps = self.steps(size)
        order = rng.permutation(self.parts.train)
        for step in range(steps):
            yield self.examples.take(order[step * size : (step + 1) * size])

    def steps(self, size: int) -> int:
        """Return how many batches `batches` yields."""
        n = len(self.parts.train)
        if not 1 <= size <= n:
            raise CislensError(f"a batch must hold 1 to {n:,} examples, all that are trained on, got {size:,}")
        return n // size

    def held_out(self, split: Split) -> Examples:
        """Return the examples of a held-out split; always the same ones."""
        return self.examples.take(getattr(self.parts, split))

    def record(self) -> dict[str, Any]:
        """Return what makes these data again, as JSON; the fingerprint tells whether they are the same."""
        return {
            **self.origin,
            "name": self.name,
            "length": self.examples.onehot.shape[1],
            "outputs": list(self.outputs),
            "task": self.task,
            "sizes": self.parts.sizes(),
            "fingerprint": self._fingerprint,
            "notes": list(self.notes),
        }

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        parts = [part.astype(np.int64) for part in self.parts]
        arrays: list[npt.NDArray[Any]] = [self.examples.onehot, self.examples.values, *parts]
        for array in arrays:
            # The shape too: laid end to end, the parts of two splits can be the same bytes.
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()
