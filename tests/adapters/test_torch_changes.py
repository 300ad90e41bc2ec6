"""Oracles made from a torch oracle: subnetworks, interventions, randomised weights, logits."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from tests.adapters import torch_models as models  # noqa: E402
from torch import nn  # noqa: E402

from cislens import OracleOptions  # noqa: E402
from cislens.errors import CapabilityError, OracleError  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402
from cislens_torch import TorchOracle  # noqa: E402

pytestmark = pytest.mark.torch


def opened(module, **options) -> TorchOracle:
    return TorchOracle(module, OracleOptions(**{"length": models.LENGTH, **options}))


class Uneven(nn.Module):
    """Even kernels and shortcuts around strided and padded pools, whose branches start at different places."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv1d(4, 6, 8, padding="same")
        self.narrow = nn.Conv1d(4, 6, 1)
        self.pool = nn.MaxPool1d(2)
        self.inner = nn.Conv1d(6, 6, 4, padding="same")
        self.down = nn.Conv1d(6, 6, 5, stride=2, padding=2)
        self.side = nn.Conv1d(6, 6, 1, stride=2)
        self.last = nn.Linear(6, 1)

    def forward(self, x):
        x = F.relu(self.wide(x)) + self.narrow(x)
        x = self.pool(x)
        x = torch.cat([x, x - F.relu(self.inner(x))], 1)[:, 3:9]
        x = F.relu(self.down(x)) * self.side(x)
        return self.last(x[:, :, ::2].mean(-1))


ZOO = {
    "plain": models.plain,
    "residual": lambda: models.seeded(models.Residual()),
    "pooled": lambda: models.seeded(models.Pooled()),
    "uneven": lambda: models.seeded(Uneven()),
    "units": lambda: models.seeded(models.Units()),
    "rows": lambda: models.image("rows"),
    "channels": lambda: models.image("channels"),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("name", list(ZOO))
def test_a_subnetwork_equals_the_activations_at_every_position_inside_the_sequence(name: str) -> None:
    oracle = opened(ZOO[name](), precision="float64")
    x = models.sequences(3, seed=4)
    compared = 0
    for layer in oracle.layers():
        if layer.receptive_field is None or layer.kind == "input":
            continue
        values = oracle.activations(x, layer.name)
        part = oracle.subnetwork(layer.name)
        assert part.length == layer.receptive_field
        for position in range(values.shape[1]):
            start = layer.offset + position * layer.step
            if start < 0 or start + part.length > models.LENGTH:
                continue
            came = part.predict(x[:, start : start + part.length])["units"]
            # The same sums of float64 products, in another order.
            np.testing.assert_allclose(came, values[:, position], rtol=1e-10, atol=1e-10, err_msg=layer.name)
            compared += 1
    assert compared > 100


def test_a_subnetwork_keeps_the_contract_with_gradients() -> None:
    part = opened(models.seeded(models.Residual()), precision="float64").subnetwork("trunk.2")
    assert {"predict", "linearize"} <= part.capabilities
    OracleContract(part, models.sequences(4, part.length)).check()


def test_a_layer_that_reads_absolute_positions_has_no_subnetwork() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(4, 3, 5, padding=2)
            self.place = nn.Parameter(torch.ones(3, models.LENGTH))
            self.second = nn.Conv1d(3, 3, 3, padding=1)

        def forward(self, x):
            return self.second(self.first(x) + self.place).amax(-1)

    oracle = opened(models.seeded(Positions()))
    assert oracle.subnetwork("first").length == 5
    with pytest.raises(CapabilityError, match="absolute positions"):
        oracle.subnetwork("second")


def test_a_layer_beside_one_that_needs_the_whole_sequence_has_a_subnetwork() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.whole = nn.Linear(4 * models.LENGTH, 3)
            self.local = nn.Conv1d(4, 3, 5)

        def forward(self, x):
            return self.whole(x.flatten(1)), self.local(x).amax(-1)

    oracle = opened(models.seeded(Two()), layout="4,length")
    x = models.sequences(2)
    np.testing.assert_allclose(
        oracle.subnetwork("local").predict(x[:, 10:15])["units"], oracle.activations(x, "local")[:, 10], atol=1e-6
    )


def test_code_that_fixes_the_length_is_refused_with_the_reason() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv1d(4, 3, 5), nn.Conv1d(3, 3, 3)

        def forward(self, x):
            assert x.shape[2] == models.LENGTH, "wrong length"
            return self.second(self.first(x)).amax(-1)

    with pytest.raises(CapabilityError, match=r"windows of its receptive field \(7 bp\).*wrong length"):
        opened(models.seeded(Fixed())).subnetwork("second")


def test_holding_a_unit_at_zero_equals_zeroing_its_filter_by_hand() -> None:
    module = models.plain()
    x = models.sequences()
    edited = copy.deepcopy(module).eval()
    with torch.no_grad():
        edited[4].weight[2] = 0
        edited[4].bias[2] = 0
        wanted = edited(torch.from_numpy(x.swapaxes(1, 2).astype(np.float32))).numpy()
    oracle = opened(module)
    before = oracle.predict(x)["output"]
    held = oracle.intervene({"4": {2: 0.0}})
    np.testing.assert_allclose(held.predict(x)["output"], wanted, atol=1e-5)
    np.testing.assert_array_equal(oracle.predict(x)["output"], before)
    assert not np.allclose(before, wanted)


@pytest.mark.parametrize("name", ["residual", "pooled", "plain", "units"])
def test_an_intervened_oracle_keeps_the_contract(name: str) -> None:
    oracle = opened(ZOO[name]())
    # Not one with a ReLU: the contract expects its own values after it, which are held at others here.
    kinds = ("convolution", "add")
    layer = next(layer for layer in oracle.layers() if layer.kind in kinds and layer.activation is None).name
    held = oracle.intervene({layer: {0: 0.5, 2: -1.0}})
    assert held.capabilities == oracle.capabilities
    OracleContract(held, models.sequences(4)).check()


def test_interventions_add_up_and_hold_values_after_the_nonlinearity() -> None:
    oracle = opened(models.plain())
    held = oracle.intervene({"1": {0: 3.0}}).intervene({"1": {1: -2.0}})
    values = held.activations(models.sequences(), "1", pre=False)
    assert (values[..., 0] == 3.0).all()
    assert (values[..., 1] == -2.0).all()
    assert (values[..., 2:] >= 0).all()


def test_a_held_unit_passes_no_gradient() -> None:
    oracle = opened(models.seeded(models.Residual()))
    all_held = oracle.intervene({"first": dict.fromkeys(range(8), 1.0)})
    _, gradient = all_held.vjp(models.sequences(2), {"counts": np.ones((2, 1), np.float32)})
    assert not gradient.any()


def test_a_value_that_is_changed_in_place_unseen_is_held_all_the_same() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(4, 3, 5)

        def forward(self, x):
            y = self.first(x)
            y.relu_()
            return y.mean(-1)

    held = opened(models.seeded(Net())).intervene({"first": {1: 0.25}})
    np.testing.assert_allclose(held.predict(models.sequences())["output"][:, 1], 0.25, atol=1e-6)


def test_units_of_the_input_cannot_be_held() -> None:
    with pytest.raises(CapabilityError, match="edit the sequences instead"):
        opened(models.plain()).intervene({"input": {0: 0.0}})


def test_randomised_weights_are_the_same_numbers_elsewhere_and_the_model_keeps_its_own() -> None:
    module = models.plain()
    oracle, x = opened(module), models.sequences()
    before, weights = oracle.predict(x)["output"], copy.deepcopy(module.state_dict())
    new = oracle.randomised("4", np.random.default_rng(0))
    assert not np.allclose(new.predict(x)["output"], before)
    for name in ("kernel", "bias"):
        np.testing.assert_array_equal(
            np.sort(new.weights("4")[name].ravel()), np.sort(oracle.weights("4")[name].ravel())
        )
    np.testing.assert_array_equal(new.weights("0")["kernel"], oracle.weights("0")["kernel"])
    np.testing.assert_array_equal(oracle.predict(x)["output"], before)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, weights[name])
    again = oracle.randomised("4", np.random.default_rng(0))
    np.testing.assert_array_equal(again.predict(x)["output"], new.predict(x)["output"])


