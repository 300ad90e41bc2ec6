"""Every kind of Keras file opens as what it is, whole or not at all, and runs nothing of its own."""

from __future__ import annotations

import copy
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

pytestmark = [
    pytest.mark.keras,
    # Keras saves variables in a way that NumPy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]
pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from tests.adapters import keras_models as models  # noqa: E402

from cislens.errors import OracleError, UntrustedError  # noqa: E402
from cislens.oracle import OracleOptions  # noqa: E402
from cislens.oracle.adapter import ModelSource  # noqa: E402
from cislens_keras.adapter import KerasAdapter  # noqa: E402
from cislens_keras.files import open_model  # noqa: E402
from cislens_keras.runtime import keras  # noqa: E402

layers = keras.layers


def opened(path: Path | None = None, model: Any = None, weights: Path | None = None, trust: bool = False) -> Any:
    return open_model(ModelSource("the model", path=path, model=model, weights=weights), trust)


def same(found: Any, expected: Any) -> None:
    x = models.dna(4).astype(np.float32)
    pairs = zip(*(keras.tree.flatten(model(x, training=False)) for model in (found, expected)), strict=True)
    for left, right in pairs:
        np.testing.assert_allclose(left, right, atol=1e-6)


def legacy_weights(model: Any, path: Path, rename: Any = lambda name: name, backend: str = "tensorflow") -> Path:
    """Write weights as Keras 2 did: groups by layer, order in attributes."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [rename(layer.name).encode() for layer in model.layers]
        file.attrs["backend"] = backend.encode()
        for layer in model.layers:
            group = file.create_group(rename(layer.name))
            arrays = layer.get_weights()
            names = [f"{rename(layer.name)}/w{i}:0" for i in range(len(arrays))]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, arrays, strict=True):
                group[name] = array
    return path


@pytest.mark.parametrize("name", ["plain", "two_headed", "nested", "permuted", "recurrent"])
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_a_saved_model_opens_and_answers_as_it_did(tmp_path: Path, name: str, suffix: str) -> None:
    model = models.ALL[name]()
    model.save(tmp_path / f"model{suffix}")
    if name == "permuted":
        found = opened(tmp_path / f"model{suffix}")
        x = models.dna(3).astype(np.float32).transpose(0, 2, 1)
        np.testing.assert_allclose(found(x), model(x), atol=1e-6)
    else:
        same(opened(tmp_path / f"model{suffix}"), model)


def test_the_adapter_opens_a_file_as_an_oracle(tmp_path: Path) -> None:
    models.two_headed().save(tmp_path / "model.keras")
    oracle = KerasAdapter().open(ModelSource("m", path=tmp_path / "model.keras"), OracleOptions())
    assert [head.name for head in oracle.heads] == ["Dev", "Hk"]


def test_a_model_with_a_custom_loss_opens_because_it_is_not_compiled(tmp_path: Path) -> None:
    def own_loss(truth: Any, found: Any) -> Any:
        return keras.ops.mean((truth - found) ** 4)

    for suffix in (".h5", ".keras"):
        model = models.plain()
        model.compile(loss=own_loss, optimizer="adam")
        model.fit(models.dna(8).astype(np.float32), np.zeros((8, 1)), verbose=0)
        model.save(tmp_path / f"model{suffix}")
        same(opened(tmp_path / f"model{suffix}"), model)


@pytest.mark.parametrize("beside", ["model.h5", "model.hdf5", "model.weights.h5", "model_weights.h5"])
def test_an_architecture_finds_the_weights_beside_it(tmp_path: Path, beside: str) -> None:
    model = models.two_headed()
    (tmp_path / "model.json").write_text(model.to_json())
    if beside.endswith(".weights.h5"):
        model.save_weights(tmp_path / beside)
    else:
        legacy_weights(model, tmp_path / beside)
    same(opened(tmp_path / "model.json"), model)
    same(opened(tmp_path / beside), model)


def test_an_architecture_without_weights_or_with_two_files_of_them_is_an_error(tmp_path: Path) -> None:
    model = models.plain()
    (tmp_path / "model.json").write_text(model.to_json())
    with pytest.raises(OracleError, match=r"beside it as one of model\.h5, .* but there are none"):
        opened(tmp_path / "model.json")
    legacy_weights(model, tmp_path / "model.h5")
    legacy_weights(model, tmp_path / "model.hdf5")
    with pytest.raises(
        OracleError, match=r"one of model\.h5, model\.hdf5, but there are several: name one with --weights"
    ):
        opened(tmp_path / "model.json")
    same(opened(tmp_path / "model.json", weights=tmp_path / "model.h5"), model)


def test_weights_alone_name_the_way_to_open_them(tmp_path: Path) -> None:
    legacy_weights(models.plain(), tmp_path / "w.h5")
    with pytest.raises(
        OracleError, match=r"no w\.json beside it: open the model as file\.py:factory with --weights w\.h5"
    ):
        opened(tmp_path / "w.h5")


def saved(model: Any, path: Path, kind: str) -> Path:
    if kind == "whole":
        model.save(path.with_suffix(".h5"))
        return path.with_suffix(".h5")
    if kind == "archive":
        model.save(path.with_suffix(".keras"))
        return path.with_suffix(".keras")
    if kind == "current":
        model.save_weights(path.with_suffix(".weights.h5"))
        return path.with_suffix(".weights.h5")
    return legacy_weights(model, path.with_suffix(".h5"))


@pytest.mark.parametrize("kind", ["legacy", "whole", "current", "archive"])
def test_weights_go_into_a_model_in_hand_by_name_or_where_names_differ_by_order(tmp_path: Path, kind: str) -> None:
    model = models.plain()
    path = saved(model, tmp_path / "w", kind)
    for start in (0, 1, 30):
        fresh = models.with_weights(models.plain(start), seed=9)
        same(opened(model=fresh, weights=path), model)


@pytest.mark.parametrize("kind", ["legacy", "current"])
def test_weights_that_do_not_fit_are_an_error_that_lists_both_sides(tmp_path: Path, kind: str) -> None:
    path = saved(models.plain(), tmp_path / "w", kind)
    other = models.two_headed()
    before = other.get_weights()
    with pytest.raises(
        OracleError, match=r"the file holds \[.*conv1d_0: \(7, 4, 6\).*model wants \[.*first: \(5, 4, 6\)"
    ):
        opened(model=other, weights=path)
    for left, right in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("kind", ["legacy", "current"])
def test_a_layer_that_the_file_does_not_hold_is_not_left_at_its_initial_values(tmp_path: Path, kind: str) -> None:
    whole = models.plain()
    part = keras.Model(whole.inputs, whole.layers[0].output)
    with pytest.raises(OracleError, match=r"layer by layer, but the file holds \[conv1d_0: \(7, 4, 6\) \(6,\)\]"):
        opened(model=whole, weights=saved(part, tmp_path / "w", kind))


def test_weights_that_keras_would_load_by_name_and_not_at_all_are_loaded_or_refused(tmp_path: Path) -> None:
    model = models.plain()
    path = legacy_weights(model, tmp_path / "w.h5", rename=lambda name: f"saved_{name}")
    trap = models.with_weights(models.plain(), seed=9)
    before = trap.get_weights()
    trap.load_weights(path, by_name=True, skip_mismatch=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, trap.get_weights(), strict=True))  # the trap is real
    same(opened(model=trap, weights=path), model)
    wider = keras.Sequential([keras.Input((40, 4)), layers.Conv1D(9, 7), layers.Flatten(), layers.Dense(1)])
    with pytest.raises(OracleError, match="saved_conv1d_0"):
        opened(model=wider, weights=path)


def test_names_that_agree_win_over_order(tmp_path: Path) -> None:
    model = models.two_headed()
    path = legacy_weights(model, tmp_path / "w.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = file.attrs["layer_names"][::-1]
    same(opened(model=models.with_weights(models.two_headed(), seed=3), weights=path), model)


def test_kernels_written_by_theano_are_turned_around(tmp_path: Path) -> None:
    model = models.plain()
    path = legacy_weights(model, tmp_path / "w.h5", backend="theano")
    found = opened(model=models.plain(), weights=path)
    np.testing.assert_array_equal(found.layers[0].get_weights()[0], model.layers[0].get_weights()[0][::-1])
    np.testing.assert_array_equal(found.layers[-1].get_weights()[0], model.layers[-1].get_weights()[0])


# ---- architectures of Keras 1 and 2 -----------------------------------------------------------------------


def of_keras_1() -> tuple[dict[str, Any], Any]:
    """Return a configuration as Keras 1 wrote it, and today's model of the same layers."""

    def layer(kind: str, name: str, **settings: Any) -> dict[str, Any]:
        return {"class_name": kind, "config": {"name": name, "trainable": True, **settings}}

    config = {
        "class_name": "Sequential",
        "keras_version": "1.2.2",
        "config": [
            layer(
                "Convolution1D", "c", nb_filter=6, filter_length=5, border_mode="same", subsample_length=1,
                init="uniform", activation="relu", bias=True, W_regularizer={"name": "WeightRegularizer", "l2": 0.1},
                input_dim=4, input_length=40, batch_input_shape=[None, 40, 4], input_dtype="float32",
            ),
            layer("MaxPooling1D", "m", pool_length=4, stride=4, border_mode="valid"),
            layer("Dropout", "d", p=0.2),
            layer(
                "LSTM", "l", output_dim=3, activation="tanh", inner_activation="hard_sigmoid", init="glorot_uniform",
                inner_init="orthogonal", forget_bias_init="one", consume_less="cpu", return_sequences=True,
                go_backwards=False, stateful=False, unroll=False, dropout_W=0.1, dropout_U=0.1,
            ),
            layer("Flatten", "f"),
            layer("Dense", "o", output_dim=1, activation="sigmoid", init="glorot_uniform", bias=True, input_dim=None),
        ],
    }  # fmt: skip
    today = keras.Sequential(
        [
            keras.Input((40, 4)),
            layers.Conv1D(6, 5, padding="same", activation="relu", name="c"),
            layers.MaxPooling1D(4, name="m"),
            layers.LSTM(3, recurrent_activation=lambda z: keras.ops.clip(0.2 * z + 0.5, 0, 1), return_sequences=True),
            layers.Flatten(name="f"),
            layers.Dense(1, activation="sigmoid", name="o"),
        ]
    )
    return config, models.with_weights(today)


def test_an_architecture_of_keras_1_opens_with_the_hard_sigmoid_of_its_time(tmp_path: Path) -> None:
    config, today = of_keras_1()
    before = copy.deepcopy(config)
    (tmp_path / "model.json").write_text(json.dumps(config))
    legacy_weights(today, tmp_path / "model.h5")
    found = opened(tmp_path / "model.json")
    same(found, today)
    assert config == before
    oracle = KerasAdapter().open(ModelSource("m", path=tmp_path / "model.json"), OracleOptions(precision="float64"))
    x = models.dna(3)
    np.testing.assert_allclose(oracle.predict(x)["o"], today(x.astype(np.float32)), atol=1e-5)


def test_a_whole_model_of_keras_2_opens(tmp_path: Path) -> None:
    layer = {
        "class_name": "InputLayer",
        "config": {"batch_input_shape": [None, 40, 4], "dtype": "float32", "name": "i"},
    }
    conv = {
        "class_name": "Conv1D",
        "config": {
            "name": "c",
            "filters": 3,
            "kernel_size": [4],
            "activation": "relu",
            "batch_input_shape": [None, 40, 4],
        },
    }
    norm = {"class_name": "BatchNormalization", "config": {"name": "n", "axis": [2], "epsilon": 0.01}}
    slope = {"class_name": "LeakyReLU", "config": {"name": "s", "alpha": 0.2}}
    parts = [layer, conv, norm, slope, {"class_name": "Flatten", "config": {"name": "f"}}]
    for place, (part, source) in enumerate(zip(parts, [None, "i", "c", "n", "s"], strict=True)):
        part |= {"name": part["config"]["name"], "inbound_nodes": [[[source, 0, 0, {}]]] if place else []}
    config = {"name": "m", "layers": parts, "input_layers": [["i", 0, 0]], "output_layers": [["f", 0, 0]]}
    today = keras.Sequential(
        [
            keras.Input((40, 4)),
            layers.Conv1D(3, 4, activation="relu", name="c"),
            layers.BatchNormalization(epsilon=0.01, name="n"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Flatten(),
        ]
    )
    models.with_weights(today)
    path = legacy_weights(today, tmp_path / "weights.h5")
    with h5py.File(tmp_path / "model.hdf5", "w") as file, h5py.File(path) as weights:
        file.attrs["model_config"] = json.dumps({"class_name": "Model", "config": config})
        file.attrs["training_config"] = json.dumps({"loss": "a_loss_that_nobody_has"})
        weights.copy(weights, file, "model_weights")
        for name, value in weights.attrs.items():
            file["model_weights"].attrs[name] = value
    same(opened(tmp_path / "model.hdf5"), today)


def test_a_layer_that_keras_3_does_not_have_is_named(tmp_path: Path) -> None:
    config = {"class_name": "Sequential", "config": [{"class_name": "Highway", "config": {"name": "road"}}]}
    (tmp_path / "model.json").write_text(json.dumps(config))
    legacy_weights(models.plain(), tmp_path / "model.h5")
    with pytest.raises(OracleError, match="layer 'road' is a Highway, which Keras 3 does not have"):
        opened(tmp_path / "model.json")


# ---- code in files ----------------------------------------------------------------------------------------


def with_lambda(target: Path) -> Any:
    dna = keras.Input((40, 4), name="dna")
    text = str(target)
    mean = layers.Lambda(lambda x: (open(text, "a").close(), x * 2)[1], name="sneaky", output_shape=(40, 4))(dna)
    return models.with_weights(keras.Model(dna, layers.Dense(1, name="out")(layers.Flatten()(mean))))


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".json"])
def test_a_lambda_is_refused_by_name_and_nothing_runs(tmp_path: Path, suffix: str) -> None:
    evidence = tmp_path / "ran"
    model = with_lambda(evidence)
    if suffix == ".json":
        (tmp_path / "model.json").write_text(model.to_json())
        model.save_weights(tmp_path / "model.weights.h5")
    else:
        model.save(tmp_path / f"model{suffix}")
    evidence.unlink(missing_ok=True)
    with pytest.raises(UntrustedError, match=r"layer 'sneaky' is a Lambda, which runs a Python function .*--trust"):
        opened(tmp_path / f"model{suffix}")
    assert not evidence.exists()
    trusted = opened(tmp_path / f"model{suffix}", trust=True)
    np.testing.assert_allclose(trusted(models.dna(2)), model(models.dna(2)), atol=1e-6)
    assert evidence.exists()
    evidence.unlink()
    with pytest.raises(UntrustedError):  # trust does not outlive the call
        opened(tmp_path / f"model{suffix}")
    assert not evidence.exists()


