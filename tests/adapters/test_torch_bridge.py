"""Any oracle as a function of torch tensors."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.adapters import torch_models as models  # noqa: E402

from cislens import FunctionOracle, OracleOptions  # noqa: E402
from cislens.errors import CapabilityError, OracleError  # noqa: E402
from cislens.oracle import Oracle  # noqa: E402
from cislens.testing import bundled_toys  # noqa: E402
from cislens_torch import TorchOracle, bridge  # noqa: E402

pytestmark = pytest.mark.torch


class Behind(Oracle):
    """A torch oracle that is asked through numpy, as one of another framework is."""

    def __init__(self, oracle: TorchOracle) -> None:
        self.dtype, self.oracle = oracle.dtype, oracle
        super().__init__(oracle.name, oracle.heads, oracle.length)

    def _predict(self, x):
        return self.oracle._predict(x)

    def _linearize(self, x):
        return self.oracle._linearize(x)


TARGETS = ["profile:max", "profile:mean", "profile:contribution", "profile:window=3-9:sum", "counts"]


@pytest.fixture
def module():
    return models.seeded(models.Residual())


def relaxed(n: int = 4) -> torch.Tensor:
    x = np.random.default_rng(2).dirichlet(np.ones(4), size=(n, models.LENGTH))
    return torch.tensor(x, dtype=torch.float32, requires_grad=True)


@pytest.mark.parametrize("numpy_side", [False, True], ids=["torch", "numpy"])
def test_heads_and_gradients_are_those_of_the_native_model_and_count_alike(module, numpy_side: bool) -> None:
    x, other = relaxed(), relaxed()
    whole = TorchOracle(module, OracleOptions(length=models.LENGTH))
    oracle = Behind(whole) if numpy_side else whole
    wanted = copy.deepcopy(module).eval()(other.transpose(1, 2))
    came = bridge(oracle)(x)
    assert set(came) == {"profile", "counts"}
    for name, value in wanted.items():
        assert torch.allclose(came[name], value, atol=1e-5)
    sum((value**2).sum() for value in wanted.values()).backward()
    sum((value**2).sum() for value in came.values()).backward()
    assert torch.allclose(x.grad, other.grad, atol=1e-5 * float(other.grad.abs().max()))
    assert (oracle.counts.predictions, oracle.counts.pullbacks) == (4, 4)


@pytest.mark.parametrize("numpy_side", [False, True], ids=["torch", "numpy"])
def test_targets_and_their_gradients_are_those_of_the_oracle(module, numpy_side: bool) -> None:
    whole = TorchOracle(module, OracleOptions(length=models.LENGTH))
    targeted = (Behind(whole) if numpy_side else whole).select(TARGETS)
    x = relaxed()
    array = x.detach().numpy()
    values, slopes = targeted.gradient(array)
    before = targeted.counts.snapshot()
    came = bridge(targeted)(x)
    assert came.shape == (4, len(TARGETS))
    np.testing.assert_allclose(came.detach().numpy(), values, atol=1e-5)
    for t in range(len(TARGETS)):
        (gradient,) = torch.autograd.grad(came[:, t].sum(), x, retain_graph=True)
        bound = 1e-5 * max(np.abs(slopes[t]).max(), 1e-6)
        np.testing.assert_allclose(gradient.numpy(), slopes[t], atol=bound)
    spent = targeted.counts.since(before)
    assert (spent.predictions, spent.pullbacks) == (4, 4 * len(TARGETS))


def test_transforms_agree_with_numpy() -> None:
    oracle = TorchOracle(models.image("rows"))
    x = relaxed()
    for target in ("output", "output:log", "output:logit"):
        targeted = oracle.select(target)
        values, slopes = targeted.gradient(x.detach().numpy())
        came = bridge(targeted)(x)
        np.testing.assert_allclose(came.detach().numpy(), values, rtol=1e-5, atol=1e-6)
        (gradient,) = torch.autograd.grad(came.sum(), x)
        np.testing.assert_allclose(gradient.numpy(), slopes[0], atol=1e-5 * np.abs(slopes).max())


def test_without_a_wish_for_gradients_there_is_no_graph_and_no_pullback(module) -> None:
    oracle = TorchOracle(module, OracleOptions(length=models.LENGTH))
    for one in (oracle, Behind(oracle)):
        answers = bridge(one)(relaxed().detach())
        assert not any(answer.requires_grad for answer in answers.values())
        with torch.no_grad():
            answers = bridge(one)(relaxed())
        assert not any(answer.requires_grad for answer in answers.values())
        assert (one.counts.predictions, one.counts.pullbacks) == (8, 0)


def test_the_models_parameters_get_no_gradients_and_keep_their_flags(module) -> None:
    answer = bridge(TorchOracle(module, OracleOptions(length=models.LENGTH)).select("counts"))(relaxed())
    answer.sum().backward()
    assert all(parameter.requires_grad and parameter.grad is None for parameter in module.parameters())
    assert module.training


def test_an_oracle_without_gradients_answers_and_refuses_to_go_back() -> None:
    oracle = FunctionOracle(lambda x: x[:, :, 2].sum(1), OracleOptions(length=20))
    x = torch.rand(3, 20, 4, requires_grad=True)
    answer = bridge(oracle.select(None))(x)
    np.testing.assert_allclose(answer.detach()[:, 0], x.detach()[:, :, 2].sum(1), rtol=1e-6)
    with pytest.raises(CapabilityError, match="must offer 'linearize'.*shows nothing but its answers"):
        answer.sum().backward()


def test_bundled_toys_train_through_the_bridge() -> None:
    for toy in bundled_toys():
        if "linearize" not in toy.capabilities:
            continue
        x = torch.from_numpy(toy.examples(3, np.random.default_rng(0)).onehot.astype(np.float32)).requires_grad_()
        outputs = bridge(toy)(x)
        sum(value.sum() for value in outputs.values()).backward()
        _, wanted = toy.vjp(x.detach().numpy(), {h.name: np.ones((3, *h.shape)) for h in toy.heads})
        np.testing.assert_allclose(x.grad.numpy(), wanted, atol=1e-6)


def test_intervened_oracles_and_subnetworks_are_bridged_too(module) -> None:
    oracle = TorchOracle(module, OracleOptions(length=models.LENGTH))
    held = oracle.intervene({"first": {0: 1.0}})
    x = relaxed()
    bridge(held)(x)["counts"].sum().backward()
    wanted = held.vjp(x.detach().numpy(), {"counts": np.ones((4, 1))})[1]
    np.testing.assert_allclose(x.grad.numpy(), wanted, atol=1e-6)
    part = oracle.subnetwork("trunk.1")
    window = x[:, : part.length]
    assert bridge(part)(window)["units"].shape == (4, 8)


def test_a_tensor_of_another_shape_is_refused(module) -> None:
    oracle = TorchOracle(module, OracleOptions(length=models.LENGTH))
    with pytest.raises(OracleError, match=r"must hold floating-point numbers \(n, 64, 4\), got \(2, 4, 64\)"):
        bridge(oracle)(torch.zeros(2, 4, 64))
