"""Loops of ONNX: the torch execution against onnxruntime, and its pullback."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from tests.adapters.onnx_models import by_onnxruntime

from cislens_onnx.graph import graph_of
from cislens_onnx.module import GraphModule

pytestmark = [pytest.mark.onnx, pytest.mark.torch]
COVERED = {"Loop"}
STEPS = 5


def leaky_sum(*, ends_early: bool) -> onnx.ModelProto:
    """Return a model that adds up positions, halving what was there, for five positions or until the third.

    Its body reads the sequence, and the factor, of the graph around it.
    """
    body_nodes = [
        helper.make_node("Gather", ["x0", "i"], ["row"], axis=1),
        helper.make_node("Mul", ["state", "half"], ["less"]),
        helper.make_node("Add", ["less", "row"], ["next"]),
        helper.make_node("Less", ["i", "third"], ["before"]),
        helper.make_node("Identity", ["before" if ends_early else "going"], ["goes"]),
        helper.make_node("Tanh", ["next"], ["put"]),
    ]
    info = helper.make_tensor_value_info
    given = [info("i", TensorProto.INT64, ()), info("going", TensorProto.BOOL, ()), info("state", 1, None)]
    answers = [info("goes", TensorProto.BOOL, ()), info("next", 1, None), info("put", 1, None)]
    third = numpy_helper.from_array(np.array(2), "third")
    body = helper.make_graph(body_nodes, "body", given, answers, [third])
    nodes = [helper.make_node("Loop", ["times", "", "start"], ["y0", "y1"], name="loop", body=body)]
    constants = {"times": np.array(STEPS), "start": np.zeros((2, 4), np.float32), "half": np.array(0.5, np.float32)}
    graph = helper.make_graph(
        nodes,
        "sum",
        [info("x0", TensorProto.FLOAT, (2, STEPS, 4))],
        [helper.make_empty_tensor_value_info(name) for name in ("y0", "y1")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


@pytest.mark.parametrize("ends_early", [False, True])
def test_a_loop_answers_as_onnxruntime_does(ends_early: bool) -> None:
    model = leaky_sum(ends_early=ends_early)
    x = np.float32(np.random.default_rng(0).normal(size=(2, STEPS, 4)))
    came = GraphModule(graph_of(model), "x0", {})(torch.from_numpy(x))
    last, put_out = by_onnxruntime(model, [x])
    assert put_out.shape == (3 if ends_early else STEPS, 2, 4)
    np.testing.assert_allclose(came["y0"].numpy(), last, atol=1e-6)
    np.testing.assert_allclose(came["y1"].numpy(), put_out, atol=1e-6)


def test_the_pullback_of_a_loop_is_its_derivative() -> None:
    module = GraphModule(graph_of(leaky_sum(ends_early=False)), "x0", {}).double()
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(2, STEPS, 4))).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: tuple(module(x).values()), (x,), atol=1e-7)
