"""Models of any input length that answer for each position, and profiles of both strands."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.adapters import torch_models as models  # noqa: E402
from torch import nn  # noqa: E402

from cislens import Sequences, explain, open_oracle  # noqa: E402
from cislens.errors import TargetError  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402

pytestmark = pytest.mark.torch
CROPPED = 12  # positions that the splicing model cuts off at either end
RNG = np.random.default_rng(4)


class Splicing(nn.Module):
    """Dilated residual convolutions, cropped, and three probabilities for each position: neither, acceptor, donor."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 8, 1)
        self.blocks = nn.ModuleList(nn.Conv1d(8, 8, 3, dilation=d, padding=d) for d in (1, 4))
        self.last = nn.Conv1d(8, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + torch.tanh(block(x))
        return torch.softmax(self.last(x[:, :, CROPPED:-CROPPED]), dim=1)


class Profile(nn.Module):
    """Logits of a profile on two strands over the middle of the sequence, and log counts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 7, padding=3)
        self.profile = nn.Conv1d(6, 2, 5)
        self.counts = nn.Linear(6, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.relu(self.conv(x))
        return self.profile(x[:, :, 8:-8]), self.counts(x.mean(2))


@pytest.fixture(scope="module")
def splicing():
    return open_oracle(models.seeded(Splicing()), heads=("sites",), scales={"sites": "probability"})


@pytest.fixture(scope="module")
def profile():
    options = {"length": 60, "heads": ("profile", "counts"), "scales": {"counts": "log"}}
    return lambda **more: open_oracle(
        models.seeded(Profile()), axes={"profile": ("strand", "position")}, **options, **more
    )


def sequences(n: int, length: int) -> np.ndarray:
    return np.eye(4, dtype=np.uint8)[RNG.integers(0, 4, (n, length))]


def test_a_model_of_any_length_has_a_profile_that_grows_with_the_input(splicing) -> None:
    (head,) = splicing.heads
    assert splicing.length is None
    assert (head.shape, head.axes) == ((3, None), ("output", "position"))
    assert (head.offset, head.bin_width) == (CROPPED, 1)
    for length in (60, 333):
        assert splicing.predict(sequences(2, length))["sites"].shape == (2, 3, length - 2 * CROPPED)


@pytest.mark.parametrize("length", [60, 97])
def test_the_map_of_one_position_lies_where_that_position_sees(splicing, length: int) -> None:
    x = sequences(2, length)
    report = explain(splicing, Sequences.from_onehot(x), "saliency:correct=no", "sites/2:bp=30")
    values = report.attributions.values[0]
    sees = np.flatnonzero(np.abs(values).sum((0, 2)))
    assert sees.min() == 30 - 5
    assert sees.max() == 30 + 5
    named = splicing.select("sites/2:position=18").gradient(x)[1]
    np.testing.assert_allclose(values, named[0], atol=1e-7)


def test_a_bp_that_was_cropped_away_is_told(splicing) -> None:
    with pytest.raises(TargetError, match="covers bp 12 and on of the input, got bp 5"):
        splicing.select("sites/1:bp=5")


def test_the_contract_holds_at_a_length_that_was_never_probed(splicing) -> None:
    OracleContract(splicing, sequences(3, 71)).check()


def test_a_reverse_complement_average_flips_positions_and_swaps_strands(profile) -> None:
    x = sequences(3, 60)
    plain, averaged = profile(), profile(reverse_complement=True)
    given, turned = plain.predict(x), plain.predict(x[:, ::-1, ::-1])
    came = averaged.predict(x)
    np.testing.assert_allclose(came["profile"], (given["profile"] + turned["profile"][:, ::-1, ::-1]) / 2, atol=1e-6)
    np.testing.assert_allclose(came["counts"], (given["counts"] + turned["counts"]) / 2, atol=1e-6)


@pytest.mark.parametrize("target", ["profile:contribution", "counts", "profile:counts"])
def test_profile_and_counts_targets_give_the_same_map_on_both_strands_of_an_average(profile, target: str) -> None:
    x = np.concatenate([sequences(4, 60)] * 2)
    x[4:] = x[4:, ::-1, ::-1]
    report = explain(profile(reverse_complement=True), Sequences.from_onehot(x), "saliency:correct=no", target)
    values = report.attributions.values[0]
    np.testing.assert_allclose(values[4:], values[:4, ::-1, ::-1], atol=1e-6)


def test_the_average_keeps_the_contract_of_oracles(profile) -> None:
    OracleContract(profile(reverse_complement=True), sequences(3, 60)).check()


def test_a_principal_component_over_positions_and_strands_is_fitted_and_kept(profile) -> None:
    x = Sequences.from_onehot(sequences(4, 60))
    report = explain(profile(), x, "saliency", "profile:pc1")
    assert np.abs(report.attributions.values).max() > 0
    (target,) = report.provenance.targets
    assert len(target["component"]["direction"]) == 2 * 40
