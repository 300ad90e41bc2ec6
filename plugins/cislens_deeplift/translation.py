"""Translate an oracle's layers to torch, each admitted only where it gives the values that the oracle has there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cislens.oracle.base import Oracle
from cislens.oracle.head import Head
from cislens.oracle.layer import Layer
from cislens_deeplift.candidates import activations, candidates
from cislens_deeplift.twin import PositionsFirst, Reshaped, Translated, Twin

Array = npt.NDArray[Any]
Tensor = torch.Tensor
TOLERANCE = 1e-5  # of a layer's or a model's values from the oracle's, over the larger of 1 and these


class Untranslatable(Exception):
    """A model of which a head hangs on a layer that cannot be translated."""


def translated(oracle: Oracle, head: Head, probes: Array) -> Twin:
    """Return a torch twin of one head of a model.

    A layer is tried as each module that it may be, and the one that agrees best with the oracle's own values on the
    probes is taken, if it agrees at all. The head is found as the layer that has its values.

    Parameters
    ----------
    oracle
        The model; it must show layers, activations and weights.
    head
        One of its heads.
    probes : (n, length, 4)
        Random sequences, one-hot.

    Raises
    ------
    Untranslatable
        If the head hangs on a layer that agrees with no module; the sentence names it.
    """
    translation = _Translation(oracle, probes)
    with torch.no_grad():
        for layer in oracle.layers():
            translation.add(layer)
        return translation.twin(head)


class _Translation:
    """What is translated so far, with the values of the probes."""

    def __init__(self, oracle: Oracle, probes: Array) -> None:
        self.oracle, self.probes = oracle, probes
        self.layers = {layer.name: layer for layer in oracle.layers()}
        self.values: dict[str, Tensor] = {}
        self.steps: dict[str, Translated] = {}
        self.failed: list[str] = []
        self.sequence = ""

    def add(self, layer: Layer) -> None:
        """Translate a layer whose sources are translated; keep the name of one that cannot be."""
        if layer.kind == "input":
            self.sequence = layer.name
            self.values[layer.name] = torch.from_numpy(self.probes.swapaxes(1, 2).copy())
            return
        if any(name not in self.values for name in layer.inputs):
            return  # behind a layer that failed
        sources = [self.values[name] for name in layer.inputs]
        arrays = self.oracle.weights(layer.name)
        is_activation = layer.kind == "activation"
        found = self._best(candidates(layer, sources, arrays), sources, self._expected(layer, pre=not is_activation))
        if found is not None and self._is_fused(layer):
            assert layer.activation is not None
            module, value = found
            after = self._best(activations(layer.activation), [value], self._expected(layer, pre=False))
            found = None if after is None else (nn.Sequential(module, after[0]), after[1])
        if found is None:
            self.failed.append(layer.name)
            return
        self.steps[layer.name] = Translated(found[0], layer.inputs)
        self.values[layer.name] = found[1]

    def _is_fused(self, layer: Layer) -> bool:
        """Tell whether a layer applies its nonlinearity itself, and none that follows it does."""
        if layer.kind == "activation" or layer.activation is None:
            return False
        readers = [other for other in self.layers.values() if layer.name in other.inputs]
        return not (len(readers) == 1 and (readers[0].kind, readers[0].activation) == ("activation", layer.activation))

    def _expected(self, layer: Layer, pre: bool) -> Tensor:
        values = torch.from_numpy(np.array(self.oracle.activations(self.probes, layer.name, pre=pre)))
        return values.transpose(1, 2) if values.ndim == 3 else values

    def _best(
        self, modules: Iterable[nn.Module], sources: list[Tensor], expected: Tensor
    ) -> tuple[nn.Module, Tensor] | None:
        """Return the module that comes nearest to the expected values, and its own; None where none comes near."""
        best, nearest = None, TOLERANCE
        for module in modules:
            module.eval().to(expected.dtype)
            value = module(*sources)
            off = _apart(value, expected)
            if off <= nearest:
                best, nearest = (module, value), off
        return best

    def twin(self, head: Head) -> Twin:
        """Return the twin of a head, which some layer must give."""
        expected = torch.from_numpy(np.array(self.oracle.predict(self.probes)[head.name]))
        for name in reversed(self.values):
            for module in _arrangements(self.values[name], expected):
                if _apart(module(self.values[name]), expected) <= TOLERANCE:
                    return self._assembled(head, name, module)
        raise Untranslatable(
            f"layer {self.failed[0]!r} ({self._native(self.failed[0])}) cannot be translated to torch"
            if self.failed
            else f"no layer has the values of head {head.name!r}"
        )

    def _native(self, name: str) -> str:
        layer = self.layers[name]
        return ", ".join(dict.fromkeys(filter(None, (layer.native_kind, layer.activation))))

    def _assembled(self, head: Head, end: str, arrangement: nn.Module) -> Twin:
        needed = {end}
        for name in reversed(self.steps):
            if name in needed:
                needed |= set(self.steps[name].inputs)
        steps = {name: step for name, step in self.steps.items() if name in needed}
        last = f"head {head.name}"
        steps[last] = Translated(arrangement, (end,))
        options = self.oracle.options
        twin = Twin(self.sequence, steps, head.name, last, 0.0 if options is None else options.n_value)
        return twin.requires_grad_(False).eval()


def _arrangements(value: Tensor, expected: Tensor) -> Iterator[nn.Module]:
    """Yield ways to put the values of a layer into the shape of a head."""
    if value.numel() == expected.numel():
        yield Reshaped(expected.shape[1:])
        if value.ndim == 3:
            yield nn.Sequential(PositionsFirst(), Reshaped(expected.shape[1:]))


def _apart(value: Tensor, expected: Tensor) -> float:
    """Return the largest difference of values, over the larger of 1 and the expected ones."""
    if value.shape != expected.shape:
        return float("inf")
    return float((value - expected).abs().max() / expected.abs().max().clamp(min=1))
