"""Published torch checkpoints, opened and compared with what torch itself computes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.real.deepstarr_torch import LENGTH, from_keras_h5  # noqa: E402
from torch import nn  # noqa: E402

from cislens import OracleOptions, open_oracle  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402
from cislens_torch import TorchOracle  # noqa: E402

pytestmark = [pytest.mark.real, pytest.mark.torch]
UNITS, WIDTH, POOL, HIDDEN, CLASSES, INPUT = 100, 19, 7, 100, 3, 200
CLASS_NAMES = ("MAX", "FOXA1", "JUND")


class Exponential(nn.Module):
    """The activation of ExplaiNN's filters."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(x)


class Widen(nn.Module):
    """Give merged positions an axis again, for the grouped convolutions of width 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unsqueeze(-1)


class ExplaiNN(nn.Module):
    """Independent units of one filter each (Novakovsky et al. 2023, 10.1186/s13059-023-02985-y)."""

    def __init__(self) -> None:
        super().__init__()
        positions = (INPUT - WIDTH + 1) // POOL
        self.linears = nn.Sequential(
            nn.Conv1d(4 * UNITS, UNITS, WIDTH, groups=UNITS),
            nn.BatchNorm1d(UNITS),
            Exponential(),
            nn.MaxPool1d(POOL, POOL),
            nn.Flatten(),
            Widen(),
            nn.Conv1d(positions * UNITS, HIDDEN * UNITS, 1, groups=UNITS),
            nn.BatchNorm1d(HIDDEN * UNITS),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Conv1d(HIDDEN * UNITS, UNITS, 1, groups=UNITS),
            nn.BatchNorm1d(UNITS),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.final = nn.Linear(UNITS, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.final(self.linears(x.repeat(1, UNITS, 1)))
        return output


@pytest.fixture(scope="module")
def checkpoints() -> Path:
    folder = os.environ.get("CISLENS_REAL_DATA")
    if not folder:
        pytest.skip("needs CISLENS_REAL_DATA")
    return Path(folder) / "checkpoints"


@pytest.fixture(scope="module")
def explainn(checkpoints: Path) -> TorchOracle:
    weights = checkpoints / "explainn_remap/model_epoch_best_4.pth"
    oracle = open_oracle(ExplaiNN(), weights, outputs=CLASS_NAMES)
    assert isinstance(oracle, TorchOracle)
    return oracle


def onehot(n: int, length: int) -> np.ndarray:
    return np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (n, length))]


def test_explainn_opens_with_its_factory_and_keeps_the_contract(explainn, checkpoints: Path) -> None:
    native = ExplaiNN().eval()
    native.load_state_dict(torch.load(checkpoints / "explainn_remap/model_epoch_best_4.pth", map_location="cpu"))

    def answer(x):
        with torch.no_grad():
            return native(torch.from_numpy(x.swapaxes(1, 2).astype(np.float32))).numpy()

    assert (explainn.length, explainn.encoding.layout) == (INPUT, "4,length")
    OracleContract(explainn, onehot(6, INPUT), answer).check()


def test_the_filters_of_explainn_recognise_their_published_motifs(explainn, checkpoints: Path) -> None:
    # Consensus of the sites that excite a filter, against the published count matrix of the same filter.
    matrices = read_meme(checkpoints / "explainn_remap/explainn_filters.meme")
    kernel = explainn.weights("linears.0")["kernel"]
    assert kernel.shape == (UNITS, WIDTH, 4)
    agreements = []
    for unit, matrix in matrices.items():
        information = (matrix * np.log2(matrix / 0.25 + 1e-9)).sum()
        if matrix.shape[0] == WIDTH and information > 12:
            centred = kernel[unit] - kernel[unit].mean(1, keepdims=True)
            wanted = matrix - 0.25
            agreements.append((centred * wanted).sum() / np.sqrt((centred**2).sum() * (wanted**2).sum()))
    assert len(agreements) > 10
    # A wrong order of bases, or the wrong axis of the width, leaves correlations around zero.
    assert np.median(agreements) > 0.5


def read_meme(path: Path) -> dict[int, np.ndarray]:
    matrices: dict[int, np.ndarray] = {}
    unit, rows = None, []
    for line in [*path.read_text().splitlines(), "MOTIF"]:
        if line.startswith("MOTIF"):
            if unit is not None and rows:
                matrices[unit] = np.array(rows)
            digits = "".join(filter(str.isdigit, line.split()[1])) if len(line.split()) > 1 else ""
            unit, rows = (int(digits) if digits else None), []
        elif len(line.split()) == 4 and line.strip()[0] in "01":
            rows.append([float(value) for value in line.split()])
    return matrices


def test_the_layers_of_explainn_show_its_independent_units(explainn) -> None:
    kinds = {layer.name: layer.kind for layer in explainn.layers()}
    assert kinds["linears.0"] == "convolution"
    assert kinds["linears.6"] == kinds["linears.10"] == "dense"
    assert explainn.layer("linears.1").activation == "exp"
    assert explainn.layer("linears.0").receptive_field == WIDTH
    x = onehot(2, INPUT)
    part = explainn.subnetwork("linears.0").predict(x[:, 30 : 30 + WIDTH])["units"]
    np.testing.assert_allclose(part, explainn.activations(x, "linears.0")[:, 30], rtol=1e-4, atol=1e-5)


def test_deepstarr_answers_as_published_and_keeps_the_contract(checkpoints: Path) -> None:
    module = from_keras_h5(checkpoints / "deepstarr/deepstarr.model.h5")
    oracle = TorchOracle(module, OracleOptions(outputs=("Dev", "Hk")))
    assert (oracle.length, oracle.encoding.layout) == (LENGTH, "4,length")
    text = (checkpoints.parent / "sequences/deepstarr_enhancer.fa").read_text().split("\n", 1)[1].replace("\n", "")
    x = np.eye(4, dtype=np.uint8)[["ACGT".index(base) for base in text.upper()]][None, :LENGTH]
    # The value in the documentation of squid-nn, to its three decimals.
    assert abs(float(oracle.select("Dev").predict(x)[0, 0]) - 2.479) < 1e-3

    def answer(x):
        with torch.no_grad():
            return module(torch.from_numpy(x.swapaxes(1, 2).astype(np.float32))).numpy()

    OracleContract(oracle, onehot(6, LENGTH), answer).check()
