"""Convolution-pool networks with weights set by hand, and all their inside on show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from cislens.errors import OracleError
from cislens.oracle.base import Array, Oracle, Outputs, Pullback
from cislens.oracle.head import Head
from cislens.oracle.layer import Layer, with_receptive_fields
from cislens.sequences import Sequences
from cislens.testing.toys.toy import Toy, plant, random_onehot
from cislens.testing.toys.windows import convolve, pool_windows, transposed_convolution
from cislens.testing.toys.wiring import Motifs, Weights, Wiring, hand_set_weights, together_or_either

Edits = Mapping[str, Mapping[int, float]]


class ConvPoolToy(Toy):
    """Convolutions with ReLU and max pooling, maximum over positions, dense layer.

    By default of two motifs in two convolutions: the first output, "together", rises most where both motifs stand side
    by side; the second, "either", with any. `planted_motif`, `soft_spacing`, `synonymous_mixture` and `dead_unit` make
    networks whose deep units are of a known kind.

    Parameters
    ----------
    length
        Length in bp.
    weights
        The arrays of `conv1`, `conv2`, ... and `output`, as `hand_set_weights` gives them.
    edits
        Units held at fixed values after their nonlinearity: {layer: {unit: value}}.
    wiring
        How the layers follow each other, and what their units see.
    """

    def __init__(
        self,
        length: int,
        weights: Weights | None = None,
        edits: Edits | None = None,
        wiring: Wiring | None = None,
    ) -> None:
        self.arrays = weights if weights is not None else hand_set_weights()
        self.edits = edits or {}
        self.wiring = wiring or together_or_either()
        self.graph = self.wiring.graph
        self.knowledge = self.wiring.knowledge
        outputs = self.wiring.outputs
        head = Head("expression", (len(outputs),), ("output",), outputs, scale="linear")
        super().__init__(self.wiring.name, [head], length)

    def _arrays(self) -> Iterable[Array]:
        held = [
            (self.graph.index(name), unit, value) for name, units in self.edits.items() for unit, value in units.items()
        ]
        weights = [array for layer in self.arrays.values() for array in layer.values()]
        return [*weights, np.array(self.wiring.pools), np.array(held, float)]

    def unit_motifs(self, layer: str, unit: int) -> Motifs:
        """Return what a unit of a convolution sees: one motif, several that it fires for, or none if it is dead.

        Of a motif that is a set of words, the probabilities are the shares of its words. A unit that needs two motifs
        at a spacing is given both; `truth` states the spacings. This holds for the weights set by hand, not for others.

        Raises
        ------
        OracleError
            If the layer is no convolution, or has no such unit.
        """
        units = self.wiring.unit_motifs.get(layer, ())
        if not 0 <= unit < len(units):
            known = ", ".join(f"{name} ({len(seen)})" for name, seen in self.wiring.unit_motifs.items())
            raise OracleError(f"what a unit sees is known of convolutions, {known}, got unit {unit} of {layer!r}")
        return units[unit]

    # ---- forward and backward ----------------------------------------------------------------------------

    def forward(self, x: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return each layer's values before and after its nonlinearity, as far as the input is long."""
        before: dict[str, Array] = {}
        after: dict[str, Array] = {}
        value = x
        for name in self.graph:
            if value.shape[1] < self._width(name):
                break
            before[name] = self._layer_value(name, value)
            value = np.maximum(before[name], 0) if name.startswith("conv") else before[name]
            for unit, held in self.edits.get(name, {}).items():
                value = value.copy()
                value[..., unit] = held
            after[name] = value
        return before, after

    def _width(self, name: str) -> int:
        if name.startswith("conv"):
            return int(self.arrays[name]["kernel"].shape[1])
        return self.wiring.pool(name) if name.startswith("pool") else 1

    def _layer_value(self, name: str, value: Array) -> Array:
        if name.startswith("conv"):
            return np.asarray(convolve(value, self.arrays[name]["kernel"]) + self.arrays[name]["bias"])
        if name.startswith("pool"):
            return np.asarray(pool_windows(value, self._width(name)).max(2))
        if name == "top":
            return np.asarray(value.max(1))
        if name == "output":
            return np.asarray(value @ self.arrays[name]["kernel"].T + self.arrays[name]["bias"])
        return value

    def backward(self, before: Mapping[str, Array], after: Mapping[str, Array], name: str, slope: Array) -> Array:
        """Return the gradient of the input from that of a layer's values before its nonlinearity."""
        reached = self.graph[: self.graph.index(name) + 1]
        for below, here in zip(reached[-2::-1], reached[:0:-1], strict=True):
            slope = self._slope_below(here, slope, after[below])
            for unit in self.edits.get(below, {}):
                slope = slope.copy()
                slope[..., unit] = 0
            if below.startswith("conv"):
                slope = slope * (before[below] > 0)
        return slope

    def _slope_below(self, name: str, slope: Array, value: Array) -> Array:
        if name == "output":
            return np.asarray(slope @ self.arrays[name]["kernel"])
        if name == "top":
            return np.asarray((np.arange(value.shape[1])[:, None] == value.argmax(1)[:, None]) * slope[:, None])
        if name.startswith("pool"):
            width = self._width(name)
            windows = pool_windows(value, width)
            chosen = np.arange(width)[:, None] == windows.argmax(2)[:, :, None]
            back = np.zeros_like(value)
            back[:, : windows.shape[1] * width] = (chosen * slope[:, :, None]).reshape(len(value), -1, value.shape[2])
            return back
        return transposed_convolution(slope, self.arrays[name]["kernel"], value.shape[1])

    def _predict(self, x: Array) -> Outputs:
        return {"expression": self.forward(x)[1]["output"]}

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        before, after = self.forward(x)

        def pullback(cotangent: Mapping[str, Array]) -> Array:
            slope = np.array(cotangent.get("expression", np.zeros(after["output"].shape)))
            slope[:, list(self.edits.get("output", {}))] = 0
            return self.backward(before, after, "output", slope)

        return {"expression": after["output"]}, pullback

    # ---- the inside --------------------------------------------------------------------------------------

    def _layers(self) -> tuple[Layer, ...]:
        listed = [Layer("sequence", "input", units=4, native_kind="input")]
        for name in self.graph[1:]:
            below, width = listed[-1], self._width(name)
            units = len(self.arrays[name]["bias"]) if name in self.arrays else below.units
            if name.startswith("conv"):
                listed.append(Layer(name, "convolution", (below.name,), units, width, activation="relu"))
            elif name.startswith("pool"):
                listed.append(Layer(name, "pool", (below.name,), units, width, width))
            else:
                listed.append(Layer(name, "global_pool" if name == "top" else "dense", (below.name,), units))
        return with_receptive_fields(listed)

    def _activations(self, x: Array, layer: Layer, pre: bool) -> Array:
        return self.forward(x)[0 if pre else 1][layer.name]

    def _weights(self, layer: Layer) -> dict[str, Array]:
        return {name: array.copy() for name, array in self.arrays.get(layer.name, {}).items()}

    def _subnetwork(self, layer: Layer) -> Oracle:
        return _UpToLayer(self, layer)

    def _intervene(self, edits: Edits) -> Oracle:
        merged = {name: {**self.edits.get(name, {}), **edits.get(name, {})} for name in {*self.edits, *edits}}
        assert self.length is not None
        return ConvPoolToy(self.length, self.arrays, merged, self.wiring)

    def _randomised(self, layer: Layer, rng: np.random.Generator) -> Oracle:
        drawn = {
            name: rng.permutation(array.ravel()).reshape(array.shape) for name, array in self._weights(layer).items()
        }
        assert self.length is not None
        arrays = {**self.arrays, layer.name: drawn} if drawn else self.arrays
        return ConvPoolToy(self.length, arrays, self.edits, self.wiring)

    def examples(self, n: int, rng: np.random.Generator) -> Sequences:
        """Return random sequences with what the network responds to planted at a random place, in turn."""
        assert self.length is not None
        onehot = random_onehot(n, self.length, rng)
        for i, row in enumerate(onehot):
            bases = np.array(["ACGT".index(base) for base in self.wiring.planted[i % len(self.wiring.planted)]])
            plant(row[None], rng.integers(0, self.length - len(bases) + 1, 1), bases)
        return Sequences.from_onehot(onehot)


class _UpToLayer(Toy):
    """The network up to one layer, on that layer's receptive field."""

    def __init__(self, whole: ConvPoolToy, layer: Layer) -> None:
        self.whole, self.layer_name = whole, layer.name
        assert layer.units is not None
        heads = [Head("units", (layer.units,), ("output",), scale="linear")]
        super().__init__(f"{whole.name} up to {layer.name}", heads, layer.receptive_field)

    def _arrays(self) -> Iterable[Array]:
        return [np.array(self.whole.graph.index(self.layer_name)), *self.whole._arrays()]

    def _predict(self, x: Array) -> Outputs:
        return {"units": self.whole.forward(x)[0][self.layer_name][:, 0]}

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        before, after = self.whole.forward(x)
        values = before[self.layer_name]

        def pullback(cotangent: Mapping[str, Array]) -> Array:
            slope = np.zeros_like(values)
            slope[:, 0] = cotangent.get("units", 0)
            return self.whole.backward(before, after, self.layer_name, slope)

        return {"units": values[:, 0]}, pullback

    def examples(self, n: int, rng: np.random.Generator) -> Sequences:
        """Return random sequences."""
        assert self.length is not None
        return Sequences.from_onehot(random_onehot(n, self.length, rng))
