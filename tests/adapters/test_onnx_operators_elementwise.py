"""Elementwise operators of ONNX: the torch execution against onnxruntime, and its pullback."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import torch
from tests.adapters.onnx_models import check_pullback, compare

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators import OPERATORS

pytestmark = [pytest.mark.onnx, pytest.mark.torch]

RNG = np.random.default_rng(0)
ANY = np.float32(RNG.normal(size=(2, 3, 4)))
OTHER = np.float32(RNG.normal(size=(3, 1)))
SMALL = np.float32(RNG.uniform(-0.9, 0.9, (2, 3, 4)))
POSITIVE = np.float32(RNG.uniform(0.2, 3, (2, 3, 4)))
WHOLE = RNG.integers(-9, 10, (2, 3, 4))
DIVISORS = np.array([[-3], [2], [5]])
ODD = np.array([1.0, np.nan, np.inf, -np.inf, -2.5], np.float32)
HALVES = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.3], np.float32)
TRUE = np.array([[True, False, True], [False, False, True]])
FALSE = np.array([True, True, False])
NUMBER = np.array(0.3, np.float32)


def number(value: float) -> np.ndarray:
    return np.array(value, np.float32)


# Operator, inputs, operator set, settings.
DIFFERENTIABLE: list[tuple[str, list[Any], int, dict[str, Any]]] = [
    ("Add", [ANY, OTHER], 11, {}),
    ("Add", [ANY, NUMBER], 14, {}),
    ("Sub", [OTHER, ANY], 13, {}),
    ("Mul", [ANY, OTHER], 26, {}),
    ("Div", [ANY, OTHER], 13, {}),
    ("Pow", [POSITIVE, OTHER], 15, {}),
    ("Sqrt", [POSITIVE], 13, {}),
    ("Exp", [ANY], 11, {}),
    ("Log", [POSITIVE], 13, {}),
    ("Neg", [ANY], 13, {}),
    ("Abs", [ANY], 13, {}),
    ("Reciprocal", [POSITIVE], 13, {}),
    ("Sign", [ANY], 13, {}),
    ("Floor", [ANY], 13, {}),
    ("Ceil", [ANY], 13, {}),
    ("Erf", [ANY], 13, {}),
    ("Sin", [ANY], 11, {}),
    ("Cos", [ANY], 22, {}),
    ("Tan", [SMALL], 22, {}),
    ("Asin", [SMALL], 22, {}),
    ("Acos", [SMALL], 11, {}),
    ("Atan", [ANY], 22, {}),
    ("Sinh", [ANY], 22, {}),
    ("Cosh", [ANY], 22, {}),
    ("Tanh", [ANY], 13, {}),
    ("Asinh", [ANY], 22, {}),
    ("Acosh", [POSITIVE + np.float32(1)], 22, {}),
    ("Atanh", [SMALL], 22, {}),
    ("Sigmoid", [ANY], 13, {}),
    ("Relu", [ANY], 14, {}),
    ("LeakyRelu", [ANY], 11, {}),
    ("LeakyRelu", [ANY], 16, {"alpha": 0.3}),
    ("PRelu", [ANY, OTHER], 11, {}),
    ("PRelu", [ANY, number(0.2).reshape(1)], 16, {}),
    ("PRelu", [ANY, ANY[:1] + np.float32(0.3)], 16, {}),
    ("PRelu", [ANY, ANY[0, 0]], 16, {}),
    ("Elu", [ANY], 11, {"alpha": 0.5}),
    ("Elu", [ANY], 22, {}),
    ("Selu", [ANY], 11, {}),
    ("Selu", [ANY], 22, {"alpha": 1.2, "gamma": 0.7}),
    ("Celu", [ANY], 12, {"alpha": 0.7}),
    ("ThresholdedRelu", [ANY], 11, {"alpha": 0.4}),
    ("ThresholdedRelu", [ANY], 22, {}),
    ("Shrink", [ANY], 11, {"lambd": 0.4}),
    ("Shrink", [ANY], 11, {"lambd": 0.5, "bias": 0.5}),
    ("Shrink", [ANY], 11, {"lambd": 0.5, "bias": 0.2}),
    ("Softplus", [ANY * np.float32(9)], 11, {}),
    ("Softsign", [ANY], 22, {}),
    ("HardSigmoid", [ANY * np.float32(4)], 11, {}),
    ("HardSigmoid", [ANY * np.float32(4)], 22, {"alpha": 1 / 6}),
    ("HardSwish", [ANY * np.float32(4)], 14, {}),
    ("Mish", [ANY], 18, {}),
    ("Gelu", [ANY], 20, {}),
    ("Gelu", [ANY], 26, {"approximate": "tanh"}),
    ("Swish", [ANY], 24, {}),
    ("Swish", [ANY], 24, {"alpha": 1.5}),
    ("Clip", [ANY, number(-0.5), number(0.6)], 11, {}),
    ("Clip", [ANY, None, number(0.6)], 12, {}),
    ("Clip", [ANY, number(-0.5)], 13, {}),
    ("Clip", [ANY], 13, {}),
    ("Min", [ANY, OTHER, NUMBER], 12, {}),
    ("Max", [ANY, OTHER], 13, {}),
    ("Max", [ANY], 13, {}),
    ("Mean", [ANY, OTHER, NUMBER], 13, {}),
    ("Sum", [ANY, OTHER, NUMBER], 13, {}),
    ("Where", [ANY > 0, ANY, OTHER], 11, {}),
    ("Where", [TRUE[:, :, None], OTHER, NUMBER], 16, {}),
    ("Identity", [ANY], 11, {}),
]
OTHERS: list[tuple[str, list[Any], int, dict[str, Any]]] = [
    ("Div", [WHOLE, DIVISORS], 13, {}),
    ("Mod", [WHOLE, DIVISORS], 11, {}),
    ("Mod", [WHOLE, DIVISORS], 13, {"fmod": 1}),
    ("Mod", [ANY, OTHER], 13, {"fmod": 1}),
    ("Pow", [ANY, number(2)], 13, {}),
    ("Pow", [ANY, np.array([2], np.int64)], 15, {}),
    ("Pow", [ANY, np.full((4,), 2.0)], 15, {}),
    ("Pow", [WHOLE, number(2).reshape(1)], 15, {}),
    ("Round", [HALVES], 11, {}),
    ("Clip", [WHOLE, np.array(-3), np.array(4)], 12, {}),
    ("Clip", [ANY, number(0.6), number(-0.5)], 13, {}),
    ("Max", [WHOLE, DIVISORS], 13, {}),
    ("Equal", [WHOLE, DIVISORS], 11, {}),
    ("Equal", [TRUE, FALSE], 19, {}),
    ("Less", [ANY, OTHER], 13, {}),
    ("LessOrEqual", [WHOLE, DIVISORS], 16, {}),
    ("Greater", [ANY, OTHER], 13, {}),
    ("GreaterOrEqual", [WHOLE, DIVISORS], 12, {}),
    ("And", [TRUE, FALSE], 11, {}),
    ("Or", [TRUE, FALSE], 11, {}),
    ("Xor", [TRUE, FALSE], 11, {}),
    ("Not", [TRUE], 11, {}),
    ("BitwiseAnd", [WHOLE, DIVISORS], 18, {}),
    ("BitwiseOr", [WHOLE, DIVISORS], 18, {}),
    ("BitwiseXor", [WHOLE, DIVISORS], 18, {}),
    ("BitwiseNot", [WHOLE], 18, {}),
    ("IsNaN", [ODD], 13, {}),
    ("IsInf", [ODD], 11, {}),
    ("IsInf", [ODD], 20, {"detect_negative": 0}),
    ("IsInf", [ODD], 20, {"detect_positive": 0}),
    ("Cast", [HALVES], 11, {"to": TensorProto.INT64}),
    ("Cast", [HALVES], 13, {"to": TensorProto.DOUBLE}),
    ("Cast", [WHOLE], 19, {"to": TensorProto.BOOL}),
    ("Cast", [TRUE], 26, {"to": TensorProto.FLOAT}),
    ("CastLike", [WHOLE, NUMBER], 15, {}),
    ("CastLike", [HALVES, WHOLE], 21, {}),
    ("Identity", [WHOLE], 19, {}),
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


def test_a_power_has_a_pullback_at_negative_values_and_zero() -> None:
    x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    OPERATORS["Pow"](Node("node", "Pow", ("x", "p"), ("y",)), x, torch.tensor(2.0)).sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([-4.0, 0.0, 6.0]))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_operators_broadcast_as_onnxruntime_does(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    operator = data.draw(st.sampled_from(["Add", "Sub", "Mul", "Div", "Max", "Min", "Less", "PRelu", "Where"]))
    other = [data.draw(st.sampled_from([1, size])) for size in sizes][data.draw(st.integers(0, len(sizes) - 1)) :]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    pair = [np.float32(rng.normal(size=shape)) for shape in (sizes, other)]
    inputs = [rng.random(sizes[-1:]) > 0.5, *pair] if operator == "Where" else pair
    compare(operator, inputs, data.draw(st.sampled_from([13, 16, 26])))


def test_a_type_that_torch_lacks_says_so() -> None:
    node = Node("node", "Cast", ("x",), ("y",), {"to": TensorProto.STRING})
    with pytest.raises(Uncovered, match="Cast to STRING"):
        OPERATORS["Cast"](node, torch.ones(2))
