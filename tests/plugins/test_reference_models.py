"""The reference models' networks: the sizes that their papers give, and what each can see."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from cislens import open_oracle  # noqa: E402
from cislens.errors import CislensError  # noqa: E402
from cislens.plugins import registry  # noqa: E402
from cislens_reference_models import BassetLike, BpnetLike, ResidualNetwork, StandardCnn  # noqa: E402
from cislens_reference_models.networks import POOLED  # noqa: E402

pytestmark = pytest.mark.torch
NAMES = ("basset_like", "bpnet_like", "residual_network", "standard_cnn")


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def of_kind(network: nn.Module, kind: type[Any]) -> list[Any]:
    return [module for module in network.modules() if isinstance(module, kind)]


def reached(gradient: torch.Tensor) -> np.ndarray:
    """Return the positions of (n, 4, length) at which a gradient is not zero."""
    return np.flatnonzero(gradient.abs().sum((0, 1)).numpy())


def test_the_reference_models_are_registered() -> None:
    assert set(NAMES) <= set(registry().trainers)


def test_registering_them_imports_no_torch() -> None:
    program = "import sys, cislens_reference_models as m; m.register_trainers(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).parent).returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_network_gives_a_value_for_each_output(name: str) -> None:
    network = registry().trainers[name]().network(100, 3)
    assert network(torch.zeros(2, 4, 100)).shape == (2, 3)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_sees_every_position_but_what_its_windows_leave_over(name: str) -> None:
    length = 120
    torch.manual_seed(1)
    network = registry().trainers[name]().network(length, 1).eval()
    x = torch.randn(256, 4, length, requires_grad=True)
    network(x).square().sum().backward()
    left_over = (length - 17) % POOLED if name == "standard_cnn" else 0
    np.testing.assert_array_equal(reached(x.grad), np.arange(length - left_over))


# ---- the standard CNN, ARGMINN's supplement C.2 ---------------------------------------------------------------


def test_the_standard_cnn_has_the_layers_of_the_supplement() -> None:
    network = StandardCnn().network(500, 1)
    shapes = [tuple(layer.weight.shape) for layer in of_kind(network, nn.Conv1d)]
    assert shapes == [(8, 4, 10), (8, 8, 5), (8, 8, 5)]
    assert [pool.kernel_size for pool in of_kind(network, nn.MaxPool1d)] == [40]
    # 500 - 9 - 4 - 4 = 483 positions hold 12 windows of 40 bp.
    assert [tuple(layer.weight.shape) for layer in of_kind(network, nn.Linear)] == [(10, 12 * 8), (5, 10), (1, 5)]
    # Every layer but the last is followed by ReLU and then by batch normalisation.
    kinds = [type(module).__name__ for module in network if not isinstance(module, nn.MaxPool1d | nn.Flatten)]
    assert kinds == ["Conv1d", "ReLU", "BatchNorm1d"] * 3 + ["Linear", "ReLU", "BatchNorm1d"] * 2 + ["Linear"]


def test_the_standard_cnn_of_500_bp_has_the_parameters_counted_by_hand() -> None:
    convolutions = (4 * 10 * 8 + 8) + 2 * (8 * 5 * 8 + 8)
    dense = (8 * 12 * 10 + 10) + (10 * 5 + 5) + (5 * 1 + 1)
    normalisations = 2 * (8 + 8 + 8 + 10 + 5)
    assert parameters(StandardCnn().network(500, 1)) == convolutions + dense + normalisations == 2_093


def test_the_standard_cnn_of_filters_of_15_bp_has_one_window_less() -> None:
    # 5 bp more of each filter, and 478 positions, of which one window of 40 bp less.
    assert parameters(StandardCnn(width=15).network(500, 1)) == 2_093 + 4 * 5 * 8 - 8 * 10


@pytest.mark.parametrize("width", [10, 15])
def test_the_standard_cnn_needs_one_window(width: int) -> None:
    shortest = (width - 1) + 2 * 4 + POOLED
    assert StandardCnn(width=width).network(shortest, 1)(torch.zeros(2, 4, shortest)).shape == (2, 1)
    with pytest.raises(CislensError, match=f"needs sequences of {shortest} bp at least, got {shortest - 1}"):
        StandardCnn(width=width).network(shortest - 1, 1)


# ---- the others -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [1, 3, 4])
def test_the_receptive_field_of_the_residual_network_is_that_of_its_convolutions(blocks: int) -> None:
    network = ResidualNetwork(width=13, pool=5, blocks=blocks).network(400, 1).eval()
    # A convolution of 3 adds twice its dilation, in windows of 5 bp: each block has one of 1, 2, 4, ... and one of 1.
    field = 13 + 4 + 5 * sum(2 * 2**number + 2 for number in range(blocks))
    layers = open_oracle(network, layout="4,length", length=400).layers()
    assert max(layer.receptive_field for layer in layers if layer.kind == "convolution") == field
    # By what really changes the values before the maximum over positions, of more sequences than windows have places.
    x = torch.randn(64, 4, 400, requires_grad=True)
    network[: 2 + blocks](x)[:, :, 40].sum().backward()
    seen = reached(x.grad)
    assert seen[-1] - seen[0] + 1 == field


def test_the_residual_network_answers_alike_wherever_a_motif_stands() -> None:
    network = ResidualNetwork().network(200, 1).eval()
    codes = np.zeros((2, 200), int)
    codes[0, 80:88] = codes[1, 110:118] = [2, 0, 3, 3, 0, 1, 0, 3]
    with torch.no_grad():
        one, other = network(torch.from_numpy(np.eye(4, dtype=np.float32)[codes]).transpose(1, 2)).numpy()
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_residual_block_adds_to_its_input() -> None:
    block = ResidualNetwork(blocks=1).network(50, 1).eval().block1
    with torch.no_grad():
        for parameter in block.body[-1].parameters():
            parameter.zero_()
        x = torch.randn(2, 32, 50)
        torch.testing.assert_close(block(x), x)


def test_the_dilations_of_the_bpnet_like_network_double_from_2() -> None:
    first, *dilated = of_kind(BpnetLike(layers=5).network(200, 1), nn.Conv1d)
    assert (first.kernel_size[0], first.dilation[0]) == (21, 1)
    assert [layer.dilation[0] for layer in dilated] == [2, 4, 8, 16, 32]
    assert {layer.kernel_size[0] for layer in dilated} == {3}


def test_the_basset_like_network_has_bassets_widths_and_pools() -> None:
    network = BassetLike(dropout=0.25).network(600, 164)
    assert [layer.kernel_size[0] for layer in of_kind(network, nn.Conv1d)] == [19, 11, 7]
    assert [layer.kernel_size for layer in of_kind(network, nn.MaxPool1d)] == [3, 4, 4]
    assert [layer.p for layer in of_kind(network, nn.Dropout)] == [0.25]
    dense = of_kind(network, nn.Linear)
    assert dense[0].in_features == 64 * (600 // 3 // 4 // 4)
    assert all(one.out_features == other.in_features for one, other in pairwise(dense))


@pytest.mark.parametrize(("trainer", "least"), [(BassetLike, 48), (BpnetLike, 21), (ResidualNetwork, 13)])
def test_the_shortest_sequences_are_told(trainer: type[Any], least: int) -> None:
    assert trainer().network(least, 1)(torch.zeros(2, 4, least)).shape == (2, 1)
    with pytest.raises(CislensError, match=f"{trainer.name} needs sequences of {least} bp at least, got {least - 1}"):
        trainer().network(least - 1, 1)
