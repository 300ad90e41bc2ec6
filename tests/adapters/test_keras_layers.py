"""What a Keras model shows of its inside: layers, activations, weights, subnetworks, and copies with changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.keras
pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from tests.adapters import keras_models as models  # noqa: E402

from cislens.errors import CapabilityError, OracleError  # noqa: E402
from cislens.oracle import OracleOptions  # noqa: E402
from cislens_keras.oracle import KerasOracle  # noqa: E402
from cislens_keras.runtime import keras  # noqa: E402

layers = keras.layers


def described(oracle: KerasOracle) -> dict[str, Any]:
    return {layer.name: layer for layer in oracle.layers()}


def output_of(model: Any, name: str, x: np.ndarray) -> np.ndarray:
    """Return a layer's output as Keras computes it."""
    return np.asarray(keras.Model(model.inputs[0], model.get_layer(name).output)(x.astype(np.float32), training=False))


def test_windows_and_activations_are_told_in_neutral_words() -> None:
    found = described(KerasOracle(models.plain()))
    kinds = "input convolution normalisation pool convolution activation dropout flatten dense dense"
    assert [layer.kind for layer in found.values()] == kinds.split()
    first, second = found["conv1d_0"], found["conv1d_1"]
    assert (first.units, first.kernel, first.padding, first.activation) == (6, 7, (3, 3), "relu")
    assert (second.activation, found["dense_1"].activation) == ("relu", "sigmoid")
    assert (found["pool_0"].receptive_field, found["pool_0"].step, found["pool_0"].offset) == (8, 2, -3)
    assert (second.receptive_field, second.step, second.offset) == (12, 2, -5)
    assert found["dense_0"].receptive_field is None


def test_residual_sums_and_nested_models_show_as_a_graph() -> None:
    found = described(KerasOracle(models.two_headed()))
    assert set(found["sum"].inputs) == {"first", "dilated"}
    assert (found["dilated"].dilation, found["dilated"].padding, found["sum"].receptive_field) == (3, (3, 3), 11)
    assert found["even"].padding == (3, 3)
    assert found["pooled"].padding == (0, 1)
    assert found["causal"].padding == (2, 0)
    inside = described(KerasOracle(models.nested()))
    assert inside["tower.conv"].inputs == ("first",)
    assert inside["tower.conv_use2"].inputs == ("tower.conv",)
    (merged,) = (layer for layer in inside.values() if layer.kind == "add")
    assert set(merged.inputs) == {"first", "tower.conv_use2"}


@pytest.mark.parametrize("name", ["permuted", "two_dimensional", "with_singleton"])
def test_layers_of_other_layouts_are_seen_along_the_sequence(name: str) -> None:
    oracle = KerasOracle(models.ALL[name]())
    conv = described(oracle)["conv"]
    expected = {"permuted": (3, 1, (1, 1)), "two_dimensional": (6, 1, (0, 0)), "with_singleton": (6, 2, (2, 2))}
    assert (conv.kernel, conv.stride, conv.padding) == expected[name]
    values = oracle.activations(models.dna(2), "conv", pre=True)
    positions = {"permuted": 40, "two_dimensional": 35, "with_singleton": 20}[name]
    assert values.shape == (2, positions, 5)
    assert values.min() < 0
    np.testing.assert_allclose(np.maximum(values, 0), oracle.activations(models.dna(2), "conv", pre=False), atol=1e-6)


def test_activations_are_those_of_keras_before_and_after_the_nonlinearity() -> None:
    model = models.plain()
    oracle, x = KerasOracle(model), models.dna(3)
    np.testing.assert_allclose(oracle.activations(x, "conv1d_0", pre=False), output_of(model, "conv1d_0", x), atol=1e-6)
    kernel, bias = model.layers[0].get_weights()
    padded = np.pad(x.astype(float), ((0, 0), (3, 3), (0, 0)))
    expected = sum(padded[:, i : i + models.LENGTH] @ kernel[i] for i in range(7)) + bias
    np.testing.assert_allclose(oracle.activations(x, "conv1d_0", pre=True), expected, atol=1e-5)
    # A nonlinearity that alone follows counts as the layer's own.
    np.testing.assert_allclose(oracle.activations(x, "conv1d_1", pre=True), output_of(model, "conv1d_1", x), atol=1e-6)
    np.testing.assert_allclose(oracle.activations(x, "conv1d_1", pre=False), output_of(model, "relu_0", x), atol=1e-6)
    np.testing.assert_allclose(oracle.activations(x, "relu_0", pre=True), output_of(model, "conv1d_1", x), atol=1e-6)
    assert oracle.activations(x, "dense_0", pre=True).shape == (3, 4)
    logit = oracle.activations(x, "dense_1", pre=True)
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), model(x.astype(np.float32)), atol=1e-6)


