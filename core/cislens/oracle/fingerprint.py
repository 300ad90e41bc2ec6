"""Fingerprints: what tells one model from another in a report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from cislens.oracle.base import Oracle

PROBES = 4
PROBE_LENGTH = 200  # bp, for functions that take any length


def fingerprint_of_weights(arrays: Iterable[npt.NDArray[Any]], options: object) -> str:
    """Return a hash of a model's weights in order, their shapes, and the options it was opened with."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(json.dumps(options, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def fingerprint_of_answers(oracle: Oracle) -> str:
    """Return a hash of a model's name and of its answers, to 4 digits, on fixed random sequences."""
    rng = np.random.default_rng(0)
    length = oracle.length or PROBE_LENGTH
    probes = np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (PROBES, length))]
    digest = hashlib.blake2b(oracle.name.encode(), digest_size=16)
    for name, values in sorted(oracle._predict_batch(probes).items()):
        digest.update(name.encode())
        digest.update(" ".join(f"{v:.4g}" for v in np.ravel(values)).encode())
    return digest.hexdigest()
