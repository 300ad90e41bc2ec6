from __future__ import annotations

import pytest

from cislens.errors import CislensError
from cislens_reference_models import BassetLike, BpnetLike, ResidualNetwork, StandardCnn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


def shapes(network) -> dict[str, tuple[int, ...]]:
    return {name: tuple(weight.shape) for name, weight in network.named_parameters()}


def test_the_standard_cnn_has_the_layers_of_the_supplement() -> None:
    held = shapes(StandardCnn(filters=8, width=10).network(500, 1))
    assert held["convolution1.weight"] == (8, 4, 10)
    assert held["convolution2.weight"] == held["convolution3.weight"] == (8, 8, 5)
    # 500 - 9 - 4 - 4 = 483 positions make 12 windows of 40.
    assert held["dense4.weight"] == (10, 12 * 8)
    assert held["dense5.weight"] == (5, 10)
    assert held["output.weight"] == (1, 5)
    convolutions = (4 * 10 + 1) * 8 + 2 * (8 * 5 + 1) * 8
    dense = (96 + 1) * 10 + (10 + 1) * 5 + (5 + 1)
    normalisations = 2 * (3 * 8 + 10 + 5)
    assert sum(torch.Size(shape).numel() for shape in held.values()) == convolutions + dense + normalisations


@pytest.mark.parametrize("trainer", [StandardCnn(), ResidualNetwork(), BassetLike(), BpnetLike()])
@pytest.mark.parametrize("outputs", [1, 3])
def test_each_network_gives_a_value_for_each_output(trainer, outputs: int) -> None:
    network = trainer.network(200, outputs).eval()
    assert network(torch.zeros(2, 4, 200)).shape == (2, outputs)


@pytest.mark.parametrize("trainer", [StandardCnn(), ResidualNetwork(), BassetLike(), BpnetLike()])
def test_sequences_too_short_for_a_network_are_a_sentence(trainer) -> None:
    with pytest.raises(CislensError, match=f"{trainer.name} needs sequences of [0-9]+ bp at least, got 8"):
        trainer.network(8, 1)


def test_the_residual_network_answers_wherever_a_motif_stands() -> None:
    torch.manual_seed(0)
    network = ResidualNetwork(channels=8, blocks=2).network(200, 1).eval()
    motif = torch.eye(4)[torch.arange(20) % 4].T
    answers = []
    for start in (60, 90, 120):
        x = torch.zeros(1, 4, 200)
        x[0, :, start : start + 20] = motif
        answers.append(float(network(x).detach()))
    assert answers[0] == pytest.approx(answers[1], abs=1e-5)
    assert answers[1] == pytest.approx(answers[2], abs=1e-5)
