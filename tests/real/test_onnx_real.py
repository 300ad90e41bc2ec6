"""DeepSTARR through the exporters of torch and Keras answers, and is explained, as the models themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from tests.adapters import onnx_exports  # noqa: E402
from tests.real.deepstarr_torch import LENGTH, from_keras_h5  # noqa: E402

from cislens import Sequences, explain, open_oracle, read_sequences  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402

pytestmark = [pytest.mark.real, pytest.mark.onnx, pytest.mark.torch]
KINDS = (*onnx_exports.EXPORTERS, pytest.param("keras", marks=pytest.mark.keras))
NAMES = ("Dev", "Hk")


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("CISLENS_REAL_DATA")
    if not folder:
        pytest.skip("needs CISLENS_REAL_DATA")
    return Path(folder)


@pytest.fixture(scope="module")
def module(data: Path) -> Any:
    return from_keras_h5(data / "checkpoints/deepstarr/deepstarr.model.h5").eval()


@pytest.fixture(scope="module")
def opened(data: Path, module: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("deepstarr")
    known: dict[str, Any] = {}

    def get(kind: str) -> Any:
        path = folder / f"{kind}.onnx"
        if kind not in known and kind == "keras":
            model = open_oracle(data / "checkpoints/deepstarr/deepstarr.model.json").native
            with onnx_exports.quiet():
                model.export(path, format="onnx", verbose=False)
            known[kind] = open_oracle(path, heads=NAMES)
        elif kind not in known:
            onnx_exports.export(module, torch.zeros(2, 4, LENGTH), path, kind)
            known[kind] = open_oracle(path, outputs=NAMES)
        return known[kind]

    return get


@pytest.fixture(scope="module")
def reference(module: Any) -> Any:
    return open_oracle(module, outputs=NAMES)


def onehot(n: int) -> np.ndarray:
    return np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (n, LENGTH))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", NAMES)
def test_predictions_agree(opened, reference, kind: str, target: str) -> None:
    a, b = (one.select(target).predict(onehot(50)) for one in (opened(kind), reference))
    assert np.abs(a - b).max() <= 1e-5 * max(1, np.abs(b).max())


@pytest.mark.parametrize("kind", KINDS)
def test_the_enhancer_has_its_published_activity(opened, data: Path, kind: str) -> None:
    sequences = read_sequences(data / "sequences/deepstarr_enhancer.fa", length=LENGTH)
    assert opened(kind).select("Dev").predict(sequences.onehot)[0, 0] == pytest.approx(2.479, abs=5e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("explainer", ["saliency", "ism"])
def test_maps_agree(opened, reference, kind: str, explainer: str) -> None:
    few = Sequences.from_onehot(onehot(2))
    a, b = (explain(one, few, explainer, list(NAMES)).attributions.values for one in (opened(kind), reference))
    for ours, theirs in zip(a, b, strict=True):
        assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract_of_oracles_holds(opened, kind: str) -> None:
    OracleContract(opened(kind), onehot(6)).check()


@pytest.mark.parametrize("kind", KINDS)
def test_the_four_convolutions_see_what_they_saw(opened, reference, kind: str) -> None:
    def fields(one: Any) -> list[tuple[Any, ...]]:
        return [(w.units, w.kernel, w.receptive_field) for w in one.layers() if w.kind == "convolution"]

    assert fields(opened(kind)) == fields(reference)
    first = next(layer.name for layer in opened(kind).layers() if layer.kind == "convolution")
    kernel = opened(kind).weights(first)["kernel"]
    native = reference.weights(next(layer.name for layer in reference.layers() if layer.kind == "convolution"))[
        "kernel"
    ]
    # Exporters fold the batch normalisation that follows into the kernel, a factor for each unit.
    shape = (len(kernel), -1)
    cosine = (kernel * native).reshape(shape).sum(1) / (
        np.linalg.norm(kernel.reshape(shape), axis=1) * np.linalg.norm(native.reshape(shape), axis=1)
    )
    np.testing.assert_allclose(np.abs(cosine), 1, atol=1e-5)