def test_a_lambda_inside_a_nested_model_and_a_wrapper_is_found(tmp_path: Path) -> None:
    inside = keras.Sequential([keras.Input((40, 4)), layers.TimeDistributed(layers.Lambda(lambda x: x, name="deep"))])
    dna = keras.Input((40, 4))
    keras.Model(dna, layers.Dense(1)(layers.Flatten()(inside(dna)))).save(tmp_path / "model.keras")
    with pytest.raises(UntrustedError, match="layer 'deep' is a Lambda"):
        opened(tmp_path / "model.keras")


def test_a_custom_layer_is_refused_and_opens_once_it_is_trusted(tmp_path: Path, monkeypatch: Any) -> None:
    source = "import keras\nopen({!r}, 'a').close()\nclass Twice(keras.layers.Layer):\n"
    source += "    def call(self, x):\n        return 2 * x\n"
    evidence = tmp_path / "ran"
    (tmp_path / "foreign_layers.py").write_text(source.format(str(evidence)))
    monkeypatch.syspath_prepend(tmp_path)
    import foreign_layers  # type: ignore[import-not-found]

    dna = keras.Input((40, 4))
    x = foreign_layers.Twice(name="own")(dna)
    model = models.with_weights(keras.Model(dna, layers.Dense(1)(layers.Flatten()(x))))
    model.save(tmp_path / "model.keras")
    evidence.unlink()
    monkeypatch.delitem(__import__("sys").modules, "foreign_layers")
    with pytest.raises(
        UntrustedError, match=r"layer 'own' is a custom object, which imports and runs foreign_layers\.Twice"
    ):
        opened(tmp_path / "model.keras")
    assert not evidence.exists()
    same(opened(tmp_path / "model.keras", trust=True), model)
    (tmp_path / "foreign_layers.py").unlink()
    monkeypatch.delitem(__import__("sys").modules, "foreign_layers")
    with pytest.raises(OracleError, match="needs foreign_layers.Twice, but"):
        opened(tmp_path / "model.keras", trust=True)


