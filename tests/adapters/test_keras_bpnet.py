"""BPNet and its kind as saved by their authors: Keras 2 .h5 files with losses of their own; profiles of any length."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [
    pytest.mark.keras,
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
    # Keras saves variables in a way that NumPy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from tests.adapters import keras_models as models  # noqa: E402

from cislens import Sequences, Target, explain, open_oracle  # noqa: E402
from cislens.errors import UntrustedError  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402
from cislens_keras.runtime import keras, quiet, tf  # noqa: E402

if importlib.util.find_spec("tf_keras") is None:
    pytest.skip("tf_keras is not installed", allow_module_level=True)
with warnings.catch_warnings(), quiet():
    warnings.simplefilter("ignore")
    import tf_keras

LENGTH, FILTERS, BINS = 120, 6, 40
old = tf_keras.layers


def multinomial_nll(truth: Any, logits: Any) -> Any:
    """A loss that nobody who opens the file has."""
    return -tf.reduce_mean(tf.reduce_sum(truth * tf.nn.log_softmax(logits), -1))


class AttributionPriorModel(tf_keras.Model):  # type: ignore[misc]
    """A functional model with its own way of training."""

    def train_step(self, data: Any) -> dict[str, Any]:
        raise NotImplementedError


def trunk(dna: Any, prefix: str, layers: int = 2) -> Any:
    """Dilated convolutions without padding, each added to what it read, cropped to fit."""
    x = old.Conv1D(FILTERS, 21, activation="relu", name=f"{prefix}_1st_conv")(dna)
    for i in range(1, layers + 1):
        y = old.Conv1D(FILTERS, 3, activation="relu", dilation_rate=2**i, name=f"{prefix}_{i}conv")(x)
        x = old.add([y, old.Cropping1D(2**i, name=f"{prefix}_{i}crop")(x)], name=f"{prefix}_{i}add")
    return x


def bpnet() -> Any:
    """BPNet with a profile on two strands, total counts, and control tracks that are added to both."""
    dna = old.Input((LENGTH, 4), name="sequence")
    control, control_counts = old.Input((BINS, 2), name="control_profile"), old.Input((1,), name="control_logcount")
    x = trunk(dna, "main")
    wide = old.Conv1D(2, 9, name="before_crop")(x)
    surplus = (int(wide.shape[1]) - BINS) // 2
    cropped = old.Cropping1D(surplus, name="crop")(wide)
    both = old.Concatenate(name="with_control")([cropped, control])
    profile = old.Conv1D(2, 1, name="profile_predictions")(both)
    pooled = old.Concatenate(name="with_counts")([old.GlobalAveragePooling1D(name="gap")(x), control_counts])
    counts = old.Dense(2, name="logcounts_predictions")(pooled)
    return AttributionPriorModel([dna, control, control_counts], [profile, counts])


def chrombpnet() -> Any:
    """ChromBPNet without bias: the profile is flattened to one axis."""
    dna = old.Input((LENGTH, 4), name="sequence")
    x = trunk(dna, "wo_bias_bpnet")
    wide = old.Conv1D(1, 9, name="wo_bias_bpnet_prof_out_precrop")(x)
    surplus = int(wide.shape[1]) // 2 - BINS // 2
    cropped = old.Cropping1D(surplus, name="wo_bias_bpnet_logitt_before_flatten")(wide)
    profile = old.Flatten(name="wo_bias_bpnet_logits_profile_predictions")(cropped)
    counts = old.Dense(1, name="wo_bias_bpnet_logcount_predictions")(old.GlobalAveragePooling1D(name="gap")(x))
    return tf_keras.Model(dna, [profile, counts], name="model_wo_bias")


def with_bias(combined: Any) -> Any:
    """ChromBPNet as it is trained: a frozen model of the enzyme's bias beside it."""
    dna = old.Input((LENGTH, 4), name="sequence")
    bias_dna = old.Input((LENGTH, 4), name="bias_sequence")
    flat = old.Flatten(name="bias_flat")(old.Conv1D(1, LENGTH - BINS + 1, name="bias_conv")(bias_dna))
    bias = tf_keras.Model(bias_dna, [flat, old.Dense(1, name="bias_counts")(flat)], name="bias")
    bias.trainable = False
    first, second = chrombpnet()(dna), bias(dna)
    profile = old.Add(name="logits_profile_predictions")([first[0], second[0]])
    return tf_keras.Model(dna, [profile, combined([first[1], second[1]])])


def drawn(model: Any) -> Any:
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.2, w.shape) for w in model.get_weights()])
    model.compile("adam", loss=[multinomial_nll, "mse"])
    return model


