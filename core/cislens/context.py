"""What the driver hands to an explainer beside the oracle and the sequences."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Progress = Callable[[float, float], None]
Tell = Callable[[str], None]


def silent(done: float, total: float) -> None:
    """Report progress to nobody."""


def hush(sentence: str) -> None:
    """Tell a sentence to nobody."""


@dataclass(frozen=True)
class Context:
    """Give an explainer its random streams, its progress and its scratch folder.

    Parameters
    ----------
    seed
        The run's seed.
    explainer
        Name of the explainer; part of every stream.
    hashes
        Hash of the bases of each sequence at hand.
    predictions
        (n, t), the targets' values on the sequences at hand, so that nobody predicts them twice.
    progress
        Call it with (done, total), in any unit.
    budget
        How many predictions a sequence the user allows, None for any number.
    scratch
        A folder that survives a kill; None where the run is kept in memory.
    """

    seed: int
    explainer: str
    hashes: tuple[str, ...] = ()
    predictions: npt.NDArray[Any] = field(default_factory=lambda: np.empty((0, 0)))
    progress: Progress = silent
    budget: int | None = None
    scratch: Path | None = None

    def rng(self, i: int) -> np.random.Generator:
        """Return the stream of sequence `i`, from its start at each call.

        It comes from (seed, explainer, hash of the bases), so that neither order, batch size nor neighbours change
        what a sequence is given; two equal sequences get the same stream.
        """
        return stream(self.seed, self.explainer, self.hashes[i])

    def set_rng(self) -> np.random.Generator:
        """Return the stream for what concerns no single sequence, such as fitting."""
        return stream(self.seed, self.explainer)


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the random stream of a seed and names, the same on every machine."""
    digest = hashlib.blake2b("\0".join(names).encode(), digest_size=16).digest()
    words = np.frombuffer(digest, "<u4")
    return np.random.default_rng([seed, *map(int, words)])