def test_weights_have_one_form_in_every_layout() -> None:
    plain = KerasOracle(models.plain(), OracleOptions(base_order="AGCT"))
    kernel = plain.native.layers[0].get_weights()[0]
    np.testing.assert_array_equal(plain.weights("conv1d_0")["kernel"], kernel.transpose(2, 0, 1)[..., [0, 2, 1, 3]])
    second = plain.native.get_layer("conv1d_1").get_weights()[0]
    np.testing.assert_array_equal(plain.weights("conv1d_1")["kernel"], second.transpose(2, 0, 1))
    dense = plain.native.get_layer("dense_0").get_weights()
    np.testing.assert_array_equal(plain.weights("dense_0")["kernel"], dense[0].T)
    np.testing.assert_array_equal(plain.weights("dense_0")["bias"], dense[1])
    norm = dict(
        zip(("scale", "offset", "mean", "variance"), plain.native.get_layer("norm_0").get_weights(), strict=True)
    )
    for name, array in plain.weights("norm_0").items():
        np.testing.assert_array_equal(array, norm[name])
    image = KerasOracle(models.two_dimensional())
    kernel = image.native.get_layer("conv").get_weights()[0]
    np.testing.assert_array_equal(image.weights("conv")["kernel"], kernel[:, :, 0].transpose(2, 0, 1))
    assert image.weights("second")["kernel"].shape == (3, 3, 5)
    assert plain.weights("flat_0") == {}


@pytest.mark.parametrize("name", ["plain", "two_dimensional", "with_singleton", "permuted"])
@pytest.mark.parametrize("order", ["ACGT", "TGCA"])
def test_the_kernel_of_the_first_layer_scans_a_sequence_in_acgt(name: str, order: str) -> None:
    oracle = KerasOracle(models.ALL[name](), OracleOptions(base_order=order))
    layer = next(layer for layer in oracle.layers() if layer.kind == "convolution")
    arrays = oracle.weights(layer.name)
    x = models.dna(2).astype(float)
    values = oracle.activations(x, layer.name, pre=True)
    position = values.shape[1] // 2
    start = layer.offset + position * layer.step
    window = x[:, start : start + layer.kernel]
    expected = np.einsum("nwc,uwc->nu", window, arrays["kernel"]) + arrays["bias"]
    np.testing.assert_allclose(values[:, position], expected, atol=1e-5)


def compare_with_windows(oracle: KerasOracle, name: str, x: np.ndarray) -> int:
    """Compare a subnetwork with the whole at every position without padding in sight; return how many there are."""
    layer = oracle.layer(name)
    part = oracle.subnetwork(name)
    assert part.length == layer.receptive_field
    values = oracle.activations(x, name, pre=True)
    compared = 0
    for position in range(values.shape[1]):
        start = layer.offset + position * layer.step
        if start >= 0 and start + layer.receptive_field <= x.shape[1]:
            units = part.predict(x[:, start : start + layer.receptive_field])["units"]
            np.testing.assert_allclose(units, values[:, position], atol=1e-5 * max(1, np.abs(values).max()))
            compared += 1
    return compared


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("plain", 8),
        ("two_headed", 3),
        ("nested", 30),
        ("permuted", 38),
        ("two_dimensional", 12),
        ("with_singleton", 10),
    ],
)
def test_a_subnetwork_equals_the_model_wherever_no_padding_is_in_sight(name: str, least: int) -> None:
    oracle = KerasOracle(models.ALL[name]())
    x = models.dna(2)
    seeing = [layer for layer in oracle.layers() if layer.receptive_field is not None and layer.kind != "input"]
    assert len(seeing) >= 2
    for layer in seeing:
        assert compare_with_windows(oracle, layer.name, x) >= least


def test_a_subnetwork_through_strides_even_kernels_and_a_residual_keeps_its_place() -> None:
    dna = keras.Input((61, 4), name="dna")
    x = layers.Conv1D(4, 4, strides=2, padding="same", activation="relu", name="strided")(dna)
    y = layers.Conv1D(4, 6, padding="same", name="wide")(x)
    z = layers.Conv1D(4, 3, padding="causal", name="back")(layers.ZeroPadding1D((1, 0), name="pad")(x))
    z = layers.Cropping1D((1, 0), name="crop")(z)
    x = layers.Add(name="sum")([x, y, z])
    x = layers.AveragePooling1D(3, 2, padding="same", name="pool")(x)
    x = layers.Conv1D(2, 2, padding="same", name="last")(x)
    model = models.with_weights(keras.Model(dna, layers.Flatten()(x)))
    for name in ("strided", "sum", "pool", "last"):
        assert compare_with_windows(KerasOracle(model), name, models.dna(2, 61)) >= 3


