"""A linear oracle: the sum of a weight for each position and base."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from cislens.oracle.base import Array, Outputs, Pullback
from cislens.oracle.batching import BatchSize
from cislens.oracle.head import Head
from cislens.sequences import Sequences
from cislens.testing.toys.toy import Toy

PREFERRED = 0.95  # share of positions at which examples hold the best or the worst base


class LinearToy(Toy):
    """Answer with sum(weights * x).

    Its gradient is `weights` everywhere, the effect of a substitution from base a to b at position i is
    weights[i, b] - weights[i, a], and no explainer has an excuse for missing either.

    Parameters
    ----------
    weights
        (length, 4).
    """

    def __init__(self, weights: Array, *, batch_size: BatchSize = "auto") -> None:
        self.matrix = np.asarray(weights, np.float64)
        super().__init__("linear toy", [Head("value", (), (), scale="linear")], len(self.matrix), batch_size=batch_size)

    def _arrays(self) -> Iterable[Array]:
        return [self.matrix]

    def _predict(self, x: Array) -> Outputs:
        return {"value": np.einsum("nlb,lb->n", x, self.matrix)}

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        def pullback(cotangent: Mapping[str, Array]) -> Array:
            given = cotangent.get("value", np.zeros(len(x)))
            return np.asarray(given[:, None, None] * self.matrix)

        return self._predict(x), pullback

    def examples(self, n: int, rng: np.random.Generator) -> Sequences:
        """Return sequences that mostly hold the best bases in their first half and the worst in their second."""
        length = len(self.matrix)
        wanted = np.where(np.arange(length) < length // 2, self.matrix.argmax(1), self.matrix.argmin(1))
        bases = np.where(rng.random((n, length)) < PREFERRED, wanted, rng.integers(0, 4, (n, length)))
        return Sequences.from_onehot(np.eye(4, dtype=np.uint8)[bases])

    def attribution(self, sequences: Sequences) -> Array:
        """Return the exact map (1, n, length, 4) in the uniform gauge: the weights less their mean over the bases."""
        centred = self.matrix - self.matrix.mean(1, keepdims=True)
        return np.broadcast_to(centred, (1, len(sequences), *centred.shape)).copy()
