"""Published architectures in Keras's files: opened by name, in Keras and in torch, with and without Keras installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

pytestmark = [
    pytest.mark.keras,
    pytest.mark.torch,
    # Keras saves variables in a way that NumPy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytest.importorskip("torch")

from cislens import open_oracle  # noqa: E402
from cislens.errors import OracleError  # noqa: E402
from cislens_keras.runtime import keras  # noqa: E402

layers = keras.layers
BOUND = 1e-5
LENGTH, OUTPUT = 2114, 1000


def dna(length: int, n: int = 3) -> np.ndarray:
    return np.eye(4, dtype=np.uint8)[np.random.default_rng(1).integers(0, 4, (n, length))]


def randomised(model: Any) -> Any:
    """Give a model weights of a sensible size, scales and variances above zero."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if "variance" in variable.path or "gamma" in variable.path:
            values = rng.uniform(0.3, 1.3, variable.shape)
        else:
            values = rng.normal(0, (1.5 / max(np.prod(variable.shape[:-1]), 4)) ** 0.5, variable.shape)
        variable.assign(values)
    return model


def assert_close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    assert theirs.std() > 1e-3
    assert np.abs(ours - theirs).max() <= BOUND * max(1, np.abs(theirs).max())


def profile_model(prefix: str, heads: str, filters: int, tasks: int = 1, dilated: int = 4) -> Any:
    """The Kundaje lab's model, written out: nothing is padded, residuals are cropped, the profile to 1000 bp."""
    dna = keras.Input((LENGTH, 4), name="sequence")
    x = layers.Conv1D(filters, 21, activation="relu", name=f"{prefix}1st_conv")(dna)
    for i in range(1, dilated + 1):
        y = layers.Conv1D(filters, 3, activation="relu", dilation_rate=2**i, name=f"{prefix}{i}conv")(x)
        x = layers.Cropping1D((x.shape[1] - y.shape[1]) // 2, name=f"{prefix}{i}crop")(x)
        x = layers.add([y, x])
    profile = layers.Conv1D(tasks, 75, name=f"{heads}prof_out_precrop")(x)
    profile = layers.Cropping1D(profile.shape[1] // 2 - OUTPUT // 2, name=f"{heads}logitt_before_flatten")(profile)
    if tasks == 1:
        profile = layers.Flatten(name=f"{heads}logits_profile_predictions")(profile)
    mean = layers.GlobalAveragePooling1D(name=f"{heads}gap")(x)
    counts = layers.Dense(tasks, name=f"{heads}logcount_predictions")(mean)
    return keras.Model(dna, [profile, counts], name=f"{prefix}model")


def without_bias(filters: int = 4, **sizes: int) -> Any:
    return profile_model("wo_bias_bpnet_", "wo_bias_bpnet_", filters, **sizes)


@pytest.fixture(scope="module")
def nobias() -> Any:
    return randomised(without_bias())


@pytest.mark.parametrize("framework", ["torch", "keras"])
@pytest.mark.parametrize("suffix", [".h5", ".keras", ".weights.h5"])
def test_chrombpnet_without_bias_answers_as_keras(nobias, suffix: str, framework: str, tmp_path: Path) -> None:
    path = tmp_path / f"chrombpnet_nobias{suffix}"
    save(nobias, path)
    oracle = open_oracle(f"arch:chrombpnet@{framework}", path)
    x = dna(LENGTH)
    profile, counts = nobias.predict(x.astype(np.float32), verbose=0)
    answers = oracle.predict(x)
    assert_close(answers["profile"], profile)
    assert_close(answers["counts"], counts)
    head = oracle.heads[0]
    assert (head.axes, head.bin_width, head.offset) == (("position",), 1, (LENGTH - OUTPUT) // 2)


def save(model: Any, path: Path) -> None:
    (model.save_weights if path.name.endswith(".weights.h5") else model.save)(path)


@pytest.mark.parametrize("tasks", [1, 2])
def test_a_bias_model_opens_by_its_own_names(tasks: int, tmp_path: Path) -> None:
    model = randomised(profile_model("bpnet_", "", 5, tasks=tasks, dilated=2))
    model.save(tmp_path / "bias.h5")
    oracle = open_oracle("arch:bpnet@torch", tmp_path / "bias.h5")
    x = dna(LENGTH)
    profile, counts = model.predict(x.astype(np.float32), verbose=0)
    assert_close(oracle.predict(x)["profile"], profile if tasks == 1 else profile.swapaxes(1, 2))
    assert_close(oracle.predict(x)["counts"], counts)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_the_part_without_bias_of_a_whole_chrombpnet_is_read(nobias, suffix: str, tmp_path: Path) -> None:
    bias = randomised(profile_model("bpnet_", "", 6))
    dna_input = keras.Input((LENGTH, 4), name="sequence")
    inner = keras.Model(nobias.inputs, nobias.outputs, name="model_wo_bias")
    outer = keras.Model(bias.inputs, bias.outputs, name="model")
    (profile, counts), (bias_profile, bias_counts) = inner(dna_input), outer(dna_input)
    profile = layers.Add(name="logits_profile_predictions")([profile, bias_profile])
    counts = layers.Concatenate(name="logcount_predictions")([counts, bias_counts])
    keras.Model(dna_input, [profile, counts]).save(tmp_path / f"chrombpnet{suffix}")
    if suffix == ".keras":  # Keras 3 names layers after their class: the two parts look alike
        with pytest.raises(OracleError, match="architecture left, file right"):
            open_oracle("arch:chrombpnet", tmp_path / f"chrombpnet{suffix}")
        return
    oracle = open_oracle("arch:chrombpnet@torch", tmp_path / f"chrombpnet{suffix}")
    x = dna(LENGTH)
    assert_close(oracle.predict(x)["profile"], nobias.predict(x.astype(np.float32), verbose=0)[0])


# ---- DeepSTARR -----------------------------------------------------------------------------------------


def deepstarr() -> Any:
    """The authors' model with fewer filters, written out; as there, three normalisations are of one size."""
    dna = x = keras.Input((249, 4))
    for name, filters, width in (("Conv1D_1st", 12, 7), ("Conv1D_2", 6, 3), ("Conv1D_3", 6, 5), ("Conv1D_4", 7, 3)):
        x = layers.Conv1D(filters, width, padding="same", name=name)(x)
        x = layers.MaxPooling1D(2)(layers.Activation("relu")(layers.BatchNormalization()(x)))
    x = layers.Flatten()(x)
    for number in (1, 2):
        x = layers.Dense(12, name=f"Dense_{number}")(x)
        x = layers.Dropout(0.4)(layers.Activation("relu")(layers.BatchNormalization()(x)))
    return keras.Model(dna, [layers.Dense(1, name=f"Dense_{name}")(x) for name in ("Dev", "Hk")])


def as_keras_2(model: Any, path: Path) -> None:
    """Write the weights as Keras 2.2 did: groups named after layers, arrays named with a number of their own."""
    with h5py.File(path, "w") as file:
        file.attrs["backend"], file.attrs["keras_version"] = "tensorflow", "2.2.4"
        file.attrs["layer_names"] = np.array([layer.name.encode() for layer in model.layers])
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}_11/{variable.name}:0" for variable in layer.weights]
            group.attrs["weight_names"] = np.array([name.encode() for name in names])
            for name, variable in zip(names, layer.weights, strict=True):
                group[name] = variable.numpy()


@pytest.mark.parametrize("framework", ["torch", "keras"])
@pytest.mark.parametrize("suffix", [".h5", ".weights.h5"])
def test_deepstarr_answers_as_keras(framework: str, suffix: str, tmp_path: Path) -> None:
    model = randomised(deepstarr())
    path = tmp_path / f"deepstarr{suffix}"
    (model.save_weights if suffix == ".weights.h5" else lambda path: as_keras_2(model, path))(path)
    oracle = open_oracle(f"arch:deepstarr@{framework}", path)
    x = dna(249)
    answers = oracle.predict(x)
    for name, expected in zip(("Dev", "Hk"), model.predict(x.astype(np.float32), verbose=0), strict=True):
        assert_close(answers[name], expected)


def test_a_keras_file_opens_where_torch_alone_is_installed(tmp_path: Path) -> None:
    model = randomised(deepstarr())
    as_keras_2(model, tmp_path / "deepstarr.h5")
    np.save(tmp_path / "x.npy", dna(249))
    code = """
import sys
sys.modules["keras"] = sys.modules["tensorflow"] = None
import numpy as np
from cislens import open_oracle
from cislens.errors import OracleError
oracle = open_oracle("arch:deepstarr", "deepstarr.h5")
print(type(oracle).__name__, *oracle.predict(np.load("x.npy"))["Dev"].ravel())
try:
    open_oracle("arch:deepstarr@keras", "deepstarr.h5")
except OracleError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, second = run.stdout.splitlines()
    kind, *values = first.split()
    assert kind == "TorchOracle"
    assert_close(np.array(values, float)[:, None], model.predict(dna(249).astype(np.float32), verbose=0)[0])
    assert "must be built in a framework that is installed: keras (pip install 'cislens[keras]')" in second


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "deepstarr.h5"
    as_keras_2(randomised(deepstarr()), path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(OracleError, match="damaged"):
        open_oracle("arch:deepstarr", path)
