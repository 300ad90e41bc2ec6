"""A two-layer convolution-pool network with weights set by hand, and all its inside on show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from cislens.oracle.base import Array, Oracle, Outputs, Pullback
from cislens.oracle.head import Head
from cislens.oracle.layer import Layer, with_receptive_fields
from cislens.sequences import Sequences
from cislens.testing.toys.toy import Toy, plant, random_onehot

BASES = "ACGT"
FIRST, SECOND = "TGACTCA", "GATAAGG"
POOL = 4
Edits = Mapping[str, Mapping[int, float]]
Weights = Mapping[str, Mapping[str, Array]]
GRAPH = ("sequence", "conv1", "pool1", "conv2", "top", "output")


def _indices(motif: str) -> Array:
    return np.array([BASES.index(base) for base in motif])


def hand_set_weights() -> dict[str, dict[str, Array]]:
    """Return the network's weights.

    Units of `conv1` match TGACTCA and GATAAGG, a mismatch costing 1 of 7 and a base's second choice less; units of
    `conv2` are the first motif, the second, and both within three pooled positions of each other.
    """
    conv1 = np.stack([np.eye(4)[_indices(motif)] for motif in (FIRST, SECOND)])
    conv1 = conv1 + np.linspace(-0.08, 0.08, conv1.size).reshape(conv1.shape)
    conv2 = np.zeros((3, 3, 2))
    conv2[0, :, 0] = (0.4, 1.0, 0.6)
    conv2[1, :, 1] = (0.6, 1.0, 0.4)
    conv2[2] = [[1.0, 0.1], [0.5, 0.5], [0.1, 1.0]]
    return {
        "conv1": {"kernel": conv1, "bias": np.array([-4.0, -4.1])},
        "conv2": {"kernel": conv2, "bias": np.array([-0.3, -0.2, -1.0])},
        "output": {"kernel": np.array([[0.1, -0.2, 1.0], [0.7, 0.5, 0.3]]), "bias": np.array([0.05, -0.1])},
    }


class ConvPoolToy(Toy):
    """Convolution, ReLU, max pooling, convolution, ReLU, maximum over positions, dense layer with two outputs.

    The first output, "together", rises most where both motifs stand side by side; the second, "either", with any.

    Parameters
    ----------
    length
        Length in bp.
    weights
        The arrays of `conv1`, `conv2` and `output`, as `hand_set_weights` gives them.
    edits
        Units held at fixed values after their nonlinearity: {layer: {unit: value}}.
    """

    def __init__(self, length: int, weights: Weights | None = None, edits: Edits | None = None) -> None:
        self.arrays = weights if weights is not None else hand_set_weights()
        self.edits = edits or {}
        head = Head("expression", (2,), ("output",), ("together", "either"), scale="linear")
        super().__init__("convolution-pool toy", [head], length)

    def _arrays(self) -> Iterable[Array]:
        held = [(GRAPH.index(name), unit, value) for name, units in self.edits.items() for unit, value in units.items()]
        return [array for layer in self.arrays.values() for array in layer.values()] + [np.array(held, float)]

    # ---- forward and backward ----------------------------------------------------------------------------

    def forward(self, x: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return each layer's values before and after its nonlinearity, as far as the input is long."""
        before: dict[str, Array] = {}
        after: dict[str, Array] = {}
        value = x
        for name in GRAPH:
            reach = {"conv1": len(FIRST), "pool1": POOL, "conv2": 3}.get(name, 1)
            if value.shape[1] < reach:
                break
            before[name] = self._layer_value(name, value)
            value = np.maximum(before[name], 0) if name.startswith("conv") else before[name]
            for unit, held in self.edits.get(name, {}).items():
                value = value.copy()
                value[..., unit] = held
            after[name] = value
        return before, after

    def _layer_value(self, name: str, value: Array) -> Array:
        if name.startswith("conv"):
            return np.asarray(convolve(value, self.arrays[name]["kernel"]) + self.arrays[name]["bias"])
        if name == "pool1":
            return np.asarray(pool_windows(value).max(2))
        if name == "top":
            return np.asarray(value.max(1))
        if name == "output":
            return np.asarray(value @ self.arrays[name]["kernel"].T + self.arrays[name]["bias"])
        return value

    def backward(self, before: Mapping[str, Array], after: Mapping[str, Array], name: str, slope: Array) -> Array:
        """Return the gradient of the input from that of a layer's values before its nonlinearity."""
        for below, here in zip(GRAPH[-2::-1], GRAPH[::-1], strict=False):
            if GRAPH.index(here) > GRAPH.index(name):
                continue
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
        if name == "pool1":
            windows = pool_windows(value)
            chosen = np.arange(POOL)[:, None] == windows.argmax(2)[:, :, None]
            back = np.zeros_like(value)
            back[:, : windows.shape[1] * POOL] = (chosen * slope[:, :, None]).reshape(len(value), -1, value.shape[2])
            return back
        return transposed_convolution(slope, self.arrays[name]["kernel"], value.shape[1])

    def _predict(self, x: Array) -> Outputs:
        return {"expression": self.forward(x)[1]["output"]}

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        before, after = self.forward(x)

        def pullback(cotangent: Mapping[str, Array]) -> Array:
            slope = np.array(cotangent.get("expression", np.zeros((len(x), 2))))
            slope[:, list(self.edits.get("output", {}))] = 0
            return self.backward(before, after, "output", slope)

        return {"expression": after["output"]}, pullback

    # ---- the inside --------------------------------------------------------------------------------------

    def _layers(self) -> tuple[Layer, ...]:
        return with_receptive_fields(
            [
                Layer("sequence", "input", units=4, native_kind="input"),
                Layer("conv1", "convolution", ("sequence",), 2, len(FIRST), activation="relu"),
                Layer("pool1", "pool", ("conv1",), 2, POOL, POOL),
                Layer("conv2", "convolution", ("pool1",), 3, 3, activation="relu"),
                Layer("top", "global_pool", ("conv2",), 3),
                Layer("output", "dense", ("top",), 2),
            ]
        )

    def _activations(self, x: Array, layer: Layer, pre: bool) -> Array:
        return self.forward(x)[0 if pre else 1][layer.name]

    def _weights(self, layer: Layer) -> dict[str, Array]:
        return {name: array.copy() for name, array in self.arrays.get(layer.name, {}).items()}

    def _subnetwork(self, layer: Layer) -> Oracle:
        return _UpToLayer(self, layer)

    def _intervene(self, edits: Edits) -> Oracle:
        merged = {name: {**self.edits.get(name, {}), **edits.get(name, {})} for name in {*self.edits, *edits}}
        assert self.length is not None
        return ConvPoolToy(self.length, self.arrays, merged)

    def _randomised(self, layer: Layer, rng: np.random.Generator) -> Oracle:
        drawn = {
            name: rng.permutation(array.ravel()).reshape(array.shape) for name, array in self._weights(layer).items()
        }
        assert self.length is not None
        return ConvPoolToy(self.length, {**self.arrays, layer.name: drawn} if drawn else self.arrays, self.edits)

    def examples(self, n: int, rng: np.random.Generator) -> Sequences:
        """Return random sequences with both motifs planted side by side at a random place."""
        assert self.length is not None
        onehot = random_onehot(n, self.length, rng)
        both = _indices(FIRST + SECOND)
        plant(onehot, rng.integers(0, self.length - len(both) + 1, n), both)
        return Sequences.from_onehot(onehot)


