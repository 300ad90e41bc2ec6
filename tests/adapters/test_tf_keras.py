"""Models of Keras 2: in hand, and in files whose layers Keras 3 does not have."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [
    pytest.mark.keras,
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]
pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from tests.adapters import keras_models as models  # noqa: E402

from cislens import open_oracle  # noqa: E402
from cislens.errors import CapabilityError, OracleError  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402
from cislens_keras.runtime import quiet  # noqa: E402

if importlib.util.find_spec("tf_keras") is None:
    pytest.skip("tf_keras is not installed", allow_module_level=True)
with warnings.catch_warnings(), quiet():
    warnings.simplefilter("ignore")
    import tf_keras


def with_weights(model: Any) -> Any:
    rng = np.random.default_rng(0)
    model.set_weights([np.abs(rng.normal(0, 0.4, w.shape)) + 0.1 for w in model.get_weights()])
    return model


def of_layers_of_today() -> Any:
    """Everything that Keras 3 has as well, and a layer that is used twice."""
    layers = tf_keras.layers
    dna = layers.Input((40, 4), name="dna")
    shared = layers.Conv1D(4, 5, padding="same", activation="relu", kernel_regularizer="l2", name="shared")
    x = layers.Add(name="sum")([shared(dna), shared(shared(dna))])
    x = layers.LeakyReLU(0.2, name="leaky")(layers.BatchNormalization(name="norm")(x))
    x = layers.Bidirectional(layers.LSTM(3, recurrent_activation="hard_sigmoid", name="cell"), name="both")(x)
    model = tf_keras.Model(dna, [layers.Dense(1, name="Dev")(x), layers.Dense(2, name="Hk")(x)], name="today")
    return with_weights(model)


def of_lost_layers() -> Any:
    """A locally connected layer, which Keras 3 does not have, and a sum that Keras 2 kept as a function's name."""
    layers = tf_keras.layers
    dna, control = layers.Input((40, 4), name="dna"), layers.Input((2,), name="control")
    x = layers.LocallyConnected1D(3, 5, activation="relu", name="local")(dna) + 0.5
    x = layers.Concatenate(name="both")([layers.Flatten(name="flat")(x[:, 2:]), control])
    model = tf_keras.Model([dna, control], {"a": layers.Dense(1, name="a")(x), "b": layers.Dense(2, name="b")(x)})
    return with_weights(model)


def answers(model: Any, x: np.ndarray) -> list[np.ndarray]:
    given = [x.astype(np.float32), *(np.zeros((len(x), 2), np.float32) for _ in model.inputs[1:])]
    found = model.predict(given if len(given) > 1 else given[0], verbose=0)
    return list(found.values()) if isinstance(found, dict) else found


@pytest.fixture(scope="module")
def today() -> Any:
    return of_layers_of_today()


@pytest.fixture(scope="module")
def lost() -> Any:
    return of_lost_layers()


@pytest.mark.parametrize("suffix", [".h5", ".keras", ".json"])
def test_keras_3_opens_what_keras_2_wrote_where_it_can(today: Any, tmp_path: Path, suffix: str) -> None:
    if suffix == ".json":
        (tmp_path / "model.json").write_text(today.to_json())
        today.save_weights(tmp_path / "model.weights.h5")
    else:
        today.save(tmp_path / f"model{suffix}")
    oracle = open_oracle(tmp_path / f"model{suffix}")
    assert "layers" in oracle.capabilities
    assert [head.name for head in oracle.heads] == ["Dev", "Hk"]
    x = models.dna(6)
    for found, theirs in zip(oracle.predict(x).values(), answers(today, x), strict=True):
        np.testing.assert_allclose(found, theirs, atol=1e-6)


@pytest.mark.parametrize("suffix", [".h5", ".keras", ".json"])
def test_keras_2_opens_what_keras_3_has_no_layers_for(lost: Any, tmp_path: Path, suffix: str) -> None:
    if suffix == ".json":
        (tmp_path / "model.json").write_text(lost.to_json())
        lost.save_weights(tmp_path / "model.h5")
    else:
        lost.save(tmp_path / f"model{suffix}")
    oracle = open_oracle(tmp_path / f"model{suffix}")
    assert [head.name for head in oracle.heads] == ["a", "b"]
    x = models.dna(6)
    for found, theirs in zip(oracle.predict(x).values(), answers(lost, x), strict=True):
        np.testing.assert_allclose(found, theirs, atol=1e-6)
    assert "rebuild it of layers that Keras 3 has" in oracle.why_not("layers")


def test_a_model_of_keras_2_in_hand_keeps_the_contract_and_is_differentiated(lost: Any) -> None:
    def native(x: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip("ab", answers(lost, x), strict=True))

    oracle = open_oracle(lost)
    assert oracle.native is lost
    OracleContract(oracle, models.dna(4), native).check()
    with pytest.raises(CapabilityError, match=r"tf_keras shows no layers: save it with model\.save\('model\.h5'\)"):
        oracle.layers()


def test_keras_2_in_hand_takes_weights_from_a_file(lost: Any, tmp_path: Path) -> None:
    lost.save_weights(tmp_path / "w.h5")
    fresh = of_lost_layers()
    fresh.set_weights([0 * w for w in fresh.get_weights()])
    x = models.dna(3)
    np.testing.assert_allclose(open_oracle(fresh, tmp_path / "w.h5").predict(x)["a"], answers(lost, x)[0], atol=1e-6)


def test_where_keras_2_is_not_installed_the_sentence_says_how(
    lost: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost.save(tmp_path / "model.h5")
    monkeypatch.setattr("cislens_keras.keras_2.find_spec", lambda name: None)
    with pytest.raises(OracleError, match="layer 'local' is a LocallyConnected1D, .*pip install tf-keras"):
        open_oracle(tmp_path / "model.h5")


def test_a_subclassed_model_of_keras_2_needs_its_inputs_named() -> None:
    class Own(tf_keras.Model):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(OracleError, match=r"must know the shape of its input"):
        open_oracle(Own())


def test_both_kerases_keep_quiet(lost: Any, tmp_path: Path) -> None:
    lost.save(tmp_path / "model.h5")
    code = f"from cislens import open_oracle; print(open_oracle({str(tmp_path / 'model.h5')!r}).heads[0].name)"
    # What this process was told of TensorFlow's log must not be told on.
    inherited = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=inherited)
    assert (run.stdout, run.stderr) == ("a\n", "")