def file_of(model: Any, folder: Path) -> Path:
    model.save(folder / "model.h5")
    return folder / "model.h5"


@pytest.fixture(scope="module")
def saved_bpnet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    model = drawn(bpnet())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model, file_of(model, tmp_path_factory.mktemp("bpnet"))


@pytest.fixture(scope="module")
def saved_chrombpnet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    model = drawn(chrombpnet())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model, file_of(model, tmp_path_factory.mktemp("chrombpnet"))


def test_bpnet_opens_by_its_layers_with_its_control_tracks_at_zero(saved_bpnet: tuple[Any, Path]) -> None:
    model, path = saved_bpnet
    oracle = open_oracle(path, axes={"profile_predictions": ("position", "strand")})
    assert [(head.name, head.shape) for head in oracle.heads] == [
        ("profile_predictions", (BINS, 2)),
        ("logcounts_predictions", (2,)),
    ]
    assert {"layers", "linearize", "subnetwork"} <= oracle.capabilities
    x = models.dna(5, LENGTH)
    held = [x.astype(np.float32), np.zeros((5, BINS, 2), np.float32), np.zeros((5, 1), np.float32)]
    for found, theirs in zip(oracle.predict(x).values(), model.predict(held, verbose=0), strict=True):
        np.testing.assert_allclose(found, theirs, atol=1e-5)
    OracleContract(oracle, models.dna(3, LENGTH)).check()


