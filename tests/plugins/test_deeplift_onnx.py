"""An ONNX model is explained through a torch twin of what it was exported from."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tangermeme")
pytest.importorskip("onnxruntime")

from tests.adapters.onnx_exports import export  # noqa: E402
from tests.plugins.test_deeplift import LENGTH, SEQUENCES, delta, seeded  # noqa: E402
from torch import nn  # noqa: E402

from cislens import explain, open_oracle  # noqa: E402
from cislens_deeplift import DeepLiftShap  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.onnx]


def test_an_exported_network_is_explained_as_the_network_itself(tmp_path) -> None:
    trunk = (nn.Conv1d(4, 6, 5, padding=2), nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(6, 6, 3), nn.ELU())
    model = seeded(nn.Sequential(*trunk, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, 2), nn.Sigmoid()))
    path = export(model, torch.zeros(1, 4, LENGTH), tmp_path / "model.onnx", "torchscript")
    itself = explain(open_oracle(model, length=LENGTH), SEQUENCES, DeepLiftShap(), "0:logit")
    exported = explain(open_oracle(path), SEQUENCES, DeepLiftShap(), "0:logit")
    assert exported.validity.summary == {"torch twin": 1}
    assert delta(exported) < 1e-4
    largest = np.abs(itself.attributions.values).max()
    assert np.abs(exported.attributions.values - itself.attributions.values).max() < 1e-4 * largest
