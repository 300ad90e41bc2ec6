"""The layers that a torch oracle shows: what was really executed, its activations and its weights."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from tests.adapters import torch_models as models  # noqa: E402
from torch import nn  # noqa: E402

from cislens import OracleOptions  # noqa: E402
from cislens_torch import TorchOracle  # noqa: E402

pytestmark = pytest.mark.torch


def opened(module, **options) -> TorchOracle:
    return TorchOracle(module, OracleOptions(**{"length": models.LENGTH, **options}))


def shown(oracle) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(layer.name, layer.kind, layer.inputs) for layer in oracle.layers()]


def test_a_sequential_model_shows_its_modules_with_their_windows() -> None:
    oracle = opened(models.plain())
    assert [(name, kind) for name, kind, _ in shown(oracle)] == [
        ("input", "input"),
        ("0", "convolution"),
        ("1", "normalisation"),
        ("2", "activation"),
        ("3", "pool"),
        ("4", "convolution"),
        ("5", "activation"),
        ("6", "dropout"),
        ("7", "flatten"),
        ("8", "dense"),
    ]
    first, pool, second = oracle.layer("0"), oracle.layer("3"), oracle.layer("4")
    assert (first.kernel, first.units, first.receptive_field, first.offset) == (7, 8, 7, 0)
    assert (pool.kernel, pool.stride, pool.receptive_field, pool.step) == (3, 3, 9, 3)
    # A width of 3 positions of 3 bp each around a window of 9, shifted by one padded position.
    assert (second.padding, second.receptive_field, second.step, second.offset) == ((1, 1), 15, 3, -3)
    assert oracle.layer("1").activation == "relu"
    assert oracle.layer("0").activation is None
    assert oracle.layer("8").receptive_field is None


def test_functional_operations_and_shortcuts_show_as_a_graph() -> None:
    graph = shown(opened(models.seeded(models.Residual())))
    assert ("add", "add", ("relu", "relu_1")) in graph
    assert ("add_1", "add", ("add", "relu_2")) in graph
    assert ("mean", "global_pool", ("add_2",)) in graph
    assert ("total", "dense", ("mean",)) in graph
    assert ("profile", "convolution", ("add_2",)) in graph


def test_receptive_fields_grow_along_a_dilated_trunk() -> None:
    oracle = opened(models.seeded(models.Residual()))
    # 5 of the first layer, then 2 x dilation for each.
    assert [oracle.layer(f"trunk.{i}").receptive_field for i in range(3)] == [7, 11, 19]
    assert oracle.layer("trunk.2").padding == (4, 4)


def test_crops_and_pads_show_with_their_widths() -> None:
    oracle = opened(models.seeded(models.Pooled()))
    assert oracle.layer("pad").padding == (1, 2)
    assert oracle.layer("crop").padding == (-2, -1)
    assert oracle.layer("stem").padding == (2, 2)
    assert oracle.layer("stem").activation == "gelu"
    assert oracle.layer("norm").activation == "exp"
    assert oracle.layer("cat").inputs == ("pool", "exp")


def test_copies_of_the_sequence_and_merged_positions_show() -> None:
    oracle = opened(models.seeded(models.Units()))
    kinds = {name: kind for name, kind, _ in shown(oracle)}
    assert (kinds["repeat"], kinds["filters"], kinds["flatten"]) == ("concatenate", "convolution", "flatten")
    # A convolution of width 1 over merged positions is a dense layer.
    assert (kinds["inner"], kinds["outer"], kinds["final"]) == ("dense", "dense", "dense")


def test_recurrent_and_attention_layers_see_the_whole_sequence() -> None:
    oracle = opened(models.seeded(models.Recurrent()))
    kinds = {name: kind for name, kind, _ in shown(oracle)}
    assert (kinds["lstm"], kinds["attention"], kinds["norm"]) == ("recurrent", "attention", "normalisation")
    # A dense layer at each position is a convolution of width 1.
    assert (kinds["embed"], oracle.layer("embed").receptive_field) == ("convolution", 1)
    assert oracle.layer("lstm").receptive_field is None
    assert oracle.layer("add").inputs == ("lstm", "attention")
    assert oracle.activations(models.sequences(2), "lstm").shape == (2, models.LENGTH, 12)


def test_a_module_that_is_used_twice_shows_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(4, 4, 3, padding=1)
            self.act = nn.ReLU()

        def forward(self, x):
            return self.act(self.first(self.act(self.first(x)))).mean(-1)

    names = [name for name, _, _ in shown(opened(models.seeded(Twice())))]
    assert names == ["input", "first", "act", "first:1", "act:1", "mean"]


def test_operations_inside_a_block_are_named_after_it() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Conv1d(4, 4, 3, padding=1)

        def forward(self, x):
            return x + F.relu(self.inner(x))

    class Swish(nn.Module):
        def forward(self, x):
            return x * torch.sigmoid(x)

    net = models.seeded(nn.Sequential(Block(), Swish(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(4, 1)))
    names = [name for name, _, _ in shown(opened(net))]
    assert names == ["input", "0.inner", "0.relu", "0.add", "1.sigmoid", "1.mul", "2", "4"]


@pytest.mark.parametrize(
    ("last", "scale"),
    [
        (nn.Sigmoid(), "probability"),
        (nn.Softmax(-1), "probability"),
        (nn.Identity(), "unknown"),
        (nn.LogSoftmax(-1), "unknown"),
        (nn.Flatten(), "unknown"),
    ],
)
def test_the_scale_of_a_head_is_read_from_its_last_operation(last, scale) -> None:
    net = nn.Sequential(nn.Conv1d(4, 3, 5), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(3, 2), last)
    assert opened(models.seeded(net)).heads[0].scale == scale


def test_a_sigmoid_is_seen_through_a_squeeze() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(4, 1, 5)

        def forward(self, x):
            return torch.sigmoid(self.first(x).amax(-1)).squeeze(-1)

    head = opened(models.seeded(Net())).heads[0]
    assert (head.shape, head.scale) == ((), "probability")


def native_values(module, x, *, upto: int) -> np.ndarray:
    with torch.no_grad():
        value = torch.from_numpy(x.swapaxes(1, 2).astype(np.float32))
        for layer in list(module.eval())[:upto]:
            value = layer(value).clone()
    return value.numpy()


def test_activations_before_a_relu_in_place_are_not_those_after_it() -> None:
    module, x = models.plain(), models.sequences()
    oracle = opened(module)
    before = oracle.activations(x, "1", pre=True)
    wanted = native_values(module, x, upto=2).swapaxes(1, 2)
    np.testing.assert_allclose(before, wanted, atol=1e-6)
    assert before.min() < 0
    np.testing.assert_array_equal(oracle.activations(x, "1", pre=False), np.maximum(before, 0))
    np.testing.assert_array_equal(oracle.activations(x, "2", pre=True), before)
    np.testing.assert_array_equal(oracle.activations(x, "2", pre=False), np.maximum(before, 0))


def test_activations_have_units_last_and_none_of_them_positions_after_flattening() -> None:
    module, x = models.plain(), models.sequences()
    oracle = opened(module)
    np.testing.assert_allclose(oracle.activations(x, "8"), native_values(module, x, upto=9), atol=1e-5)
    for layer in oracle.layers():
        assert oracle.activations(x, layer.name).shape[-1] == layer.units


def test_activations_do_not_depend_on_the_batch_size() -> None:
    oracle = opened(models.seeded(models.Pooled()))
    x = models.sequences(11)
    oracle.batcher.size = 11
    whole = oracle.activations(x, "strided")
    oracle.batcher.size = 2
    np.testing.assert_allclose(oracle.activations(x, "strided"), whole, atol=1e-5)


@pytest.mark.parametrize("name", ["linear", "kernel"])
def test_a_first_layer_is_its_weights_slid_over_the_sequence(name: str) -> None:
    order = "AGCT"
    module = models.plain()
    oracle = opened(module, base_order=order)
    arrays = oracle.weights("0")
    assert arrays["kernel"].shape == (8, 7, 4)
    x = models.sequences(3)
    windows = np.lib.stride_tricks.sliding_window_view(x, 7, axis=1)
    slid = np.einsum("nlbk,ukb->nlu", windows, arrays["kernel"]) + arrays["bias"]
    np.testing.assert_allclose(oracle.activations(x, "0"), slid, atol=1e-5)
    assert not np.allclose(arrays["kernel"], opened(module).weights("0")["kernel"])


@pytest.mark.parametrize(
    ("module", "options", "name", "width"),
    [
        (lambda: models.image("rows"), {}, "0", 7),
        (lambda: models.image("channels"), {}, "0", 7),
        (lambda: models.seeded(models.Units()), {}, "filters", 7),
        (lambda: models.seeded(models.Recurrent()), {}, "embed", 1),
    ],
)
def test_kernels_of_every_form_are_units_by_width_by_bases(module, options, name, width) -> None:
    oracle = opened(module(), base_order="CTAG", **options)
    kernel, bias = (oracle.weights(name)[part] for part in ("kernel", "bias"))
    assert kernel.shape[1:] == (width, 4)
    x = models.sequences(3)
    windows = np.lib.stride_tricks.sliding_window_view(x, width, axis=1)
    slid = np.einsum("nlbk,ukb->nlu", windows, kernel) + bias
    np.testing.assert_allclose(oracle.activations(x, name), slid, atol=1e-5)


def test_weights_of_normalisation_and_dense_layers_have_their_canonical_names() -> None:
    module = models.plain()
    oracle = opened(module)
    norm, dense = oracle.weights("1"), oracle.weights("8")
    assert set(norm) == {"scale", "offset", "mean", "variance"}
    np.testing.assert_array_equal(norm["variance"], module[1].running_var.numpy())
    np.testing.assert_array_equal(norm["scale"], module[1].weight.detach().numpy())
    np.testing.assert_array_equal(dense["kernel"], module[8].weight.detach().numpy())
    assert oracle.weights("3") == {}


def test_weights_that_are_computed_show_as_they_are_used() -> None:
    layer = torch.nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 3, 5))
    net = models.seeded(nn.Sequential(layer, nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(3, 1)))
    kernel = opened(net).weights("0")["kernel"]
    np.testing.assert_allclose(kernel, net[0].weight.detach().numpy().swapaxes(1, 2), atol=1e-6)


# torch's compiler itself reads .grad of tensors that are no leaves, and warns of it.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_a_compiled_or_parallel_module_shows_the_layers_inside() -> None:
    oracle = opened(nn.DataParallel(models.plain()))
    assert oracle.layer("module.0").kind == "convolution"
    compiled = torch.compile(models.plain(), backend="eager")
    assert TorchOracle(compiled, OracleOptions(length=models.LENGTH)).layer("0").kind == "convolution"


def test_an_in_place_sum_shows_like_any_other() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv1d(4, 4, 3, padding=1), nn.Conv1d(4, 4, 3, padding=1)

        def forward(self, x):
            y = self.first(x)
            z = self.second(y)
            z += y
            return z.amax(-1)

    graph = shown(opened(models.seeded(Net())))
    assert ("add", "add", ("second", "first")) in graph


def test_an_embedding_of_the_bases_shows() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(4, 5)
            self.inner = nn.Conv1d(5, 3, 3)

        def forward(self, x):
            return self.inner(self.embed(x.argmax(1)).transpose(1, 2)).amax(-1)

    oracle = opened(models.seeded(Net()), layout="4,length")
    kinds = {name: kind for name, kind, _ in shown(oracle)}
    assert (kinds["embed"], kinds["inner"]) == ("embedding", "convolution")
    assert oracle.activations(models.sequences(2), "inner").shape == (2, models.LENGTH - 2, 3)


def test_functions_that_are_called_with_named_arguments_show_alike() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv1d(4, 3, 5), nn.Linear(3 * 30, 1)

        def forward(self, x):
            x = F.conv1d(input=x, weight=self.first.weight, bias=self.first.bias, padding=2)
            x = F.max_pool1d(input=F.relu(input=x), kernel_size=4, stride=2, padding=1)
            return F.linear(input=torch.flatten(input=x, start_dim=1), weight=self.last.weight, bias=self.last.bias)

    oracle = TorchOracle(models.seeded(Net()))
    kinds = [kind for _, kind, _ in shown(oracle)]
    assert kinds == ["input", "convolution", "activation", "pool", "flatten", "dense"]
    assert oracle.layer("conv1d").padding == (2, 2)
    assert oracle.length == 60
    x = models.sequences(2, 60)
    pool = oracle.layer("max_pool1d")
    start = pool.offset + 9 * pool.step
    came = oracle.subnetwork("max_pool1d").predict(x[:, start : start + pool.receptive_field])["units"]
    np.testing.assert_allclose(came, oracle.activations(x, "max_pool1d")[:, 9], atol=1e-6)