def test_a_subnetwork_keeps_its_place_where_branches_of_one_stride_reach_differently_far() -> None:
    dna = keras.Input((60, 4), name="dna")
    far = layers.Conv1D(4, 5, strides=2, padding="same", name="far")(dna)
    near = layers.MaxPooling1D(2, name="near")(dna)
    x = layers.Conv1D(2, 3, padding="same", name="last")(layers.Add(name="sum")([far, near]))
    model = models.with_weights(keras.Model(dna, layers.Flatten()(x)))
    for name in ("sum", "last"):
        assert compare_with_windows(KerasOracle(model), name, models.dna(2, 60)) >= 20


def test_a_subnetwork_of_a_layer_that_sees_everything_is_refused() -> None:
    with pytest.raises(CapabilityError, match="sees all of it"):
        KerasOracle(models.plain()).subnetwork("dense_0")


def test_a_subnetwork_can_be_differentiated() -> None:
    part = KerasOracle(models.two_headed(), OracleOptions(base_order="TGCA")).subnetwork("sum")
    x = np.random.default_rng(0).dirichlet(np.ones(4), (2, part.length))
    gradient = part.linearize(x)[1]({"units": np.ones((2, 6))})
    assert gradient.shape == x.shape
    assert np.abs(gradient).max() > 0


@pytest.mark.parametrize("layer", ["conv1d_0", "conv1d_1", "norm_0", "dense_0"])
def test_a_unit_that_is_held_has_that_value_after_its_nonlinearity(layer: str) -> None:
    oracle, x = KerasOracle(models.plain()), models.dna(3)
    edited = oracle.intervene({layer: {2: 0.75}})
    before, after = (o.activations(x, layer, pre=False) for o in (oracle, edited))
    np.testing.assert_array_equal(after[..., 2], np.full(after.shape[:-1], 0.75, np.float32))
    np.testing.assert_allclose(np.delete(after, 2, -1), np.delete(before, 2, -1), atol=1e-6)
    assert not np.allclose(*(o.predict(x)[o.heads[0].name] for o in (oracle, edited)))
    assert {c for c in oracle.capabilities if not c.startswith("native:")} <= edited.capabilities
    assert [(a.name, a.receptive_field) for a in edited.layers()] == [
        (a.name, a.receptive_field) for a in oracle.layers()
    ]
    again = edited.intervene({layer: {2: -1.0}, "dense_1": {0: 0.5}})
    assert (again.activations(x, layer, pre=False)[..., 2] == -1).all()


def test_holding_what_a_layer_gives_anyway_changes_nothing() -> None:
    dna = keras.Input((10, 4), name="dna")
    x = layers.Conv1D(3, 3, name="conv", activation="relu")(dna)
    model = models.with_weights(keras.Model(dna, [layers.Dense(1, name="a")(layers.Flatten()(x)), x]))
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[..., 1] = 0
    model.get_layer("conv").set_weights([kernel, bias])
    oracle, x = KerasOracle(model), models.dna(3, 10)
    edited = oracle.intervene({"conv": {1: max(float(bias[1]), 0.0)}})
    for head, values in oracle.predict(x).items():
        np.testing.assert_allclose(edited.predict(x)[head], values, atol=1e-6)


def test_heads_keep_names_and_scales_in_copies() -> None:
    for model in (models.two_headed(), models.recurrent()):
        oracle = KerasOracle(model)
        first = oracle.layers()[1].name
        for copy in (oracle.intervene({first: {0: 0.0}}), oracle.randomised(first, np.random.default_rng(0))):
            assert copy.heads == oracle.heads


def test_logits_are_what_goes_into_the_sigmoid_also_where_it_saturates() -> None:
    dna = keras.Input((10, 4), name="dna")
    fused = layers.Dense(1, activation="sigmoid", name="fused")(layers.Flatten()(dna))
    apart = layers.Activation("sigmoid", name="apart")(layers.Conv1D(1, 10, name="conv")(dna))
    apart = layers.Flatten(name="flat")(apart)
    expression = keras.ops.sigmoid(layers.Dense(1, name="last")(layers.Flatten()(dna)))
    model = models.with_weights(keras.Model(dna, [fused, apart, expression]))
    for name in ("fused", "conv", "last"):
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([kernel, bias + 80])
    oracle, x = KerasOracle(model, OracleOptions(heads=("a", "b", "c"))), models.dna(3, 10)
    opened = oracle.logits(["a", "b", "c"])
    assert [head.scale for head in opened.heads] == ["logit"] * 3
    answers = opened.predict(x)
    for head, name in (("a", "fused"), ("b", "conv"), ("c", "last")):
        assert (oracle.predict(x)[head] == 1).all()
        kernel, bias = model.get_layer(name).get_weights()
        np.testing.assert_allclose(answers[head], x.reshape(3, -1) @ kernel.reshape(-1, 1) + bias, rtol=1e-6)
        assert np.abs(opened.vjp(x, {head: np.ones((3, 1))})[1]).max() > 0
    assert oracle.logits(["b"]).predict(x)["a"][0] == 1


