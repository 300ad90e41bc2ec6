"""ONNX models that torch's exporters wrote answer as their modules, and show the same inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

import onnx  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from tests.adapters import onnx_exports, torch_exports  # noqa: E402
from tests.adapters import torch_models as models  # noqa: E402
from tests.hostile import onnx_files  # noqa: E402
from torch import nn  # noqa: E402

from cislens import Sequences, explain, open_oracle  # noqa: E402
from cislens.errors import CapabilityError, OracleError  # noqa: E402
from cislens.oracle import HOOKS, ExtraInput  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402
from cislens_onnx.oracle import OnnxOracle  # noqa: E402
from cislens_torch import TorchOracle  # noqa: E402

pytestmark = [pytest.mark.onnx, pytest.mark.torch]
INSIDE = set(HOOKS) - {"logits"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("onnx")
    known: dict[tuple[str, str], tuple[Any, Any]] = {}

    def get(name: str, exporter: str) -> tuple[OnnxOracle, TorchOracle]:
        if (name, exporter) not in known:
            make, example = torch_exports.MODELS[name]
            module = make().eval()
            path = onnx_exports.export(module, example(3), folder / f"{name}_{exporter}.onnx", exporter)
            known[name, exporter] = open_oracle(path), TorchOracle(module)
        return known[name, exporter]

    return get


@pytest.mark.parametrize("exporter", onnx_exports.EXPORTERS)
@pytest.mark.parametrize("name", torch_exports.MODELS)
def test_answers_and_gradients_are_those_of_the_module(exported, name: str, exporter: str) -> None:
    oracle, reference = exported(name, exporter)
    x = models.sequences(7)
    found, wanted = oracle.predict(x), reference.predict(x)
    for mine, theirs in zip(found.values(), wanted.values(), strict=True):
        assert np.abs(mine - theirs).max() <= 1e-5 * max(1, np.abs(theirs).max())
    assert INSIDE <= oracle.capabilities, oracle.why_not("layers")
    for (name_, mine), theirs in zip(found.items(), wanted, strict=True):
        cotangent = np.random.default_rng(0).normal(size=mine.shape)
        ours, native = oracle.vjp(x, {name_: cotangent})[1], reference.vjp(x, {theirs: cotangent})[1]
        assert np.abs(ours - native).max() <= 1e-4 * np.abs(native).max()


@pytest.mark.parametrize("exporter", onnx_exports.EXPORTERS)
@pytest.mark.parametrize("name", ["plain", "residual"])
def test_layers_have_the_windows_of_the_modules(exported, name: str, exporter: str) -> None:
    oracle, reference = exported(name, exporter)

    def windows(one: Any) -> list[tuple[Any, ...]]:
        weighted = [layer for layer in one.layers() if layer.kind in ("convolution", "dense", "pool")]
        return [(w.kind, w.units, w.kernel, w.stride, w.dilation, w.receptive_field, w.offset) for w in weighted]

    assert windows(oracle) == windows(reference)


@pytest.mark.parametrize("exporter", onnx_exports.EXPORTERS)
@pytest.mark.parametrize("name", ["plain", "residual"])
def test_the_contract_of_oracles_holds(exported, name: str, exporter: str) -> None:
    OracleContract(exported(name, exporter)[0], models.sequences(9)).check()


def test_activations_of_onnxruntime_and_of_the_torch_execution_agree(exported) -> None:
    oracle, _ = exported("plain", "script")
    x = models.sequences(3)
    exposed = 0
    for layer in oracle.layers():
        for pre in (True, False):
            exposed += oracle.execution.exposed(layer, pre) is not None
            ours, torchs = (
                oracle.activations(x, layer.name, pre=pre),
                oracle._inside.activations(x, layer.name, pre=pre),
            )
            np.testing.assert_allclose(ours, torchs, atol=1e-5)
    assert exposed > len(oracle.layers())


def test_a_hold_a_shuffle_and_a_subnetwork_are_those_of_the_module(exported) -> None:
    oracle, reference = exported("plain", "script")
    x = models.sequences(3)
    # Exporters fold a batch normalisation into the convolution before it; what follows both is the same.
    mine_of, theirs_of = (
        next(layer.name for layer in one.layers() if layer.kind == "activation") for one in (oracle, reference)
    )
    mine, theirs = (one.intervene({name: {1: 2.0}}) for one, name in ((oracle, mine_of), (reference, theirs_of)))
    np.testing.assert_allclose(list(mine.predict(x).values()), list(theirs.predict(x).values()), atol=1e-5)
    field = oracle.layer(mine_of).receptive_field
    windows = x[:, :field]
    np.testing.assert_allclose(
        oracle.subnetwork(mine_of).predict(windows)["units"],
        reference.subnetwork(theirs_of).predict(windows)["units"],
        atol=1e-5,
    )
    convolution = next(layer.name for layer in oracle.layers() if layer.kind == "convolution")
    shuffled = oracle.randomised(convolution, np.random.default_rng(0)).predict(x)
    assert not np.allclose(list(shuffled.values()), list(oracle.predict(x).values()))


def test_a_batch_that_was_exported_as_a_number_is_kept_to(tmp_path: Path) -> None:
    module = models.plain().eval()
    path = onnx_exports.export(module, torch_exports.channels_first(3), tmp_path / "m.onnx", "script", free=())
    oracle = open_oracle(path)
    assert oracle.fixed_batch == 3
    x = models.sequences(7)
    (mine,), (theirs,) = oracle.predict(x).values(), TorchOracle(module).predict(x).values()
    np.testing.assert_allclose(mine, theirs, atol=1e-5)
    OracleContract(oracle, x[:4]).check()


class Cropping(nn.Module):
    """A profile over what convolutions without padding leave, of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 6, 5)
        self.last = nn.Conv1d(6, 2, 3, dilation=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.last(torch.relu(self.first(x))))