def test_a_custom_activation_function_is_refused(tmp_path: Path) -> None:
    def own_exponential(x: Any) -> Any:
        return keras.ops.exp(x)

    dna = keras.Input((40, 4))
    x = layers.Conv1D(3, 5, activation=own_exponential, name="conv")(dna)
    keras.Model(dna, layers.Dense(1)(layers.Flatten()(x))).save(tmp_path / "model.keras")
    with pytest.raises(UntrustedError, match=r"layer 'conv' .*own_exponential"):
        opened(tmp_path / "model.keras")


# ---- files that are not what they say ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.keras", b"", "must be a .keras archive, but it is empty"),
        ("model.keras", b"PK\x03\x04 and no more", "is none, or cut short"),
        ("model.h5", b"", "must be an HDF5 file, but it is empty"),
        ("model.h5", b"no HDF5 at all", "must be an HDF5 file, but it is none"),
        ("model.json", b"", "but it is empty"),
        ("model.json", b"{not json", "as JSON, but"),
        ("model.json", b"[1, 2]", "has no class_name"),
        ("model.json", b'{"class_name": "Sequential", "config": {"name": "m"}}', "must list its layers"),
        ("model.json", b'{"class_name": "Model", "config": {"layers": []}}', "must hold the architecture"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_one_sentence(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    legacy_weights(models.plain(), tmp_path / "model.hdf5")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OracleError, match=said) as caught:
        opened(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_zip_without_a_model_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(OracleError, match=r"but it holds no config\.json"):
        opened(tmp_path / "model.keras")


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_file_that_was_cut_short_is_told(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"model{suffix}"
    models.plain().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(OracleError, match="cut short|damaged|must be"):
        opened(path)


def test_hdf5_that_holds_no_weights_is_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = np.zeros(3)
    shutil.copy(tmp_path / "data.h5", tmp_path / "other.h5")
    with pytest.raises(OracleError, match="none were found in it"):
        opened(model=models.plain(), weights=tmp_path / "other.h5")


def test_a_model_that_does_not_know_its_input_is_told() -> None:
    with pytest.raises(OracleError, match=r"start it with keras\.Input\(\(length, 4\)\)"):
        opened(model=keras.Sequential([layers.Dense(1)]))