@pytest.mark.parametrize("case", ["softmax", "read", "held", "none"])
def test_logits_are_declined_without_a_sigmoid_of_its_own_at_the_end(case: str) -> None:
    dna = keras.Input((10, 4), name="dna")
    p = layers.Dense(2, activation="softmax" if case == "softmax" else "sigmoid", name="p")(layers.Flatten()(dna))
    outputs = [p, layers.Dense(1, name="q")(p)] if case == "read" else p
    if case == "none":
        outputs = layers.Dense(2, name="p")(layers.Flatten()(dna))
    oracle = KerasOracle(keras.Model(dna, outputs))
    if case == "held":
        oracle = oracle.intervene({"p": {0: 0.5}})
    assert "logits" not in oracle.capabilities
    expected = "none of its heads is a probability" if case == "none" else "'p' does not end in a sigmoid of its own"
    assert expected in oracle.why_not("logits")


def test_an_input_cannot_be_held() -> None:
    with pytest.raises(OracleError, match="'dna' is an input"):
        KerasOracle(models.plain()).intervene({"dna": {0: 1.0}})


def test_randomised_shuffles_the_weights_of_one_layer_alone() -> None:
    oracle, x = KerasOracle(models.plain()), models.dna(3)
    shuffled = oracle.randomised("conv1d_1", np.random.default_rng(0))
    own, other = (o.weights("conv1d_1")["kernel"] for o in (oracle, shuffled))
    np.testing.assert_array_equal(np.sort(own.ravel()), np.sort(other.ravel()))
    assert not np.array_equal(own, other)
    np.testing.assert_array_equal(*(o.weights("conv1d_0")["kernel"] for o in (oracle, shuffled)))
    np.testing.assert_array_equal(
        shuffled.predict(x)["dense_1"],
        oracle.randomised("conv1d_1", np.random.default_rng(0)).predict(x)["dense_1"],
    )
    with pytest.raises(OracleError, match="must have weights"):
        oracle.randomised("pool_0", np.random.default_rng(0))


def test_double_precision_computes_in_double_precision() -> None:
    # The answers in float32 and float64 differ by rounding, and by more than float64 could explain.
    for model in (models.two_headed(), models.nested(), models.recurrent()):
        single, double = KerasOracle(model), KerasOracle(model, OracleOptions(precision="float64"))
        x = models.dna(4)
        for head, values in double.predict(x).items():
            assert values.dtype == np.float64
            difference = np.abs(single.predict(x)[head] - values)
            assert 0 < difference.max() < 1e-5 * max(1, np.abs(values).max())
        assert {str(v.dtype) for v in double.model.weights} == {"float64"}
        assert {str(v.dtype) for v in double.native.weights} == {"float32"}
        edited = double.intervene({double.layers()[1].name: {0: 0.0}})
        assert edited.model is edited.native  # no second copy


def test_a_lambda_in_a_model_in_hand_is_copied_with_it() -> None:
    dna = keras.Input((10, 4), name="dna")
    x = layers.Lambda(lambda t, by: t * by, arguments={"by": 3.0}, name="triple")(layers.Conv1D(3, 3, name="conv")(dna))
    model = models.with_weights(keras.Model(dna, layers.Dense(1, name="out")(layers.Flatten()(x))))
    oracle, sequences = KerasOracle(model), models.dna(2, 10)
    edited = oracle.intervene({"conv": {}})
    np.testing.assert_allclose(edited.predict(sequences)["out"], oracle.predict(sequences)["out"], atol=1e-6)


def test_a_layer_that_cannot_be_made_again_is_named() -> None:
    class Stubborn(layers.Layer):  # type: ignore[misc]
        def __init__(self, factor: Any, **settings: Any) -> None:
            super().__init__(**settings)
            self.factor = factor

        def get_config(self) -> dict[str, Any]:
            return super().get_config()

        def call(self, x: Any) -> Any:
            return x * self.factor

    dna = keras.Input((10, 4), name="dna")
    x = Stubborn(2.0, name="stubborn")(layers.Conv1D(3, 3, name="conv")(dna))
    oracle = KerasOracle(models.with_weights(keras.Model(dna, layers.Dense(1)(layers.Flatten()(x)))))
    with pytest.raises(OracleError, match=r"layer 'stubborn' \(Stubborn\) must be made again"):
        oracle.intervene({"conv": {0: 1.0}})
