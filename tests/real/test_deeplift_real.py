"""DeepLIFT/SHAP of DeepSTARR: the same through torch, through Keras, and through tangermeme called directly."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tangermeme")

from tangermeme.deep_lift_shap import deep_lift_shap  # noqa: E402
from tests.real.deepstarr_torch import LENGTH, OUTPUTS, from_keras_h5  # noqa: E402

from cislens import Sequences, explain, open_oracle  # noqa: E402
from cislens.backgrounds import parse_background  # noqa: E402
from cislens.context import stream  # noqa: E402
from cislens_deeplift import DeepLiftShap  # noqa: E402

pytestmark = [pytest.mark.real, pytest.mark.torch]
REFERENCES = 20
SEED = 5


@pytest.fixture(scope="module")
def sequences() -> Sequences:
    return Sequences.from_onehot(np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (3, LENGTH))])


@pytest.fixture(scope="module")
def module(real_data):
    return from_keras_h5(real_data / "checkpoints/deepstarr/deepstarr.model.h5")


@pytest.fixture(scope="module")
def report(module, sequences):
    return explain(open_oracle(module, outputs=OUTPUTS), sequences, DeepLiftShap(), list(OUTPUTS), seed=SEED)


def by_tangermeme(module, sequences: Sequences, output: int) -> np.ndarray:
    """Return the hypothetical contributions that tangermeme gives with the references that a run draws."""
    background = parse_background("dinucleotide")
    drawn = [
        background.sample(x[None], REFERENCES, stream(SEED, "deeplift_shap", name))[0]
        for x, name in zip(sequences.onehot, sequences.hashes(), strict=True)
    ]
    x, references = (
        torch.from_numpy(np.ascontiguousarray(part.swapaxes(-1, -2), np.float32))
        for part in (sequences.onehot, np.stack(drawn))
    )
    maps = deep_lift_shap(module, x, target=output, references=references, hypothetical=True, device="cpu")
    return maps.numpy().swapaxes(1, 2)


@pytest.mark.parametrize("output", range(len(OUTPUTS)))
def test_contributions_are_those_of_tangermeme_called_directly(report, module, sequences, output: int) -> None:
    expected = by_tangermeme(module, sequences, output)
    ours = report.attributions.values[output]
    assert np.abs(ours - expected).max() <= 1e-5 * np.abs(expected).max()


def test_contributions_add_up_and_the_module_itself_is_explained(report) -> None:
    assert np.abs(report.validity.measures["convergence delta"]).max() < 1e-4
    assert report.validity.summary == {"torch twin": 0}
    assert not report.validity.warnings


@pytest.mark.keras
def test_keras_and_torch_give_the_same_contributions(report, sequences, real_data) -> None:
    oracle = open_oracle(real_data / "checkpoints/deepstarr/deepstarr.model.json")
    through_twin = explain(oracle, sequences, DeepLiftShap(), list(OUTPUTS), seed=SEED)
    for ours, theirs in zip(through_twin.attributions.values, report.attributions.values, strict=True):
        assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()
    assert np.abs(through_twin.validity.measures["convergence delta"]).max() < 1e-4
    assert through_twin.validity.summary == {"torch twin": 1}


def test_the_convolutions_of_explainn_are_explained_completely(real_data) -> None:
    weights = real_data / "checkpoints/explainn_remap/model_epoch_best_4.pth"
    oracle = open_oracle("arch:explainn@torch", weights)
    sequences = Sequences.from_onehot(
        np.eye(4, dtype=np.uint8)[np.random.default_rng(1).integers(0, 4, (2, oracle.length))]
    )
    report = explain(oracle, sequences, DeepLiftShap(), "classes/0")
    assert np.abs(report.validity.measures["convergence delta"]).max() < 1e-4