def test_weights_behind_a_parametrisation_are_randomised() -> None:
    layer = torch.nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 3, 5))
    net = models.seeded(nn.Sequential(layer, nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(3, 1)))
    oracle = opened(net)
    new = oracle.randomised("0", np.random.default_rng(0))
    assert not np.allclose(new.weights("0")["kernel"], oracle.weights("0")["kernel"])


def test_a_layer_without_weights_cannot_be_randomised() -> None:
    with pytest.raises(OracleError, match="'3' has no weights to shuffle: choose one of 0, 1, 4, 8"):
        opened(models.plain()).randomised("3", np.random.default_rng(0))


def test_logits_are_what_goes_into_the_sigmoid_also_where_it_saturates() -> None:
    module = models.image("rows")
    with torch.no_grad():
        module[5].bias += 80
    oracle, x = opened(module), models.sequences()
    with torch.no_grad():
        wanted = module[:6](torch.from_numpy(x.swapaxes(1, 2)[:, None].astype(np.float32))).numpy()
    opened_up = oracle.logits(["output"])
    assert (oracle.predict(x)["output"] == 1).all()
    np.testing.assert_allclose(opened_up.predict(x)["output"], wanted, rtol=1e-5)
    assert opened_up.heads[0].scale == "logit"
    _, gradient = opened_up.vjp(x, {"output": np.ones((5, 1), np.float32)})
    assert np.abs(gradient).max() > 0


@pytest.mark.parametrize(
    "last", [nn.Softmax(-1), nn.Sequential(nn.Sigmoid(), nn.ReLU()), nn.Identity()], ids=["softmax", "inner", "none"]
)
def test_logits_are_declined_without_a_last_sigmoid(last) -> None:
    net = nn.Sequential(nn.Conv1d(4, 3, 5), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(3, 2), last)
    oracle = opened(models.seeded(net), scales={"output": "probability"})
    assert "logits" not in oracle.capabilities
    assert "does not end in a sigmoid of its own" in oracle.why_not("logits")
