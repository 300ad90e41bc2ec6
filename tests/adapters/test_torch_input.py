"""How a torch oracle finds what its model wants as input, and arranges it."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.adapters import torch_models as models  # noqa: E402
from torch import nn  # noqa: E402

from cislens import OracleOptions  # noqa: E402
from cislens.errors import OracleError, SequenceError  # noqa: E402
from cislens.oracle.encoding import LAYOUTS, Encoding  # noqa: E402
from cislens_torch import TorchOracle  # noqa: E402
from cislens_torch.tensors import encode  # noqa: E402

pytestmark = pytest.mark.torch


class Turned(nn.Module):
    """A channels-first model behind another layout."""

    def __init__(self, inner: nn.Module, *order: int, squeeze: int | None = None) -> None:
        super().__init__()
        self.inner, self.order, self.squeeze = inner, order, squeeze

    def forward(self, x):
        if self.squeeze is not None:
            x = x.squeeze(self.squeeze)
            assert x.ndim == 3
        return self.inner(x.permute(*self.order))


@pytest.mark.parametrize(
    ("module", "layout", "length"),
    [
        (models.plain, "4,length", None),
        (lambda: Turned(models.plain(), 0, 2, 1), "length,4", None),
        (lambda: models.image("rows"), "1,4,length", None),
        (lambda: models.image("channels"), "4,1,length", None),
        (lambda: models.seeded(models.Residual()), "4,length", None),
        (lambda: models.seeded(models.Recurrent()), "length,4", None),
        (lambda: nn.Sequential(nn.Conv2d(1, 3, (5, 4)), nn.AdaptiveMaxPool2d(1), nn.Flatten()), "1,length,4", None),
        (lambda: nn.Sequential(nn.Conv2d(4, 3, (5, 1)), nn.AdaptiveMaxPool2d(1), nn.Flatten()), "4,length,1", None),
    ],
)
def test_the_layout_is_read_from_the_model(module, layout: str, length: int | None) -> None:
    assert TorchOracle(module(), OracleOptions(length=length)).encoding.layout == layout


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tensors_are_encoded_as_arrays_are_and_gradients_come_back_alike(layout: str) -> None:
    encoding = Encoding(layout, "GTCA", 0.25)
    x = models.sequences(3, 11).astype(np.float32)
    x[1, 4] = 0
    leaf = torch.from_numpy(x).requires_grad_()
    encoded = encode(leaf, encoding, torch.float32)
    np.testing.assert_array_equal(encoded.detach().numpy(), encoding.apply(x))
    slope = torch.from_numpy(np.random.default_rng(0).normal(size=encoded.shape).astype(np.float32))
    encoded.backward(slope)
    np.testing.assert_array_equal(leaf.grad.numpy(), encoding.undo(slope.numpy()))


def test_a_model_in_another_base_order_answers_as_its_reordered_copy() -> None:
    module = models.plain()
    other = copy.deepcopy(module)
    with torch.no_grad():
        other[0].weight.copy_(module[0].weight[:, ["ACGT".index(base) for base in "AGCT"]])
    ours = TorchOracle(module)
    theirs = TorchOracle(other, OracleOptions(base_order="AGCT"))
    x, ones = models.sequences(), {"output": np.ones((5, 2), np.float32)}
    (answers, slope), (others, other_slope) = ours.vjp(x, ones), theirs.vjp(x, ones)
    np.testing.assert_allclose(others["output"], answers["output"], atol=1e-5)
    np.testing.assert_allclose(other_slope, slope, atol=1e-5)
    np.testing.assert_array_equal(ours.weights("0")["kernel"], theirs.weights("0")["kernel"])


def test_n_is_what_the_model_wants_it_to_be() -> None:
    module, x = models.plain(), models.sequences()
    x[:, 20:30] = 0
    relaxed = x.astype(np.float32)
    relaxed[:, 20:30] = 0.25
    wanted = TorchOracle(module).predict(relaxed)["output"]
    np.testing.assert_allclose(TorchOracle(module, OracleOptions(n_value=0.25)).predict(x)["output"], wanted, atol=1e-6)


@pytest.mark.parametrize("length", [8, 37, 64, 249, 777, 1344, 5_000, 50_021])
def test_the_length_of_a_dense_layer_is_found(length: int) -> None:
    net = nn.Sequential(nn.Conv1d(4, 2, 5), nn.ReLU(), nn.Flatten(), nn.Linear(2 * (length - 4), 1))
    assert TorchOracle(net).length == length


@pytest.mark.parametrize("length", [249, 200, 1000, 80])
def test_of_lengths_that_pools_round_alike_the_published_or_else_the_roundest_is_taken(length: int) -> None:
    # After four pools of two, 16 lengths leave as many positions.
    pools = [layer for _ in range(4) for layer in (nn.Conv1d(4, 4, 3, padding=1), nn.MaxPool1d(2))]
    net = nn.Sequential(*pools, nn.Flatten(), nn.Linear(4 * (length // 16), 1))
    assert TorchOracle(net).length == length


def test_a_length_that_the_code_fixes_is_found() -> None:
    class Viewed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv1d(4, 3, 5), nn.Linear(3 * 96, 1)

        def forward(self, x):
            return self.last(self.first(x).view(-1, 3 * 96))

    assert TorchOracle(Viewed()).length == 100


def test_a_model_of_any_length_takes_any_length() -> None:
    oracle = TorchOracle(models.seeded(models.Residual()))
    assert oracle.length is None
    for length in (50, 333):
        assert oracle.predict(models.sequences(2, length))["profile"].shape == (2, 1, length)


def test_another_length_is_refused_with_the_options() -> None:
    with pytest.raises(SequenceError, match=r"takes sequences of 249 bp, got 60.*crop-center"):
        TorchOracle(models.plain(249)).predict(models.sequences(2, 60))


def test_a_model_that_takes_every_layout_asks_for_one() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4 * 50, 1))
    with pytest.raises(OracleError, match=r"as '4,length' and 'length,4' alike: state which with --layout"):
        TorchOracle(net, OracleOptions(length=50))
    assert TorchOracle(net, OracleOptions(layout="length,4")).length == 50


def test_a_model_that_takes_no_dna_says_what_was_tried() -> None:
    with pytest.raises(OracleError, match=r"failed at each layout and length.*--input-length"):
        TorchOracle(nn.Conv1d(20, 3, 5))


def test_probing_moves_neither_the_models_weights_nor_its_state() -> None:
    module = models.plain().train()
    before = copy.deepcopy(module.state_dict())
    TorchOracle(module)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert module.training
