"""The part of a model up to one layer, on windows of its receptive field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from cislens.errors import CapabilityError
from cislens.oracle.head import Head
from cislens.oracle.layer import Layer
from cislens_torch.layers import INPUT_NAME, Graph
from cislens_torch.replay import Changes, Reached, Replay, Stop, as_units
from cislens_torch.strip import Stripped
from cislens_torch.tensors import TensorOracle, encode, evaluating

if TYPE_CHECKING:
    from cislens_torch.oracle import TorchOracle

HEAD = "units"


class SubnetworkOracle(TensorOracle):
    """Answer with the units of one layer, for a window that is all it sees.

    The whole model's forward pass runs without padding, and ends at the layer.

    Parameters
    ----------
    whole
        The model.
    graph
        Its layers.
    layer
        The layer, which must have a receptive field.
    changes
        What of the model is changed.

    Raises
    ------
    CapabilityError
        If the model's code only works on the whole sequence.
    """

    unavailable = "a subnetwork is asked for predictions and gradients only: ask the whole model"

    def __init__(self, whole: TorchOracle, graph: Graph, layer: Layer, changes: Changes) -> None:
        self.options = whole.options
        self._whole = whole
        self._layer = layer
        self._graph = graph
        self._changes = changes
        assert layer.units is not None
        head = Head(HEAD, (layer.units,), ("output",), scale="linear")
        super().__init__(
            whole.module, whole.placement, f"{whole.name} up to {layer.name}", (head,), layer.receptive_field
        )
        self._try()

    def _try(self) -> None:
        probe = torch.zeros((1, self.length or 1, 4), device=self.placement.device)
        try:
            with torch.no_grad(), evaluating(self.module):
                self._answer(probe)
        except CapabilityError:
            raise
        except Exception as error:
            raise CapabilityError(
                f"layer {self._layer.name!r} must work on windows of its receptive field ({self.length} bp), but the "
                f"model's code fails on them ({type(error).__name__}: {error}): use the whole model"
            ) from error

    def _answer(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        encoded = encode(x, self._whole.encoding, self.placement.dtype)
        if self._layer.name == INPUT_NAME:
            return {HEAD: x[:, 0]}
        operation = self._graph.operation(self._layer.name)
        task = Stripped(self._graph.ancestors(operation.call), self._layer.offset or 0, self._layer.name)
        replay = Replay(self._graph.trace, self._changes, Stop(operation.call, self._layer.kind == "activation"), task)
        try:
            with replay:
                self._whole.run(replay.start(encoded))
        except Reached as reached:
            values = as_units(reached.value, operation)
            if values.ndim != 3 or values.shape[1] != 1:
                raise CapabilityError(
                    f"layer {self._layer.name!r} must have one position in a window of {self.length} bp, "
                    f"got shape {tuple(values.shape)}: use the whole model"
                ) from None
            return {HEAD: values[:, 0]}
        raise CapabilityError(f"layer {self._layer.name!r} is not reached on a window of {self.length} bp")

    def _fingerprint(self) -> str:
        return f"{self._whole.fingerprint}/{self._layer.name}"
