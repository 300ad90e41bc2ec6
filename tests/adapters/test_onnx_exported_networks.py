"""Recurrent and attention networks, as torch's and Keras's exporters write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from tests.adapters import onnx_exports  # noqa: E402
from tests.adapters.torch_models import seeded  # noqa: E402
from torch import nn  # noqa: E402

from cislens import open_oracle  # noqa: E402

pytestmark = [pytest.mark.onnx, pytest.mark.torch]
LENGTH = 24


class Attending(nn.Module):
    """A convolution, a layer of a transformer, and the mean of its positions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 8, 5, padding=2)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True, activation="gelu")
        self.last = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.block(self.conv(x).transpose(1, 2)).mean(1))


class Gated(nn.Module):
    """Gated recurrent units in both directions, and the largest of their values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 5)
        self.norm = nn.GroupNorm(2, 6)
        self.gru = nn.GRU(6, 5, batch_first=True, bidirectional=True)
        self.last = nn.Linear(10, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.nn.functional.elu(self.norm(self.conv(x)))
        return torch.sigmoid(self.last(self.gru(x.transpose(1, 2))[0].amax(1)))


class Normed(nn.Module):
    """Squeeze and excitation after instance and layer normalisation, pooled to four positions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 7, padding=3)
        self.instance = nn.InstanceNorm1d(6, affine=True)
        self.layer = nn.LayerNorm(6)
        self.gate = nn.Sequential(nn.Linear(6, 3), nn.SiLU(), nn.Linear(3, 6), nn.Sigmoid())
        self.pool = nn.AvgPool1d(6)
        self.last = nn.Linear(24, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer(self.instance(self.conv(x)).transpose(1, 2)).transpose(1, 2)
        x = torch.nn.functional.leaky_relu(x * self.gate(x.mean(2)).unsqueeze(2), 0.1)
        return torch.nn.functional.softplus(self.last(self.pool(x).flatten(1)))


class Remembering(nn.Module):
    """What two layers of a memory hold at the end, read in both directions from (n, length, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.last = nn.Linear(10, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.lstm(x)[1][0][-2:].transpose(0, 1).flatten(1))


class Causal(nn.Module):
    """Attention of every position to those up to it, from (n, length, 4)."""

    mask: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 2)
        self.heads = nn.MultiheadAttention(8, 2, batch_first=True)
        self.register_buffer("mask", torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        return self.last(self.heads(x, x, x, attn_mask=self.mask, need_weights=False)[0].amax(1))


MODELS = {"attention": Attending, "gated": Gated, "normed": Normed, "remembering": Remembering, "causal": Causal}
POSITIONS_FIRST = ("remembering", "causal")


def dna(n: int) -> np.ndarray:
    return np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (n, LENGTH))]


def assert_agree(oracle: Any, reference: Any) -> None:
    x = dna(5)
    for (name, found), (other, wanted) in zip(oracle.predict(x).items(), reference.predict(x).items(), strict=True):
        assert np.abs(found - wanted).max() <= 1e-5 * max(1, np.abs(wanted).max())
        cotangent = np.random.default_rng(1).normal(size=found.shape)
        ours, theirs = oracle.vjp(x, {name: cotangent})[1], reference.vjp(x, {other: cotangent})[1]
        assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


@pytest.mark.parametrize("exporter", onnx_exports.EXPORTERS)
@pytest.mark.parametrize("name", MODELS)
def test_torch_networks_agree_with_their_modules(name: str, exporter: str, tmp_path: Path) -> None:
    module = seeded(MODELS[name]()).eval()
    example = torch.zeros((3, LENGTH, 4) if name in POSITIONS_FIRST else (3, 4, LENGTH))
    path = onnx_exports.export(module, example, tmp_path / "m.onnx", exporter)
    assert_agree(open_oracle(path), open_oracle(module, length=LENGTH))


def keras_networks() -> dict[str, Any]:
    keras = pytest.importorskip("keras")
    layers = keras.layers

    def built(change: Any) -> Any:
        x = inputs = keras.Input((LENGTH, 4))
        x = layers.Conv1D(8, 5, padding="same")(x)
        model = keras.Model(inputs, layers.Dense(2)(change(x)))
        model(np.zeros((1, LENGTH, 4), np.float32))  # its exporter wants to have seen it called
        return model

    def residual(x: Any) -> Any:
        y = layers.Conv1D(8, 3, dilation_rate=2, padding="same")(
            layers.Activation("elu")(layers.BatchNormalization()(x))
        )
        return layers.GlobalAveragePooling1D()(layers.MaxPooling1D(2)(layers.Add()([x, y])))

    def recurrent(x: Any) -> Any:
        return layers.Bidirectional(layers.LSTM(5))(layers.GRU(6, return_sequences=True)(x))

    def attending(x: Any) -> Any:
        y = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
        return layers.Flatten()(layers.AveragePooling1D(4)(layers.Dense(6, activation="silu")(y)))

    return {"residual": built(residual), "recurrent": built(recurrent), "attending": built(attending)}


@pytest.mark.keras
@pytest.mark.parametrize("name", ["residual", "attending"])
def test_keras_networks_agree_with_their_models(name: str, tmp_path: Path) -> None:
    model = keras_networks()[name]
    with onnx_exports.quiet():
        model.export(tmp_path / "m.onnx", format="onnx", verbose=False)
    assert_agree(open_oracle(tmp_path / "m.onnx"), open_oracle(model))


@pytest.mark.keras
def test_a_loop_of_keras_is_one_recurrent_layer(tmp_path: Path) -> None:
    model = keras_networks()["recurrent"]
    with onnx_exports.quiet():
        model.export(tmp_path / "m.onnx", format="onnx", verbose=False)
    oracle = open_oracle(tmp_path / "m.onnx")
    assert_agree(oracle, open_oracle(model))
    assert [layer.kind for layer in oracle.layers()].count("recurrent") == 2
