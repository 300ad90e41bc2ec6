"""DeepSTARR in every kind of file that torch writes answers, and is explained, as the module itself."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.real.deepstarr_torch import LENGTH, deepstarr, from_keras_h5  # noqa: E402

from cislens import Sequences, explain, open_oracle  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402
from cislens_torch import TorchOracle  # noqa: E402

pytestmark = [pytest.mark.real, pytest.mark.torch]
SCRIPTED, TRACED = "TorchScript, scripted", "TorchScript, traced"
EXPORTED = {"pt2, one sequence": (1, None), "pt2, eight sequences": (8, None), "pt2, any batch": (3, {0: "n"})}
KINDS = (SCRIPTED, TRACED, *EXPORTED)


@pytest.fixture(scope="module")
def module() -> Any:
    folder = os.environ.get("CISLENS_REAL_DATA")
    if not folder:
        pytest.skip("needs CISLENS_REAL_DATA")
    return from_keras_h5(Path(folder) / "checkpoints/deepstarr/deepstarr.model.h5")


@pytest.fixture(scope="module")
def folder(module: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deepstarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module).save(folder / f"{SCRIPTED}.pt")
        torch.jit.trace(module, torch.zeros(2, 4, LENGTH)).save(folder / f"{TRACED}.pt")
        for kind, (rows, free) in EXPORTED.items():
            shapes = ({axis: torch.export.Dim(name) for axis, name in free.items()},) if free else None
            program = torch.export.export(module, (torch.zeros(rows, 4, LENGTH),), dynamic_shapes=shapes)
            torch.export.save(program, folder / f"{kind}.pt2")
    torch.save(module, folder / "whole.pt")
    return folder


def opened(folder: Path, kind: str) -> Any:
    return open_oracle(folder / f"{kind}{'.pt2' if kind in EXPORTED else '.pt'}", outputs=("Dev", "Hk"))


def onehot(n: int) -> Any:
    return np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (n, LENGTH))]


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_and_maps_are_those_of_the_module(kind: str, folder: Path, module: Any) -> None:
    oracle, reference = opened(folder, kind), TorchOracle(module)
    assert oracle.length == LENGTH
    assert oracle.fixed_batch is None
    x = onehot(11)
    found, wanted = oracle.predict(x)["output"], reference.predict(x)["output"]
    assert np.abs(found - wanted).max() <= 1e-5 * max(1, np.abs(wanted).max())
    for output in range(2):
        cotangent = {"output": np.eye(2, dtype=np.float32)[[output] * len(x)]}
        ours, theirs = (one.linearize(x)[1](cotangent) for one in (oracle, reference))
        assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


@pytest.mark.parametrize("kind", KINDS)
def test_saliency_is_that_of_the_module(kind: str, folder: Path, module: Any) -> None:
    sequences = Sequences.from_onehot(onehot(3))
    reference = open_oracle(module, outputs=("Dev", "Hk"))
    ours, theirs = (
        explain(one, sequences, "saliency", "Dev").attributions.values for one in (opened(folder, kind), reference)
    )
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


@pytest.mark.parametrize("kind", [TRACED, "pt2, eight sequences"])
def test_the_contract_holds(kind: str, folder: Path, module: Any) -> None:
    def answer(x: Any) -> Any:
        with torch.no_grad():
            return module(torch.from_numpy(x.swapaxes(1, 2).astype(np.float32))).numpy()

    OracleContract(opened(folder, kind), onehot(6), answer).check()


@pytest.mark.parametrize("kind", EXPORTED)
def test_an_exported_program_shows_the_layers_of_the_module(kind: str, folder: Path, module: Any) -> None:
    oracle = opened(folder, kind)
    assert oracle.layers() == TorchOracle(module).layers()
    assert oracle.layer("trunk.0").receptive_field == 7
    part = oracle.subnetwork("trunk.8").predict(onehot(4)[:, : oracle.layer("trunk.8").receptive_field])["units"]
    wanted = TorchOracle(module).subnetwork("trunk.8").predict(onehot(4)[:, : oracle.layer("trunk.8").receptive_field])
    np.testing.assert_allclose(part, wanted["units"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("file", ["whole.pt", f"{SCRIPTED}.pt", "pt2, any batch.pt2"])
def test_the_tensors_of_every_kind_open_for_a_factory(file: str, folder: Path, module: Any) -> None:
    x = onehot(3)
    found = open_oracle(deepstarr(), folder / file).predict(x)["output"]
    np.testing.assert_allclose(found, TorchOracle(module).predict(x)["output"], rtol=1e-5, atol=1e-5)
