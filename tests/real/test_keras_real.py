"""Published Keras checkpoints open and answer as Keras itself answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

pytestmark = [pytest.mark.real, pytest.mark.keras]
pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from tests.real.gabpa_keras import gabpa  # noqa: E402

from cislens.errors import OracleError  # noqa: E402
from cislens.oracle import OracleOptions  # noqa: E402
from cislens.oracle.adapter import ModelSource  # noqa: E402
from cislens_keras.adapter import KerasAdapter  # noqa: E402
from cislens_keras.oracle import KerasOracle  # noqa: E402
from cislens_keras.runtime import keras  # noqa: E402

BOUND = 1e-5


def opened(path: Path | None = None, options: OracleOptions | None = None, **source: Any) -> KerasOracle:
    oracle = KerasAdapter().open(ModelSource("m", path=path, **source), options or OracleOptions())
    assert isinstance(oracle, KerasOracle)
    return oracle


def random_dna(n: int, length: int) -> np.ndarray:
    return np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (n, length))]


def parity(oracle: KerasOracle, x: np.ndarray) -> None:
    expected = keras.tree.flatten(oracle.native.predict(x.astype(np.float32), verbose=0))
    for (head, values), theirs in zip(oracle.predict(x).items(), expected, strict=True):
        assert np.abs(values - theirs).max() <= BOUND * max(1, np.abs(theirs).max()), head


@pytest.fixture(scope="module")
def deepstarr(real_data: Path) -> KerasOracle:
    return opened(real_data / "checkpoints/deepstarr/deepstarr.model.json")


def test_deepstarr_shows_both_heads_and_gives_the_published_prediction(deepstarr: KerasOracle, real_data: Path) -> None:
    assert (deepstarr.length, [head.name for head in deepstarr.heads]) == (249, ["Dev", "Hk"])
    lines = (real_data / "sequences/deepstarr_enhancer.fa").read_text().splitlines()
    text = "".join(line.strip() for line in lines if not line.startswith(">"))
    x = np.array([[[base == letter for letter in "ACGT"] for base in text]], np.uint8)
    assert deepstarr.predict(x)["Dev"][0, 0] == pytest.approx(2.479, abs=5e-4)


def test_deepstarr_answers_as_keras_does(deepstarr: KerasOracle) -> None:
    parity(deepstarr, random_dna(64, 249))


def test_the_weights_of_deepstarr_find_their_architecture(deepstarr: KerasOracle, real_data: Path) -> None:
    other = opened(real_data / "checkpoints/deepstarr/deepstarr.model.h5")
    x = random_dna(3, 249)
    np.testing.assert_array_equal(other.predict(x)["Hk"], deepstarr.predict(x)["Hk"])
    assert other.fingerprint == deepstarr.fingerprint


def test_subnetworks_of_deepstarr_equal_it_inside(deepstarr: KerasOracle) -> None:
    x = random_dna(2, 249)
    for name in ("Conv1D_1st", "batch_normalization_61", "Conv1D_3", "max_pooling1d_47"):
        layer, part = deepstarr.layer(name), deepstarr.subnetwork(name)
        values = deepstarr.activations(x, name, pre=True)
        assert layer.receptive_field is not None
        inside = [p for p in range(values.shape[1]) if 0 <= layer.offset + p * layer.step]
        inside = [p for p in inside if layer.offset + p * layer.step + layer.receptive_field <= 249]
        assert len(inside) > 9
        windows = [x[:, s : s + layer.receptive_field] for s in (layer.offset + p * layer.step for p in inside)]
        units = part.predict(np.concatenate(windows))["units"].reshape(len(inside), 2, -1).swapaxes(0, 1)
        assert np.abs(units - values[:, inside]).max() <= BOUND * max(1, np.abs(values).max())


def test_the_gradient_of_deepstarr_in_double_precision_equals_finite_differences(real_data: Path) -> None:
    oracle = opened(real_data / "checkpoints/deepstarr/deepstarr.model.json", OracleOptions(precision="float64"))
    rng = np.random.default_rng(0)
    x = rng.dirichlet(np.ones(4), (2, 249))
    for head in ("Dev", "Hk"):
        gradient = oracle.linearize(x)[1]({head: np.ones((2, 1))})
        direction = rng.normal(size=x.shape)
        ends = [oracle.predict(x + sign * 1e-7 * direction)[head].sum() for sign in (1, -1)]
        assert (gradient * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2e-7, rel=1e-5)


@pytest.mark.parametrize("stage", ["early", "final"])
def test_gabpa_opens_from_weights_alone_with_a_factory(real_data: Path, stage: str) -> None:
    path = real_data / f"checkpoints/gabpa/gabpa_{stage}_23.h5"
    oracle = opened(model=gabpa(), weights=path)
    assert [(head.name, head.scale) for head in oracle.heads] == [("binding", "probability")]
    with h5py.File(path) as file:
        np.testing.assert_array_equal(oracle.native.get_weights()[0], file["conv1d/conv1d/kernel:0"])
    parity(oracle, random_dna(32, 200))
    with pytest.raises(OracleError, match="holds weights alone"):
        opened(path)


def test_the_demonstration_of_neuronmotif_opens_as_keras_2_saved_it(real_data: Path) -> None:
    oracle = opened(real_data / "checkpoints/neuronmotif_demo1/weight.hdf5")
    assert (oracle.length, oracle.heads[0].scale) == (8, "probability")
    parity(oracle, random_dna(32, 8))
    assert oracle.layer("conv1d_2").receptive_field == 8
    assert oracle.activations(random_dna(2, 8), "conv1d_1", pre=True).shape == (2, 4, 3)
