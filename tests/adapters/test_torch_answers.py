"""What a torch oracle answers: the native model's values and gradients, with the model left as it was."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.adapters import torch_models as models  # noqa: E402

from cislens import OracleOptions  # noqa: E402
from cislens.errors import CapabilityError, OracleError  # noqa: E402
from cislens.oracle import ExtraInput  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402
from cislens_torch import TorchOracle  # noqa: E402

pytestmark = pytest.mark.torch


def zoo():
    return {
        "plain": (models.plain(), False),
        "residual": (models.seeded(models.Residual()), False),
        "pooled": (models.seeded(models.Pooled()), False),
        "units": (models.seeded(models.Units()), False),
        "recurrent": (models.seeded(models.Recurrent()), True),
    }


@pytest.mark.parametrize("name", list(zoo()))
def test_every_model_keeps_the_contract(name: str) -> None:
    module, length_first = zoo()[name]
    module.eval()
    oracle = TorchOracle(module, OracleOptions(length=models.LENGTH))

    def native(x):
        tensor = torch.from_numpy(x.astype(np.float32) if length_first else x.swapaxes(1, 2).astype(np.float32))
        with torch.no_grad():
            answer = module(tensor)
        return {k: v.numpy() for k, v in answer.items()} if isinstance(answer, dict) else answer.numpy()

    OracleContract(oracle, models.sequences(9), native).check()


@pytest.mark.parametrize("name", list(zoo()))
def test_pullbacks_agree_with_central_differences_in_float64(name: str) -> None:
    module, _ = zoo()[name]
    oracle = TorchOracle(module, OracleOptions(length=models.LENGTH, precision="float64"))
    assert oracle.dtype == np.float64
    rng = np.random.default_rng(3)
    x = rng.dirichlet(np.ones(4), size=(3, models.LENGTH))
    direction = rng.normal(size=x.shape)
    outputs, pullback = oracle.linearize(x)
    cotangent = {head: rng.normal(size=values.shape) for head, values in outputs.items()}
    came = (pullback(cotangent) * direction).sum((1, 2))
    step = 1e-6
    up, down = oracle.predict(x + step * direction), oracle.predict(x - step * direction)
    wanted = sum((cotangent[h] * (up[h] - down[h])).reshape(3, -1).sum(1) for h in outputs) / (2 * step)
    # Central differences at 1e-6 are off by about 1e-12 (their own error) and 1e-10 (rounding / step) of the values;
    # a kink of ReLU or max pooling within 1e-6 of the point would show, and with these seeds none lies there.
    np.testing.assert_allclose(came, wanted, rtol=1e-6, atol=1e-7)


def test_the_pullback_may_be_called_again_and_with_some_heads_only() -> None:
    oracle = TorchOracle(models.seeded(models.Residual()), OracleOptions(length=models.LENGTH))
    outputs, pullback = oracle.linearize(models.sequences(2))
    ones = {name: np.ones_like(values) for name, values in outputs.items()}
    whole = pullback(ones)
    parts = [pullback({name: value}) for name, value in ones.items()]
    np.testing.assert_allclose(parts[0] + parts[1], whole, atol=1e-5)
    np.testing.assert_array_equal(pullback(ones), whole)


class Failing(torch.nn.Module):
    """Fails on sequences that begin with T."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Conv1d(4, 2, 3)
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, x):
        if x[:, 3, 0].any():
            raise ValueError("no T, please")
        return self.dropout(self.inner(x)).mean(-1)


def state(module):
    return {
        "training": [child.training for child in module.modules()],
        "requires_grad": [parameter.requires_grad for parameter in module.parameters()],
        "grad": [parameter.grad for parameter in module.parameters()],
        "hooks": [(dict(m._forward_hooks), dict(m._forward_pre_hooks)) for m in module.modules()],
        "devices": [parameter.device for parameter in module.parameters()],
        "marks": [sorted(vars(parameter)) for parameter in module.parameters()],
        "grad mode": torch.is_grad_enabled(),
        "type": torch.get_default_dtype(),
        "generator": torch.random.get_rng_state().tolist(),
    }


def test_the_model_is_left_as_it_was_found_also_after_an_exception() -> None:
    module = models.seeded(Failing()).train()
    module.inner.eval()
    module.inner.bias.requires_grad_(False)
    module.inner.weight.grad = torch.ones_like(module.inner.weight)
    module.inner.register_forward_hook(lambda *_: None)
    before, weights = state(module), copy.deepcopy(module.state_dict())
    x = models.sequences(6)
    x[:, 0] = (1, 0, 0, 0)
    oracle = TorchOracle(module, OracleOptions(length=models.LENGTH))
    oracle.predict(x)
    oracle.linearize(x)[1]({"output": np.ones((6, 2))})
    oracle.activations(x, "inner")
    oracle.randomised("inner", np.random.default_rng(0)).predict(x)
    oracle.intervene({"inner": {0: 1.0}}).predict(x)
    oracle.subnetwork("inner").predict(x[:, :3])
    x[:, 0] = (0, 0, 0, 1)
    for ask in (oracle.predict, oracle.linearize, lambda x: oracle.activations(x, "inner")):
        with pytest.raises(ValueError, match="no T"):
            ask(x)
    assert str(state(module)) == str(before)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_dropout_is_off_while_predicting_from_a_model_in_training() -> None:
    module = models.plain().train()
    oracle = TorchOracle(module)
    np.testing.assert_array_equal(
        oracle.predict(models.sequences())["output"], oracle.predict(models.sequences())["output"]
    )