def test_a_profile_of_bpnet_lies_in_the_middle_of_the_sequence(saved_bpnet: tuple[Any, Path]) -> None:
    oracle = open_oracle(saved_bpnet[1])
    profile = oracle.heads[0]
    assert (profile.bin_width, profile.offset) == (1, (LENGTH - BINS) // 2)


@pytest.mark.parametrize("kind", ["bpnet", "chrombpnet"])
def test_contribution_score_and_principal_component_are_targets(
    kind: str, saved_bpnet: tuple[Any, Path], saved_chrombpnet: tuple[Any, Path]
) -> None:
    strands = {"profile_predictions": ("position", "strand")}
    path, axes = (saved_bpnet[1], strands) if kind == "bpnet" else (saved_chrombpnet[1], {})
    oracle = open_oracle(path, axes=axes)
    head = oracle.heads[0].name
    sequences = Sequences.from_onehot(models.dna(4, LENGTH))
    for target in (f"{head}:contribution", f"{head}:pc1", f"{oracle.heads[1].name}{'/0' if kind == 'bpnet' else ''}"):
        report = explain(oracle, sequences, "saliency", target=target)
        values = report.attributions.values
        assert values.shape == (1, 4, LENGTH, 4)
        assert np.abs(values).max() > 0
    logits = oracle.predict(sequences.onehot)[head].reshape(4, BINS, -1)
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    score = oracle.select(Target.parse(f"{head}:contribution")).predict(sequences.onehot)[:, 0]
    np.testing.assert_allclose(score, (softmax * logits).sum(1).mean(-1), atol=1e-5)


def test_the_flat_profile_of_chrombpnet_is_known_as_positions(saved_chrombpnet: tuple[Any, Path]) -> None:
    model, path = saved_chrombpnet
    oracle = open_oracle(path)
    profile, counts = oracle.heads
    assert (profile.axes, profile.bin_width, profile.offset) == (("position",), 1, (LENGTH - BINS) // 2)
    assert (counts.name, counts.axes, counts.shape) == ("logcount_predictions", ("output",), (1,))
    x = models.dna(5, LENGTH)
    for found, theirs in zip(oracle.predict(x).values(), model.predict(x.astype(np.float32), verbose=0), strict=True):
        np.testing.assert_allclose(found, theirs, atol=1e-5)
    OracleContract(oracle, models.dna(3, LENGTH)).check()


def test_models_inside_a_model_keep_their_own_weights(tmp_path: Path) -> None:
    model = drawn(with_bias(lambda counts: old.Average(name="logcount_predictions")(counts)))
    oracle = open_oracle(file_of(model, tmp_path))
    x = models.dna(5, LENGTH)
    for found, theirs in zip(oracle.predict(x).values(), model.predict(x.astype(np.float32), verbose=0), strict=True):
        np.testing.assert_allclose(found, theirs, atol=1e-5)
    assert "model_wo_bias.wo_bias_bpnet_1conv" in [layer.name for layer in oracle.layers()]


def test_the_lambda_that_adds_counts_and_bias_is_refused_by_name(tmp_path: Path) -> None:
    def combined(counts: Any) -> Any:
        joined = old.Concatenate()(counts)
        add = old.Lambda(lambda x: tf.math.reduce_logsumexp(x, axis=-1, keepdims=True), name="logcount_predictions")
        return add(joined)

    path = file_of(drawn(with_bias(combined)), tmp_path)
    with pytest.raises(UntrustedError, match="layer 'logcount_predictions' is a Lambda"):
        open_oracle(path)


class OwnTraining(keras.Model):  # type: ignore[misc]
    """A functional model of Keras 3 with its own way of training, which nobody registered."""

    def train_step(self, data: Any) -> dict[str, Any]:
        raise NotImplementedError


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_functional_model_of_somebodys_class_opens_without_the_class(tmp_path: Path, suffix: str) -> None:
    plain = models.two_headed()
    model = OwnTraining(plain.inputs[0], plain.outputs, name="own")
    model.save(tmp_path / f"model{suffix}")
    oracle = open_oracle(tmp_path / f"model{suffix}")
    assert type(oracle.native) is not OwnTraining
    x = models.dna(3)
    for found, theirs in zip(oracle.predict(x).values(), model(x.astype(np.float32)), strict=True):
        np.testing.assert_allclose(found, theirs, atol=1e-6)


# ---- profiles of any length -------------------------------------------------------------------------------


def splicing() -> Any:
    """Three probabilities at each position, from dilated residual convolutions, cropped by what they see."""
    dna = keras.Input((None, 4), name="dna")
    x = keras.layers.Conv1D(8, 1, name="first")(dna)
    for i, dilation in enumerate((1, 4)):
        y = keras.layers.BatchNormalization(name=f"norm{i}")(x)
        y = keras.layers.Conv1D(8, 5, padding="same", dilation_rate=dilation, name=f"conv{i}")(keras.layers.ReLU()(y))
        x = keras.layers.Add(name=f"sum{i}")([x, y])
    x = keras.layers.Cropping1D(10, name="crop")(x)
    return models.with_weights(
        keras.Model(dna, keras.layers.Conv1D(3, 1, activation="softmax", name="sites")(x), name="splicing")
    )


@pytest.fixture(scope="module")
def splice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    model = splicing()
    path = tmp_path_factory.mktemp("splicing") / "model.keras"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return model, open_oracle(path)


def test_a_profile_of_any_length_is_predicted_at_each(splice: tuple[Any, Any]) -> None:
    model, oracle = splice
    (head,) = oracle.heads
    assert (oracle.length, head.shape, head.axes) == (None, (None, 3), ("position", "output"))
    assert (head.bin_width, head.offset, head.scale) == (1, 10, "probability")
    for length in (50, 77, 200):
        x = models.dna(3, length)
        found = oracle.predict(x)["sites"]
        assert found.shape == (3, length - 20, 3)
        np.testing.assert_allclose(found, model(x.astype(np.float32)), atol=1e-6)


def test_the_saliency_of_a_position_ends_where_its_receptive_field_does(splice: tuple[Any, Any]) -> None:
    _, oracle = splice
    reach = sum((5 - 1) // 2 * dilation for dilation in (1, 4))
    for length, position in ((60, 20), (90, 3)):
        x = models.dna(2, length)
        gradient = oracle.select(f"sites/1:position={position}").gradient(x)[1][:, 0]
        centre = 10 + position
        inside = slice(max(centre - reach, 0), centre + reach + 1)
        seen = np.abs(gradient).max(-1) > 0
        assert seen[:, inside].any()
        seen[:, inside] = False
        assert not seen.any()
        by_bp = oracle.select(f"sites/1:bp={centre}").gradient(x)[1][:, 0]
        np.testing.assert_array_equal(by_bp, gradient)


def test_a_model_of_a_fixed_batch_answers_for_any_number(tmp_path: Path) -> None:
    dna = keras.Input(batch_shape=(8, 40, 4), name="dna")
    x = keras.layers.Reshape((40, 4))(keras.layers.Conv1D(4, 5, padding="same", name="conv")(dna))
    model = models.with_weights(keras.Model(dna, keras.layers.Dense(1, name="out")(keras.layers.Flatten()(x))))
    model.save(tmp_path / "model.keras")
    oracle = open_oracle(tmp_path / "model.keras")
    assert oracle.fixed_batch == 8
    x = models.dna(19)
    padded = np.concatenate([x, np.zeros((5, 40, 4))]).astype(np.float32)
    theirs = np.concatenate([model(padded[i : i + 8]) for i in range(0, 24, 8)])[:19]
    np.testing.assert_allclose(oracle.predict(x)["out"], theirs, atol=1e-6)
    OracleContract(oracle, models.dna(5)).check()
