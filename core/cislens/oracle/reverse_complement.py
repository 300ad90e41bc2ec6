"""The average of a model over both strands of each sequence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cislens.errors import OracleError
from cislens.oracle.base import Oracle
from cislens.oracle.head import Head
from cislens.oracle.hooks import HOOKS, Array, Outputs, Pullback
from cislens.oracle.layer import Layer


class ReverseComplementAverage(Oracle):
    """Answer with the mean over a sequence and its reverse complement.

    Models trained on one strand answer differently for the other, although nothing in the cell does. The answers to the
    reverse complement are turned back before the mean is taken: positions are flipped, strands swapped. The mean is
    taken on the model's own scale, of logs where it answers with logs. What shows the inside (layers, activations,
    weights, subnetworks) is that of the model on the sequence as it is given. One prediction of this oracle costs two
    of the model, and counts as one.

    Parameters
    ----------
    oracle
        The model.

    Raises
    ------
    OracleError
        If positions of a profile do not lie symmetrically on the input, so that flipped ones would cover other bp.

    Examples
    --------
    >>> from cislens import open_oracle
    >>> first_base_is_a = open_oracle(lambda x: x[:, 0, 0], length=10)
    >>> averaged = ReverseComplementAverage(first_base_is_a)
    >>> averaged.predict(np.eye(4)[[[0, 0, 0, 0, 0, 0, 0, 0, 0, 3]]])["output"]
    array([1.], dtype=float32)
    """

    def __init__(self, oracle: Oracle) -> None:
        for head in oracle.heads:
            _check_symmetric(head, oracle.length, oracle.name)
        self.oracle = oracle
        self.dtype = oracle.dtype
        self.options = None if oracle.options is None else replace(oracle.options, reverse_complement=True)
        super().__init__(
            oracle.name,
            oracle.heads,
            oracle.length,
            batch_size=oracle.batcher.size,
            device=oracle.device,
            fixed_batch=oracle.fixed_batch,
        )

    def _both(self, given: Outputs, turned: Outputs) -> Outputs:
        return {head.name: (given[head.name] + turned_back(head, turned[head.name])) / 2 for head in self.heads}

    def _predict(self, x: Array) -> Outputs:
        return self._both(self.oracle._predict(x), self.oracle._predict(reverse_complement(x)))

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        given, pull_given = self.oracle._linearize(x)
        turned, pull_turned = self.oracle._linearize(reverse_complement(x))
        heads = {head.name: head for head in self.heads}

        def pullback(cotangent: Mapping[str, Array]) -> Array:
            back = {name: np.ascontiguousarray(turned_back(heads[name], part)) for name, part in cotangent.items()}
            return (pull_given(cotangent) + reverse_complement(pull_turned(back))) / 2

        return self._both(given, turned), pullback

    def _substitutions(self, x: Array, sites: Array) -> Outputs | None:
        given = self.oracle._substitutions(x, sites)
        if given is None:
            return None
        turned = self.oracle._substitutions(reverse_complement(x), np.array([len(x) - 1, 3]) - sites)
        return None if turned is None else self._both(given, turned)

    # ---- the model's own ---------------------------------------------------------------------------------

    def _layers(self) -> tuple[Layer, ...]:
        return self.oracle._layers()

    def _activations(self, x: Array, layer: Layer, pre: bool) -> Array:
        return self.oracle._activations(x, layer, pre)

    def _weights(self, layer: Layer) -> dict[str, Array]:
        return self.oracle._weights(layer)

    def _subnetwork(self, layer: Layer) -> Oracle:
        return self.oracle._subnetwork(layer)

    def _intervene(self, edits: Mapping[str, Mapping[int, float]]) -> Oracle:
        return ReverseComplementAverage(self.oracle._intervene(edits))

    def _randomised(self, layer: Layer, rng: np.random.Generator) -> Oracle:
        return ReverseComplementAverage(self.oracle._randomised(layer, rng))

    def _logits(self, heads: Sequence[str]) -> Oracle:
        return ReverseComplementAverage(self.oracle._logits(heads))

    def _declined(self) -> dict[str, str]:
        return {name: self.oracle.why_not(name) for name in HOOKS if name not in self.oracle.capabilities}

    def _is_out_of_memory(self, error: Exception) -> bool:
        return self.oracle._is_out_of_memory(error)

    def _fingerprint(self) -> str:
        return hashlib.blake2b(f"both strands of {self.oracle.fingerprint}".encode(), digest_size=16).hexdigest()

    @property
    def native(self) -> Any:
        """The framework's own object of the model."""
        return self.oracle.native


def reverse_complement(x: Array) -> Array:
    """Return one-hot sequences (..., length, 4) of the other strand; the order ACGT reversed is the complement."""
    return np.ascontiguousarray(x[..., ::-1, ::-1])


def turned_back(head: Head, answers: Array) -> Array:
    """Return answers (n, *shape) to reverse complements as answers of the given strand: a turn that undoes itself."""
    turned = tuple(1 + i for i, axis in enumerate(head.axes) if axis in ("position", "strand"))
    return np.flip(answers, turned) if turned else answers


def _check_symmetric(head: Head, length: int | None, name: str) -> None:
    placed = (head.bin_width, head.offset) != (1, 0)
    if not (placed and head.is_profile) or length is None or head.positions is None:
        return
    after = length - head.offset - head.positions * head.bin_width
    if abs(after - head.offset) > head.bin_width:  # half a bin is lost to rounding where windows are of even width
        raise OracleError(
            f"positions of head {head.name!r} of {name} must lie symmetrically on the input for an average over both "
            f"strands, but {head.offset} bp lie before them and {after} after: leave the average out"
        )
