"""An oracle seen through its targets: the form in which explainers see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.oracle.answers import checked_input, checked_outputs
from cislens.oracle.base import Array, Oracle, Outputs
from cislens.oracle.counts import Counts
from cislens.oracle.head import Head
from cislens.oracle.layer import Layer
from cislens.reduction import profile, pull, reduce
from cislens.target import Target, head_of, parse_targets


class Targeted:
    """Answer with the scalars that targets name, capabilities kept.

    `predict` gives (n, t) for t targets, reduced batch by batch, so that no full profile of a library is ever held.
    Everything else (layers, activations, the native model) is the oracle's own.

    Parameters
    ----------
    oracle
        The model.
    targets
        Resolved targets, one or more.
    """

    def __init__(self, oracle: Oracle, targets: Sequence[Target]) -> None:
        self.oracle = oracle
        self.targets = tuple(targets)
        self._heads = tuple(head_of(target, oracle.heads) for target in self.targets)

    @classmethod
    def of(cls, oracle: Oracle, targets: str | Target | Sequence[str | Target] | None) -> Targeted:
        """Resolve targets (texts or `Target`s) against the oracle's heads.

        Where only logits are wanted of a probability, and the oracle can leave out the sigmoid, it does: a logit taken
        of a float32 probability is lost once that saturates.
        """
        resolved = [target.resolve(oracle.heads) for target in parse_targets(targets)]
        # A logit of a mean is no mean of logits, so a reduced profile keeps its sigmoid too.
        plain = {target.head for target in resolved if target.transform != "logit" or target.reduction is not None}
        squashed = [head.name for head in oracle.heads if head.scale == "probability" and head.name not in plain]
        wanted = [name for name in squashed if any(target.head == name for target in resolved)]
        if wanted and "logits" in oracle.capabilities:
            oracle = oracle.logits(wanted)
        return cls(oracle, resolved)

    def __repr__(self) -> str:
        return f"Targeted({self.oracle!r}, {', '.join(map(str, self.targets))})"

    # ---- answers -----------------------------------------------------------------------------------------

    def predict(self, x: npt.ArrayLike | Iterable[Array]) -> Array:
        """Return the targets' values, (n, t); `x` as in `Oracle.predict`."""
        parts = [self._reduced(outputs) for outputs in self.oracle.stream(x)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.targets)), np.float32)

    def substitutions(self, x: npt.ArrayLike, sites: Array) -> Iterator[tuple[slice, Array]]:
        """Yield which rows of `sites`, and the targets' values (rows, t), as `Oracle.substitutions`."""
        for rows, outputs in self.oracle.substitutions(x, sites):
            yield rows, self._reduced(outputs)

    def linearize(self, x: npt.ArrayLike) -> tuple[Array, Callable[[Array], Array]]:
        """Return the values (n, t) and the pullback: (n, t) to (n, length, 4), any number of times."""
        outputs, pullback = self.oracle.linearize(x)

        def pull_back(cotangent: Array) -> Array:
            return pullback(self._head_cotangents(outputs, np.asarray(cotangent)))

        return self._reduced(outputs), pull_back

    def gradient(self, x: npt.ArrayLike) -> tuple[Array, Array]:
        """Return the values (n, t) and the gradient of each target, (t, n, length, 4), uncorrected.

        One forward pass, and one backward pass a target; one batch is held at a time.
        """
        self.oracle.require("linearize")
        array = checked_input(x, self.oracle.name, self.oracle.length)
        t = len(self.targets)
        gradients = np.empty((t, *array.shape), self.oracle.dtype)
        values = np.empty((len(array), t), self.oracle.dtype)
        # Counted here, not in the batch, which also runs while the fastest batch size is measured.
        for rows, (outputs, value, slopes) in self.oracle.batcher.run(self._gradient_batch, array):
            checked_outputs(outputs, rows, self.oracle)
            self.oracle.counts.predictions += rows.stop - rows.start
            self.oracle.counts.pullbacks += t * (rows.stop - rows.start)
            values[rows] = value
            gradients[:, rows] = slopes
        return values, gradients

    def _gradient_batch(self, x: Array) -> tuple[Outputs, Array, Array]:
        outputs, pullback = self.oracle._linearize_batch(x)
        value = self._reduced(outputs)
        slopes = []
        for t in range(len(self.targets)):
            cotangent = np.zeros_like(value)
            cotangent[:, t] = 1
            by_head = self._head_cotangents(outputs, cotangent)
            slopes.append(pullback({name: np.asarray(part, self.oracle.dtype) for name, part in by_head.items()}))
        return outputs, value, np.stack(slopes)

    def _reduced(self, outputs: Mapping[str, Array]) -> Array:
        columns = [
            reduce(target, head, outputs[head.name]) for target, head in zip(self.targets, self._heads, strict=True)
        ]
        return np.stack(columns, axis=1)

    def _head_cotangents(self, outputs: Mapping[str, Array], cotangent: Array) -> dict[str, Array]:
        gathered: dict[str, Array] = {}
        for t, (target, head) in enumerate(zip(self.targets, self._heads, strict=True)):
            if not cotangent[:, t].any():
                continue
            part = pull(target, head, outputs[head.name], cotangent[:, t])
            gathered[head.name] = gathered[head.name] + part if head.name in gathered else part
        if not gathered:
            name = self._heads[0].name
            gathered[name] = np.zeros_like(outputs[name])
        return gathered

    def fitted(self, x: Array, references: int) -> Targeted:
        """Return the same with principal components fitted on sequences, the first `references` of interest."""
        waiting = [i for i, t in enumerate(self.targets) if t.unfitted]
        if not waiting:
            return self
        profiles: dict[int, list[Array]] = {i: [] for i in waiting}
        for outputs in self.oracle.stream(x):
            for i in waiting:
                y = profile(self.targets[i], self._heads[i], outputs[self._heads[i].name])
                profiles[i].append(y.reshape(len(y), -1))
        targets = list(self.targets)
        for i in waiting:
            targets[i] = targets[i].fitted(np.concatenate(profiles[i]).astype(np.float64), references)
        return Targeted(self.oracle, targets)

    def only(self, index: int) -> Targeted:
        """Return the same oracle with one of its targets."""
        return Targeted(self.oracle, [self.targets[index]])

    # ---- the oracle's own --------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.oracle.name

    @property
    def length(self) -> int | None:
        """Input length in bp, None where any will do."""
        return self.oracle.length

    @property
    def heads(self) -> tuple[Head, ...]:
        """The heads that the targets read, one a target."""
        return self._heads

    @property
    def dtype(self) -> npt.DTypeLike:
        """Number type of the answers."""
        return self.oracle.dtype

    @property
    def counts(self) -> Counts:
        """What the oracle was asked, counted over all its uses."""
        return self.oracle.counts

    @property
    def capabilities(self) -> frozenset[str]:
        """What the oracle can do."""
        return self.oracle.capabilities

    @property
    def fingerprint(self) -> str:
        """The model's fingerprint."""
        return self.oracle.fingerprint

    @property
    def native(self) -> Any:
        """The framework's own object."""
        return self.oracle.native

    def layers(self) -> tuple[Layer, ...]:
        """Return the model's layers."""
        return self.oracle.layers()

    def activations(self, x: npt.ArrayLike, layer: str, *, pre: bool = True) -> Array:
        """Return a layer's values, as `Oracle.activations`."""
        return self.oracle.activations(x, layer, pre=pre)

    def weights(self, layer: str) -> dict[str, Array]:
        """Return a layer's arrays, as `Oracle.weights`."""
        return self.oracle.weights(layer)

    def subnetwork(self, layer: str) -> Oracle:
        """Return the network up to a layer, as `Oracle.subnetwork`."""
        return self.oracle.subnetwork(layer)

    def intervene(self, edits: Mapping[str, Mapping[int, float]]) -> Targeted:
        """Return the same targets of the model with units held, as `Oracle.intervene`."""
        return Targeted(self.oracle.intervene(edits), self.targets)

    def randomised(self, layer: str, rng: np.random.Generator) -> Targeted:
        """Return the same targets of the model with a layer's weights shuffled, as `Oracle.randomised`."""
        return Targeted(self.oracle.randomised(layer, rng), self.targets)