@pytest.mark.parametrize("exporter", onnx_exports.EXPORTERS)
def test_a_profile_of_any_length_grows_and_is_placed(tmp_path: Path, exporter: str) -> None:
    module = models.seeded(Cropping())
    path = onnx_exports.export(module, torch.zeros(3, 4, 50), tmp_path / "m.onnx", exporter, free=(0, 2))
    oracle = open_oracle(path)
    (head,) = oracle.heads
    assert (oracle.length, head.shape, head.offset, head.scale) == (None, (2, None), 4, "probability")
    x = np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (2, 77))]
    expected = module(torch.from_numpy(x.swapaxes(1, 2).astype(np.float32))).detach().numpy()
    np.testing.assert_allclose(oracle.predict(x)[head.name], expected, atol=1e-6)
    report = explain(oracle, Sequences.from_onehot(x), "saliency:correct=no", "0:bp=40:logit")
    seen = np.flatnonzero(np.abs(report.attributions.values).sum((0, 1, 3)))
    assert (seen.min(), seen.max()) == (40 - 4, 40 + 4)


def small(nodes: list[onnx.NodeProto], **changes: Any) -> onnx.ModelProto:
    """Return a model of 20 bp, "x" to "y", with a kernel of three bp."""
    settings: dict[str, Any] = {"kind": TensorProto.FLOAT, "opset": 17, "more": [], "number": np.float32} | changes
    kernel = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(settings["number"])
    given = [helper.make_tensor_value_info("x", settings["kind"], ("n", 4, 20)), *settings["more"]]
    graph = helper.make_graph(
        nodes,
        "small",
        given,
        [helper.make_tensor_value_info("y", settings["kind"], ("n", "c", "p"))],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", settings["opset"])], ir_version=10)


def scan(output: str = "y") -> onnx.NodeProto:
    return helper.make_node("Conv", ["x", "kernel"], [output], name="scan")


def test_an_operator_without_a_torch_function_leaves_predictions_and_is_named() -> None:
    oracle = open_oracle(small([scan("s"), helper.make_node("Bernoulli", ["s"], ["y"], name="coin")]))
    assert {name for name in HOOKS if name in oracle.capabilities} == {"predict"}
    assert "does not cover Bernoulli" in oracle.why_not("linearize")
    with pytest.raises(CapabilityError, match="does not cover Bernoulli"):
        oracle.layers()


def test_an_execution_that_disagrees_with_onnxruntime_is_not_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    from cislens_onnx.operators import OPERATORS

    right = OPERATORS["Conv"]
    monkeypatch.setitem(OPERATORS, "Conv", lambda *given: right(*given) * 1.001)
    oracle = open_oracle(small([scan()]))
    assert "linearize" not in oracle.capabilities
    assert "differs from onnxruntime by" in oracle.why_not("linearize")


def test_further_inputs_are_zero_or_what_is_stated() -> None:
    control = helper.make_tensor_value_info("control", TensorProto.FLOAT, ("n", 2, 18))
    model = small([scan("s"), helper.make_node("Add", ["s", "control"], ["y"], name="sum")], more=[control])
    x = np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (3, 20))]
    plain = open_oracle(model)
    held = open_oracle(model, extra_inputs={"control": ExtraInput((2, 18), 1.5)})
    np.testing.assert_allclose(held.predict(x)["y"], plain.predict(x)["y"] + 1.5, atol=1e-5)
    np.testing.assert_allclose(held.linearize(x)[0]["y"], held.predict(x)["y"], atol=1e-5)
    with pytest.raises(OracleError, match="must be one of the inputs x, control, got 'contrl'"):
        open_oracle(model, extra_inputs={"contrl": ExtraInput((2, 18))})


