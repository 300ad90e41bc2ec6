"""An oracle that can do less than it could."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from cislens.oracle.base import HOOKS, Array, Oracle, Outputs, Pullback
from cislens.oracle.layer import Layer

REASON = "it is kept from it, to see what happens"


class Restricted(Oracle):
    """Pass on an oracle's answers, but only some of its capabilities.

    Parameters
    ----------
    oracle
        The oracle behind it.
    allowed
        Capabilities that are passed on where the oracle has them; "predict" always is.
    """

    def __init__(self, oracle: Oracle, allowed: Collection[str]) -> None:
        self.dtype = oracle.dtype
        self.oracle = oracle
        self.allowed = frozenset(allowed) | {"predict"}
        super().__init__(oracle.name, oracle.heads, oracle.length, batch_size=oracle.batcher.size)

    def _declined(self) -> dict[str, str]:
        return {
            name: REASON if name not in self.allowed else self.oracle.why_not(name)
            for name in HOOKS
            if name not in self.allowed & self.oracle.capabilities
        }

    @property
    def native(self) -> Any:
        """The object behind it, where one of its classes is allowed."""
        return self.oracle.native if any(name.startswith("native:") for name in self.allowed) else None

    def _fingerprint(self) -> str:
        return self.oracle.fingerprint

    def _predict(self, x: Array) -> Outputs:
        return self.oracle._predict(x)

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        return self.oracle._linearize(x)

    def _layers(self) -> tuple[Layer, ...]:
        return self.oracle._layers()

    def _activations(self, x: Array, layer: Layer, pre: bool) -> Array:
        return self.oracle._activations(x, layer, pre)

    def _weights(self, layer: Layer) -> dict[str, Array]:
        return self.oracle._weights(layer)

    def _subnetwork(self, layer: Layer) -> Oracle:
        return self.oracle._subnetwork(layer)

    def _intervene(self, edits: Mapping[str, Mapping[int, float]]) -> Oracle:
        return Restricted(self.oracle._intervene(edits), self.allowed)

    def _randomised(self, layer: Layer, rng: np.random.Generator) -> Oracle:
        return Restricted(self.oracle._randomised(layer, rng), self.allowed)

    def _logits(self, heads: Sequence[str]) -> Oracle:
        return Restricted(self.oracle._logits(heads), self.allowed)
