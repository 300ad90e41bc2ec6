"""DeepSTARR answers alike, and has the same gradient, from every kind of file that Keras and TensorFlow write."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest

pytestmark = [
    pytest.mark.real,
    pytest.mark.keras,
    # Keras saves variables in a way that NumPy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]
pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from cislens import Oracle, open_oracle  # noqa: E402
from cislens_keras.runtime import quiet  # noqa: E402

PREDICTIONS = 1e-5  # of the largest answer, or of 1 where it is smaller
SALIENCY = 1e-4  # of the map's largest value


@pytest.fixture(scope="module")
def deepstarr(real_data: Path) -> Oracle:
    return open_oracle(real_data / "checkpoints/deepstarr/deepstarr.model.json")


@pytest.fixture(scope="module")
def sequences() -> np.ndarray:
    return np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (64, 249))]


def agrees(oracle: Oracle, deepstarr: Oracle, x: np.ndarray) -> None:
    answers, pull = oracle.linearize(x)
    expected, pull_expected = deepstarr.linearize(x)
    for (name, found), (own, theirs) in zip(answers.items(), expected.items(), strict=True):
        assert np.abs(found - theirs).max() <= PREDICTIONS * max(1, np.abs(theirs).max()), name
        left, right = pull({name: np.ones_like(found)}), pull_expected({own: np.ones_like(theirs)})
        assert np.abs(left - right).max() <= SALIENCY * np.abs(right).max(), name


@pytest.mark.parametrize("kind", [".keras", ".h5", "SavedModel"])
def test_deepstarr_saved_again_by_keras_3(kind: str, deepstarr: Oracle, sequences: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / f"deepstarr{kind}"
    if kind == "SavedModel":
        deepstarr.native.export(path, verbose=False)
    else:
        deepstarr.native.save(path)
    oracle = open_oracle(path)
    assert ("layers" in oracle.capabilities) is (kind != "SavedModel")
    agrees(oracle, deepstarr, sequences)


@pytest.mark.parametrize("kind", [".h5", ".keras", "SavedModel", "in hand"])
def test_deepstarr_by_way_of_keras_2(
    kind: str, deepstarr: Oracle, sequences: np.ndarray, real_data: Path, tmp_path: Path
) -> None:
    if importlib.util.find_spec("tf_keras") is None:
        pytest.skip("tf_keras is not installed")
    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")
        import tf_keras
    folder = real_data / "checkpoints/deepstarr"
    model = tf_keras.models.model_from_json((folder / "deepstarr.model.json").read_text())
    model.load_weights(folder / "deepstarr.model.h5")
    path = tmp_path / f"deepstarr{kind}"
    if kind == "SavedModel":
        model.save(path, save_format="tf")
    elif kind != "in hand":
        model.save(path)
    agrees(open_oracle(model if kind == "in hand" else path), deepstarr, sequences)