def test_a_model_that_works_in_place_does_not_change_the_callers_sequences() -> None:
    module = torch.nn.Sequential(torch.nn.ReLU(inplace=True), torch.nn.Linear(4, 1))
    oracle = TorchOracle(module, OracleOptions(layout="length,4", length=20))
    x = -models.sequences(3, 20).astype(np.float32)
    oracle.predict(x)
    oracle.linearize(x)
    assert x.min() == -1


def test_read_only_sequences_are_taken_without_a_warning() -> None:
    x = models.sequences().astype(np.float32)
    x.flags.writeable = False
    assert TorchOracle(models.plain()).predict(x)["output"].shape == (5, 2)


def test_another_number_type_is_computed_on_a_copy() -> None:
    module = models.plain()
    oracle = TorchOracle(module, OracleOptions(precision="bfloat16"))
    assert next(module.parameters()).dtype == torch.float32
    assert oracle.native is module
    half = oracle.predict(models.sequences())["output"]
    whole = TorchOracle(module).predict(models.sequences())["output"]
    assert half.dtype == np.float32
    # bfloat16 keeps 8 bits: each of some five operations rounds to 0.4%.
    np.testing.assert_allclose(half, whole, atol=0.05 * np.abs(whole).max())


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(OracleError, match="must see the device 'cuda:97'"):
        TorchOracle(models.plain(), OracleOptions(device="cuda:97"))


def test_extra_inputs_are_held_at_their_value_by_name() -> None:
    module = models.seeded(models.WithControl())
    options = OracleOptions(length=30, extra_inputs={"control": ExtraInput((1,), 2.0)})
    x = models.sequences(4, 30)
    with torch.no_grad():
        wanted = module(torch.from_numpy(x.swapaxes(1, 2).astype(np.float32)), torch.full((4, 1), 2.0)).numpy()
    np.testing.assert_allclose(TorchOracle(module, options).predict(x)["output"], wanted, atol=1e-6)


def test_the_fingerprint_tells_weights_activations_and_edits_apart() -> None:
    module = models.plain()
    same, other = copy.deepcopy(module), copy.deepcopy(module)
    other[5] = torch.nn.GELU()
    oracle = TorchOracle(module)
    edited = oracle.intervene({"0": {1: 0.0}})
    assert oracle.fingerprint == TorchOracle(same, OracleOptions(batch_size=7)).fingerprint
    prints = [oracle, TorchOracle(other), edited, TorchOracle(models.seeded(same, 1)), oracle.subnetwork("0")]
    assert len({one.fingerprint for one in prints}) == len(prints)


def test_memory_that_runs_out_is_told_from_other_errors() -> None:
    oracle = TorchOracle(models.plain())
    assert oracle._is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert oracle._is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"))
    assert not oracle._is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


class Steps(torch.nn.Module):
    """Answers with a count, which has no gradient."""

    def forward(self, x):
        return (x[:, 0] > 0.5).float().sum(-1, keepdim=True)


def test_a_model_without_gradient_declines_to_linearize_with_the_reason() -> None:
    oracle = TorchOracle(Steps(), OracleOptions(layout="4,length"))
    assert "linearize" not in oracle.capabilities
    with pytest.raises(CapabilityError, match="no gradient flows"):
        oracle.linearize(models.sequences())


class Hidden(torch.nn.Module):
    """Breaks the trail between sequence and answer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv1d(4, 3, 3)

    def forward(self, x):
        hidden = self.first(x).detach().numpy()
        return torch.from_numpy(hidden.mean(-1))


def test_a_forward_pass_that_cannot_be_watched_still_predicts_and_says_why_it_shows_no_layers() -> None:
    oracle = TorchOracle(models.seeded(Hidden()), OracleOptions(layout="4,length", length=20))
    assert oracle.predict(models.sequences(2, 20))["output"].shape == (2, 3)
    with pytest.raises(CapabilityError, match="cannot be followed back to the sequence"):
        oracle.layers()


def test_a_model_that_answers_with_something_else_is_refused() -> None:
    class Wrong(torch.nn.Module):
        def forward(self, x):
            return "enhancer"

    with pytest.raises(OracleError, match="must answer with a tensor.*got str"):
        TorchOracle(Wrong(), OracleOptions(length=20, layout="4,length"))