class _UpToLayer(Toy):
    """The network up to one layer, on that layer's receptive field."""

    def __init__(self, whole: ConvPoolToy, layer: Layer) -> None:
        self.whole, self.layer_name = whole, layer.name
        assert layer.units is not None
        heads = [Head("units", (layer.units,), ("output",), scale="linear")]
        super().__init__(f"{whole.name} up to {layer.name}", heads, layer.receptive_field)

    def _arrays(self) -> Iterable[Array]:
        return [np.array(GRAPH.index(self.layer_name)), *self.whole._arrays()]

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


def convolve(value: Array, kernel: Array) -> Array:
    """Return (n, positions - width + 1, units) from (n, positions, channels) and (units, width, channels)."""
    windows = np.lib.stride_tricks.sliding_window_view(value, kernel.shape[1], axis=1)
    return np.asarray(np.einsum("njck,ukc->nju", windows, kernel))


def transposed_convolution(slope: Array, kernel: Array, positions: int) -> Array:
    """Return the pullback of `convolve`: (n, positions, channels) from (n, windows, units)."""
    back = np.zeros((len(slope), positions, kernel.shape[2]))
    for k in range(kernel.shape[1]):
        back[:, k : k + slope.shape[1]] += slope @ kernel[:, k]
    return back


def pool_windows(value: Array) -> Array:
    """Cut (n, positions, units) into (n, windows, POOL, units); what is left over at the end is not seen."""
    windows = value.shape[1] // POOL
    return value[:, : windows * POOL].reshape(len(value), windows, POOL, value.shape[2])
