"""One library and seed through every framework's DeepSTARR, and through a plain function, give the same surrogate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.adapters import onnx_exports  # noqa: E402
from tests.real.deepstarr_torch import LENGTH, from_keras_h5  # noqa: E402

from cislens import FunctionOracle, MotifReport, OracleOptions, explain, open_oracle, read_sequences  # noqa: E402
from cislens_squid import Squid  # noqa: E402

pytestmark = [pytest.mark.real, pytest.mark.torch]
SQUID = Squid(library=5000, window="100-160")
KINDS = (
    pytest.param("keras", marks=pytest.mark.keras),
    pytest.param("onnx", marks=pytest.mark.onnx),
    "function",
)


@pytest.fixture(scope="module")
def checkpoint(real_data: Path) -> Path:
    return real_data / "checkpoints/deepstarr/deepstarr.model.h5"


@pytest.fixture(scope="module")
def enhancer(real_data: Path):
    return read_sequences(real_data / "sequences/deepstarr_enhancer.fa", length=LENGTH)


@pytest.fixture(scope="module")
def through_torch(checkpoint: Path, enhancer) -> MotifReport:
    return explain(open_oracle("arch:deepstarr", weights=checkpoint), enhancer, SQUID, "Dev")


@pytest.fixture
def oracle_of(checkpoint: Path, tmp_path: Path):
    def opened(kind: str):
        if kind == "keras":
            return open_oracle(checkpoint.with_suffix(".json"))
        module = from_keras_h5(checkpoint).eval()
        if kind == "function":

            def dev(x: np.ndarray) -> np.ndarray:
                with torch.no_grad():
                    given = torch.from_numpy(np.ascontiguousarray(x, np.float32)).swapaxes(1, 2)
                    return module(given)[:, 0].numpy()

            return FunctionOracle(dev, OracleOptions(length=LENGTH))
        path = tmp_path / "deepstarr.onnx"
        onnx_exports.export(module, torch.zeros(2, 4, LENGTH), path, onnx_exports.EXPORTERS[0])
        return open_oracle(path, outputs=("Dev", "Hk"))

    return opened


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_library_gives_the_same_parameters_through_every_framework(
    kind: str, oracle_of, through_torch: MotifReport, enhancer
) -> None:
    report = explain(oracle_of(kind), enhancer, SQUID, None if kind == "function" else "Dev")
    for part in ("values", "errors"):
        ours, theirs = (
            one.attributions.values if part == "values" else one.standard_errors for one in (report, through_torch)
        )
        assert np.corrcoef(ours[:, :, 100:160].ravel(), theirs[:, :, 100:160].ravel())[0, 1] > 0.999, part
    for name in ("r2_mode", "log_likelihood", "correlation_with_single_mutants"):
        ours, theirs = (one.validity.measures[name].item() for one in (report, through_torch))
        assert ours == pytest.approx(theirs, abs=0.01)


def test_a_window_of_the_enhancer_is_fitted_well_and_agrees_with_its_single_mutants(through_torch: MotifReport) -> None:
    measures = {name: values.item() for name, values in through_torch.validity.measures.items()}
    assert measures["r2_mode"] > 0.85
    assert measures["correlation_with_single_mutants"] > 0.85
    assert through_torch.validity.warnings == ()
