"""What the gradient explainers share: the simplex correction, and gradients of many points in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens import Targeted

Array = npt.NDArray[Any]
CHUNK_BYTES = 64_000_000  # of gradients held at a time

CORRECTION_HELP = "subtract from each position's gradient its mean over the four bases"


def corrected(gradient: Array) -> Array:
    """Return gradients (..., 4) without their mean over the bases.

    One-hot rows sum to one, so a model is never trained on how it changes when they do not: that part of the gradient,
    normal to the simplex, is arbitrary. References: Majdandzic et al. 2023, 10.1186/s13059-023-02956-3.
    """
    return np.asarray(gradient - gradient.mean(-1, keepdims=True))


def gauge_of(correct: bool) -> str:
    """Return the gauge of a gradient: "uniform" where it was corrected."""
    return "uniform" if correct else "none"


def chunks(oracle: Targeted, n: int, length: int) -> Iterator[slice]:
    """Yield slices of n points such that their gradients, of all targets, stay within `CHUNK_BYTES`."""
    size = np.dtype(oracle.dtype).itemsize * 4 * max(length, 1) * len(oracle.targets)
    rows = max(1, CHUNK_BYTES // size)
    for start in range(0, n, rows):
        yield slice(start, min(start + rows, n))


def mean_gradient(oracle: Targeted, points: Array) -> tuple[Array, Array]:
    """Return mean and standard error over points (k, length, 4) of the gradient, each (t, length, 4).

    Sums run in float64 and in the points' order, so that batches do not change the result.
    """
    k, length = points.shape[:2]
    total = np.zeros((len(oracle.targets), length, 4))
    squares = np.zeros_like(total)
    for rows in chunks(oracle, k, length):
        _, gradient = oracle.gradient(points[rows])
        total += gradient.sum(1, dtype=np.float64)
        squares += np.square(gradient, dtype=np.float64).sum(1)
    mean = total / k
    variance = np.maximum(squares / k - mean**2, 0) * k / max(k - 1, 1)
    return mean, np.sqrt(variance / k)