def test_a_model_of_float64_computes_in_float64() -> None:
    # onnxruntime has no convolution of float64 on a CPU.
    model = small([helper.make_node("Exp", ["x"], ["y"], name="exp")], kind=TensorProto.DOUBLE, number=np.float64)
    oracle = open_oracle(model)
    assert oracle.dtype == np.float64
    x = np.eye(4)[np.random.default_rng(0).integers(0, 4, (3, 20))]
    answer, gradient = oracle.vjp(x, {"y": np.ones((3, 4, 20))})
    np.testing.assert_allclose(answer["y"], np.exp(x.swapaxes(1, 2)), rtol=1e-12)
    np.testing.assert_allclose(gradient, np.exp(x), rtol=1e-12)
    with pytest.raises(OracleError, match="in the precision of its file, which is float64"):
        open_oracle(model, precision="bfloat16")


def test_an_old_operator_set_is_told_how_to_convert(tmp_path: Path) -> None:
    from cislens_onnx.reading import read_model

    path = tmp_path / "m.onnx"
    path.write_bytes(small([scan()], opset=9).SerializeToString())
    with pytest.raises(OracleError, match=r"operator set 11 or later, got 9: convert it with onnx\.version_converter"):
        read_model(path)


def test_a_model_in_hand_is_checked_as_a_file_is_and_left_as_it_was() -> None:
    model = onnx_files.model()
    onnx_files.into_function(model)
    before = model.SerializeToString()
    assert [layer.kind for layer in open_oracle(model).layers()] == ["input", "convolution", "global_pool"]
    assert model.SerializeToString() == before
    onnx_files.put_elsewhere(model.functions[0].node[0].attribute[0].t, "weights.bin")
    with pytest.raises(OracleError, match="must hold its weights, but those of 'kernel' lie in another file"):
        open_oracle(model)


def test_a_model_of_float16_answers_and_says_why_it_shows_no_inside() -> None:
    model = small([helper.make_node("Exp", ["x"], ["y"], name="exp")], kind=TensorProto.FLOAT16, number=np.float16)
    oracle = open_oracle(model)
    x = np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (3, 20))]
    np.testing.assert_allclose(oracle.predict(x)["y"], np.exp(x.swapaxes(1, 2)), rtol=1e-3)
    with pytest.raises(CapabilityError, match="computes in float16, too coarse to compare"):
        oracle.layers()


def test_two_models_differ_in_fingerprint_where_a_weight_or_a_setting_does() -> None:
    first, second, third = small([scan()]), small([scan()]), small([scan()])
    second.graph.initializer[0].raw_data = bytes(second.graph.initializer[0].raw_data[:-4]) + b"\0\0\0\0"
    third.graph.node[0].attribute.append(helper.make_attribute("dilations", [2]))
    prints = {open_oracle(model).fingerprint for model in (first, second, third)}
    assert len(prints) == 3
    assert open_oracle(small([scan()])).fingerprint in prints


def test_a_batch_is_halved_when_onnxruntime_runs_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

    oracle = open_oracle(small([scan()]), batch_size=4)
    x = np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (4, 20))]
    expected, run = oracle.predict(x)["y"], oracle.session.run

    def of_two_at_most(feeds: dict[str, Any]) -> Any:
        if len(feeds["x"]) > 2:
            raise RuntimeException("Failed to allocate memory for requested buffer of size 1073741824")
        return run(feeds)

    monkeypatch.setattr(oracle.session, "run", of_two_at_most)
    with pytest.warns(ResourceWarning, match="halved to 2"):
        np.testing.assert_allclose(oracle.predict(x)["y"], expected, atol=1e-6)
