"""What oracles promise that show their inside: layers, activations, weights, and oracles made from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from cislens.errors import CapabilityError
from cislens.oracle.base import Array, Oracle
from cislens.oracle.layer import Layer
from cislens.testing.contract import ContractViolation, require, require_close

Answer = TypeVar("Answer")
# A subnetwork computes the same sums on another shape of input, which float32 may round differently.
SUBNETWORK_TOLERANCE = 1e-4


class InsideChecks:
    """The part of the oracle contract that concerns what is inside the model."""

    def __init__(self, oracle: Oracle, examples: Array) -> None:
        self.oracle = oracle
        self.examples = examples

    @property
    def subject(self) -> str:
        """The oracle's name."""
        return self.oracle.name

    def promises(self) -> list[Callable[[], None]]:
        """Return the checks that the oracle's capabilities call for."""
        by_capability = {
            "layers": self.check_layers,
            "activations": self.check_activations,
            "weights": self.check_weights,
            "subnetwork": self.check_subnetwork,
            "intervene": self.check_intervene,
            "randomised": self.check_randomised,
            "logits": self.check_logits,
        }
        return [check for name, check in by_capability.items() if name in self.oracle.capabilities]

    def ask(self, capability: str) -> object:
        """Use a capability once, in the simplest way; where it is missing, on layers that need not exist."""
        layer = self._some_layer()
        if capability == "predict":
            return self.oracle.predict(self.examples)
        if capability == "linearize":
            answers, pullback = self.oracle.linearize(self.examples)
            return pullback(answers)
        if capability == "layers":
            return self.oracle.layers()
        if capability == "activations":
            return self.oracle.activations(self.examples, layer)
        if capability == "weights":
            return self.oracle.weights(layer)
        if capability == "subnetwork":
            return self.oracle.subnetwork(layer)
        if capability == "intervene":
            return self.oracle.intervene({layer: {0: 0.0}})
        if capability == "logits":
            return self.oracle.logits(self._probabilities())
        return self.oracle.randomised(layer, np.random.default_rng(0))

    def _probabilities(self) -> list[str]:
        return [head.name for head in self.oracle.heads if head.scale == "probability"]

    def _some_layer(self) -> str:
        if "layers" not in self.oracle.capabilities:
            return "any"
        layers = self.oracle.layers()
        chosen = [layer.name for layer in layers if layer.kind == "convolution"] or [layers[0].name]
        return chosen[0]

    # ---- the graph ---------------------------------------------------------------------------------------

    def check_layers(self) -> None:
        """Check that layers form a graph in topological order, from one input."""
        layers = self.oracle.layers()
        require(len(layers) > 0, f"{self.subject}: expected at least one layer, got none")
        seen: set[str] = set()
        for layer in layers:
            require(layer.name not in seen, f"{self.subject}: expected unique layer names, got {layer.name!r} twice")
            if unknown := [name for name in layer.inputs if name not in seen]:
                raise ContractViolation(
                    f"{self.subject}: expected layer {layer.name!r} after its inputs, got {unknown[0]!r} later or never"
                )
            seen.add(layer.name)
        require(
            any(layer.kind == "input" for layer in layers),
            f"{self.subject}: expected a layer of kind 'input', got none",
        )

    def check_activations(self) -> None:
        """Check that activations have a layer's units last, and that ReLU separates them before and after it."""
        shown = self._layers_with(lambda layer: self.oracle.activations(self.examples, layer.name, pre=True))
        require(bool(shown), f"{self.subject}: expected activations of at least one layer, got a refusal for each")
        for layer, before in shown:
            require(
                before.ndim in (2, 3) and len(before) == len(self.examples),
                f"{self.subject}: expected activations of {layer.name!r} as ({len(self.examples)}, positions, units) "
                f"or ({len(self.examples)}, units), got {before.shape}",
            )
            require(
                layer.units is None or before.shape[-1] == layer.units,
                f"{self.subject}: expected {layer.units} units last in {layer.name!r}, got {before.shape}",
            )
            if layer.activation == "relu" and layer.kind != "activation":
                after = self.oracle.activations(self.examples, layer.name, pre=False)
                require_close(after, np.maximum(before, 0), f"{self.subject}, {layer.name!r} after its ReLU")

    def check_weights(self) -> None:
        """Check that convolutions give kernels (units, width, channels) and dense layers (units, inputs)."""
        shown = self._layers_with(lambda layer: self.oracle.weights(layer.name))
        require(bool(shown), f"{self.subject}: expected weights of at least one layer, got a refusal for each")
        for layer, arrays in shown:
            kernel = arrays.get("kernel")
            if layer.kind not in ("convolution", "dense") or kernel is None or layer.units is None:
                continue
            wanted = (layer.units, layer.kernel) if layer.kind == "convolution" else (layer.units,)
            require(
                kernel.shape[: len(wanted)] == wanted,
                f"{self.subject}: expected a kernel of {layer.name!r} that starts with {wanted}, got {kernel.shape}",
            )

    # ---- new oracles -------------------------------------------------------------------------------------

    def check_subnetwork(self) -> None:
        """Check that a subnetwork gives a layer's own values before the nonlinearity."""
        windowed = [
            layer
            for layer in self.oracle.layers()
            if layer.kind in ("convolution", "pool") and layer.receptive_field is not None
        ]
        compared = 0
        for layer in windowed:
            try:
                part = self.oracle.subnetwork(layer.name)
            except CapabilityError:
                continue
            compared += self._compare_subnetwork(part, layer)
        require(compared > 0 or not windowed, f"{self.subject}: expected a subnetwork of at least one layer, got none")

    def _compare_subnetwork(self, part: Oracle, layer: Layer) -> int:
        assert layer.receptive_field is not None
        assert layer.step is not None
        assert layer.offset is not None
        require(
            part.length == layer.receptive_field,
            f"{self.subject}: expected a subnetwork of {layer.name!r} on {layer.receptive_field} bp, got {part.length}",
        )
        values = self.oracle.activations(self.examples, layer.name, pre=True)
        length = self.examples.shape[1]
        starts = layer.offset + layer.step * np.arange(values.shape[1])
        inside = np.flatnonzero((starts >= 0) & (starts + layer.receptive_field <= length))
        # Padding of a layer below reaches windows near the ends; those in the middle see none.
        for position in inside[len(inside) // 2 : len(inside) // 2 + 1]:
            window = self.examples[:, starts[position] : starts[position] + layer.receptive_field]
            require_close(
                part.predict(window)["units"],
                values[:, position],
                f"{self.subject}, subnetwork of {layer.name!r}",
                SUBNETWORK_TOLERANCE,
            )
        return len(inside[:1])

    def check_intervene(self) -> None:
        """Check that an intervention holds a unit, in a new oracle only."""
        answers = self.oracle.predict(self.examples)
        layer = self._some_layer()
        held = self.oracle.intervene({layer: {0: 0.75}})
        require(held is not self.oracle, f"{self.subject}: expected a new oracle from intervene, got the same one")
        if "activations" in held.capabilities:
            came = held.activations(self.examples, layer, pre=False)[..., 0]
            require_close(came, np.full_like(came, 0.75), f"{self.subject}, unit 0 of {layer!r} held at 0.75")
        self._require_unchanged(answers, "intervene")

    def check_randomised(self) -> None:
        """Check that randomising a layer shuffles its weights, in a new oracle only."""
        answers = self.oracle.predict(self.examples)
        layer = self._some_layer()
        shuffled = self.oracle.randomised(layer, np.random.default_rng(0))
        if {"weights"} <= self.oracle.capabilities & shuffled.capabilities:
            before, after = self.oracle.weights(layer), shuffled.weights(layer)
            for name, array in before.items():
                require_close(
                    np.sort(after[name], axis=None),
                    np.sort(array, axis=None),
                    f"{self.subject}, sorted {name} of {layer!r} after randomised",
                )
            kernel = before.get("kernel")
            require(
                kernel is None or not np.array_equal(kernel, after["kernel"]),
                f"{self.subject}: expected another kernel of {layer!r} after randomised, got the same one",
            )
        self._require_unchanged(answers, "randomised")

    def check_logits(self) -> None:
        """Check that the sigmoid of its logits gives the probability back."""
        names = self._probabilities()
        answers = self.oracle.predict(self.examples)
        opened = self.oracle.logits(names)
        logits = opened.predict(self.examples)
        for name in names:
            came = 0.5 * (1 + np.tanh(logits[name].astype(np.float64) / 2))
            require_close(came, answers[name], f"{self.subject}, sigmoid of the logits of {name!r}")
        self._require_unchanged(answers, "logits")

    def _require_unchanged(self, answers: dict[str, Array], capability: str) -> None:
        after = self.oracle.predict(self.examples)
        for name in answers:
            require_close(after[name], answers[name], f"{self.subject}, head {name!r} of the model after {capability}")

    def _layers_with(self, ask: Callable[[Layer], Answer]) -> list[tuple[Layer, Answer]]:
        answered = []
        for layer in self.oracle.layers():
            try:
                answered.append((layer, ask(layer)))
            except CapabilityError:
                continue  # some layers have no such thing; not all may refuse
        return answered
