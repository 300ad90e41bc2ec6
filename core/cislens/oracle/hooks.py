"""The hooks of an oracle: what an adapter author writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.oracle.layer import Layer
from cislens.oracle.options import OracleOptions

if TYPE_CHECKING:
    from cislens.oracle.base import Oracle

Array = npt.NDArray[Any]
Outputs = dict[str, Array]
Pullback = Callable[[Mapping[str, Array]], Array]

# What an explainer can ask for, and the hook that an adapter writes to offer it.
HOOKS = {
    "predict": "_predict",
    "linearize": "_linearize",
    "layers": "_layers",
    "activations": "_activations",
    "weights": "_weights",
    "subnetwork": "_subnetwork",
    "intervene": "_intervene",
    "randomised": "_randomised",
    "logits": "_logits",
}


class Hooks(ABC):
    """Answer for one batch.

    Hooks receive `x` as (batch, length, 4) of `dtype`, base order ACGT, N as zeros; what the model wants instead is
    theirs to arrange. `_predict` must be written; each other one adds a capability.
    """

    dtype: npt.DTypeLike = np.float32
    # How the model was opened, where an adapter opened it.
    options: OracleOptions | None = None
    # Why a capability is missing where its hook is not written.
    unavailable: str = "this kind of model does not offer it"

    @abstractmethod
    def _predict(self, x: Array) -> Outputs:
        """Return each head's array (batch, *shape) for one batch."""

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        """Return outputs and a pullback that may be called more than once; heads left out of it count as zero."""
        raise NotImplementedError

    def _layers(self) -> tuple[Layer, ...]:
        """Return the layers in topological order, receptive fields filled in."""
        raise NotImplementedError

    def _activations(self, x: Array, layer: Layer, pre: bool) -> Array:
        """Return values (batch, positions, units), or (batch, units) of a layer without positions."""
        raise NotImplementedError

    def _weights(self, layer: Layer) -> dict[str, Array]:
        """Return the layer's arrays by name."""
        raise NotImplementedError

    def _subnetwork(self, layer: Layer) -> Oracle:
        """Return the network up to one layer, on its receptive field."""
        raise NotImplementedError

    def _intervene(self, edits: Mapping[str, Mapping[int, float]]) -> Oracle:
        """Return the model with these units held at these values."""
        raise NotImplementedError

    def _randomised(self, layer: Layer, rng: np.random.Generator) -> Oracle:
        """Return the model with this layer's weights drawn anew."""
        raise NotImplementedError

    def _logits(self, heads: Sequence[str]) -> Oracle:
        """Return the model without the final sigmoid of these heads, their scale "logit"."""
        raise NotImplementedError

    def _substitutions(self, x: Array, sites: Array) -> Outputs | None:
        """Return the answers to single substitutions of one sequence (length, 4), if they can share their work.

        `sites` holds rows (position, new base). None where each mutant is better asked by itself; that must depend on
        the model and the length alone, so that a run that is resumed computes as it did before.
        """
        return None

    def _declined(self) -> dict[str, str]:
        """Return the capabilities that this instance cannot offer, each with its reason."""
        return {}

    def _is_out_of_memory(self, error: Exception) -> bool:
        """Tell whether a smaller batch could cure this error."""
        return isinstance(error, MemoryError)

    @property
    def native(self) -> Any:
        """The framework's own object; None where there is none."""
        return None
