"""What the numbers of a head look like, where nobody declared it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.oracle.base import Oracle, Outputs

PROBES = 32


def probe(oracle: Oracle, length: int) -> Outputs:
    """Return the answers to a few random sequences of a length in bp, always the same ones."""
    rng = np.random.default_rng(0)
    return oracle.predict(np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (PROBES, length))])


def looks_like(values: npt.NDArray[Any]) -> str:
    """Say in words what answers look like: a probability, a distribution, counts, or any number."""
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        if values.ndim > 1 and values.shape[-1] > 1 and np.allclose(values.sum(-1), 1, atol=1e-4):
            return "probabilities that add up to 1 (a softmax)"
        return "a probability (a sigmoid)"
    if low >= 0:
        return "non-negative, such as counts or a signal"
    return "any number, such as a logit, a log signal or a score"
