"""Reductions of ONNX, and what works along an axis: the torch execution against onnxruntime, and its pullback."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import torch
from tests.adapters.onnx_models import check_pullback, compare

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators import OPERATORS
from cislens_onnx.operators.reduction import REDUCTIONS

pytestmark = [pytest.mark.onnx, pytest.mark.torch]

RNG = np.random.default_rng(0)
ANY = np.float32(RNG.normal(size=(2, 3, 4)))
POSITIVE = np.float32(RNG.uniform(0.2, 3, (2, 3, 4)))
WHOLE = RNG.integers(-4, 5, (2, 3, 4))
TIED = np.array([[1, 3, 3, 0], [2, 2, 1, 2]], np.float32)


def axes(*places: int) -> np.ndarray:
    return np.array(places, np.int64)


def since(operator: str) -> int:
    """Return the operator set since which a reduction's axes are an input."""
    return 13 if operator == "ReduceSum" else 18


# Operator, inputs, operator set, settings.
REDUCED: list[tuple[str, list[Any], int, dict[str, Any]]] = [
    case
    for operator in REDUCTIONS
    for case in (
        (operator, [POSITIVE], 11, {"axes": [1], "keepdims": 0}),
        (operator, [POSITIVE], 11, {"axes": [-1, 0]}),
        (operator, [POSITIVE], since(operator), {"keepdims": 0}),
        (operator, [POSITIVE, axes(2, -2)], since(operator), {"keepdims": 0}),
        (operator, [POSITIVE, axes(-1)], 26, {}),
    )
]
DIFFERENTIABLE: list[tuple[str, list[Any], int, dict[str, Any]]] = [
    *REDUCED,
    *[(name, [POSITIVE, axes()], 26, {"noop_with_empty_axes": 1}) for name in REDUCTIONS],
    ("ReduceL2", [ANY, axes()], 18, {"noop_with_empty_axes": 1}),
    ("ReduceL1", [ANY, axes(1)], 18, {}),
    ("ReduceL2", [ANY, axes(1, 2)], 18, {"keepdims": 0}),
    ("ReduceLogSumExp", [ANY], 13, {"axes": [1]}),
    ("ReduceSum", [ANY], 13, {"noop_with_empty_axes": 1}),
    ("ReduceSum", [ANY, axes()], 13, {"noop_with_empty_axes": 1}),
    ("ReduceSum", [ANY, axes()], 13, {}),
    ("CumSum", [ANY, np.array(1)], 11, {}),
    ("CumSum", [ANY, axes(-1)], 14, {"exclusive": 1}),
    ("CumSum", [ANY, np.array(0)], 14, {"reverse": 1}),
    ("CumSum", [ANY, np.array(2)], 26, {"exclusive": 1, "reverse": 1}),
    ("CumProd", [ANY, np.array(1)], 26, {}),
    ("CumProd", [ANY, np.array(-1)], 26, {"exclusive": 1, "reverse": 1}),
    ("Softmax", [ANY], 11, {}),
    ("Softmax", [ANY], 11, {"axis": 2}),
    ("Softmax", [ANY[:, :, :1]], 11, {"axis": -2}),
    ("Softmax", [ANY], 13, {}),
    ("Softmax", [ANY], 26, {"axis": 1}),
    ("LogSoftmax", [ANY], 11, {}),
    ("LogSoftmax", [ANY], 13, {"axis": 1}),
]
OTHERS: list[tuple[str, list[Any], int, dict[str, Any]]] = [
    ("ReduceSum", [WHOLE, axes(1)], 13, {}),
    ("ReduceSum", [np.int32(WHOLE), axes(1)], 13, {}),
    ("ReduceProd", [np.int32(WHOLE), axes(0, 2)], 18, {"keepdims": 0}),
    ("ReduceMax", [WHOLE, axes(1)], 18, {}),
    ("ReduceMin", [WHOLE], 13, {}),
    ("ReduceL1", [WHOLE, axes(1)], 18, {}),
    ("ReduceSumSquare", [WHOLE, axes(1)], 18, {}),
    ("ArgMax", [TIED], 11, {}),
    ("ArgMax", [TIED], 13, {"axis": 1, "keepdims": 0}),
    ("ArgMax", [TIED], 13, {"axis": -1, "select_last_index": 1}),
    ("ArgMin", [TIED], 12, {"axis": 1}),
    ("ArgMin", [TIED], 26, {"axis": 1, "select_last_index": 1, "keepdims": 0}),
    ("CumSum", [np.int32(WHOLE), axes(1)], 14, {"exclusive": 1}),
    ("Hardmax", [TIED], 11, {}),
    ("Hardmax", [ANY], 11, {"axis": 1}),
    ("Hardmax", [ANY], 13, {"axis": 1}),
]
CASES = DIFFERENTIABLE + OTHERS
COVERED = {operator for operator, *_ in CASES}


@pytest.mark.parametrize(("operator", "inputs", "opset", "chosen"), CASES)
def test_the_torch_execution_answers_as_onnxruntime_does(
    operator: str, inputs: list[Any], opset: int, chosen: dict[str, Any]
) -> None:
    compare(operator, inputs, opset, **chosen)


@pytest.mark.parametrize(("operator", "inputs", "opset", "chosen"), DIFFERENTIABLE)
def test_the_pullback_agrees_with_finite_differences(
    operator: str, inputs: list[Any], opset: int, chosen: dict[str, Any]
) -> None:
    check_pullback(operator, inputs, opset, **chosen)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_reductions_over_any_axes_answer_as_onnxruntime_does(data: st.DataObject) -> None:
    operator = data.draw(st.sampled_from(sorted(REDUCTIONS)))
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    places = data.draw(st.lists(st.integers(0, len(sizes) - 1), unique=True, max_size=len(sizes)))
    signed = [place - data.draw(st.sampled_from([0, len(sizes)])) for place in places]
    x = np.float32(np.random.default_rng(data.draw(st.integers(0, 99))).uniform(0.2, 3, sizes))
    kept: dict[str, Any] = {"keepdims": data.draw(st.integers(0, 1))}
    if data.draw(st.booleans()):
        compare(operator, [x, axes(*signed)], data.draw(st.sampled_from([18, 20, 26])), **kept)
    else:
        compare(operator, [x], 11, **kept | ({"axes": signed} if signed else {}))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_softmax_along_any_axis_answers_as_onnxruntime_does(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    axis = data.draw(st.integers(-len(sizes), len(sizes) - 1))
    x = np.float32(np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=sizes))
    operator = data.draw(st.sampled_from(["Softmax", "LogSoftmax", "Hardmax"]))
    compare(operator, [x], data.draw(st.sampled_from([11, 13, 26])), axis=axis)


def test_a_norm_of_zeros_has_a_gradient() -> None:
    x = torch.zeros(2, 3, requires_grad=True)
    OPERATORS["ReduceL2"](Node("node", "ReduceL2", ("x",), ("y",), {"axes": [1]}, 11), x).sum().backward()
    torch.testing.assert_close(x.grad, torch.zeros(2, 3))


def test_the_mean_of_integers_has_no_torch_execution() -> None:
    with pytest.raises(Uncovered, match="ReduceMean of integers"):
        OPERATORS["ReduceMean"](Node("node", "ReduceMean", ("x",), ("y",)), torch.ones(2, dtype=torch.int64))
