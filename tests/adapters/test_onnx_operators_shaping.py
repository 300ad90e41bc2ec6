"""Operators that move, pick and repeat values: the torch execution against onnxruntime, and its pullback."""

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

pytestmark = [pytest.mark.onnx, pytest.mark.torch]

RNG = np.random.default_rng(0)
X = np.float32(RNG.normal(size=(2, 3, 4)))
IMAGE = np.float32(RNG.normal(size=(2, 4, 4, 6)))


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


Case = tuple[str, list[Any], int, dict[str, Any]]

# Operator, inputs, operator set, settings; "outputs" is how many answers are compared.
MOVING: list[Case] = [
    ("Reshape", [X, whole(0, -1)], 14, {}),
    ("Reshape", [X, whole(3, 2, 4)], 11, {}),
    ("Reshape", [X[:, :0], whole(0, 3)], 14, {"allowzero": 1}),
    ("Flatten", [X], 11, {}),
    ("Flatten", [X], 13, {"axis": 0}),
    ("Flatten", [X], 13, {"axis": -1}),
    ("Squeeze", [X[:, :1]], 11, {"axes": [1]}),
    ("Squeeze", [X[:1, :1], whole(0, -2)], 13, {}),
    ("Squeeze", [X[:, :1]], 13, {}),
    ("Unsqueeze", [X], 11, {"axes": [0, 2]}),
    ("Unsqueeze", [X, whole(-1, 1)], 13, {}),
    ("Transpose", [X], 13, {"perm": [2, 0, 1]}),
    ("Transpose", [X], 13, {}),
    ("Concat", [X, X[:, :1]], 13, {"axis": 1}),
    ("Concat", [X], 13, {"axis": -1}),
    ("Split", [X], 11, {"axis": 2, "split": [1, 3], "outputs": 2}),
    ("Split", [X, whole(2, 2)], 13, {"axis": -1, "outputs": 2}),
    ("Split", [X], 18, {"axis": 1, "num_outputs": 2, "outputs": 2}),
    ("Expand", [X[:, :1], whole(1, 3, 1)], 13, {}),
    ("Expand", [X[0], whole(5, 3, 4)], 13, {}),
    ("Tile", [X, whole(1, 2, 3)], 13, {}),
    ("Pad", [X, whole(0, 0, 2, 0, 0, 1)], 11, {}),
    ("Pad", [X, whole(0, 1, 0, 1, 0, -2), np.array(0.5, np.float32)], 13, {}),
    ("Pad", [X, whole(1, 2), None, whole(-1)], 18, {"mode": "reflect"}),
    ("Pad", [X, whole(0, 0, 1, 0, 0, 2)], 18, {"mode": "edge"}),
    ("Pad", [X, whole(0, 0, 1, 0, 0, 2)], 19, {"mode": "wrap"}),
    ("DepthToSpace", [IMAGE], 13, {"blocksize": 2}),
    ("DepthToSpace", [IMAGE], 13, {"blocksize": 2, "mode": "CRD"}),
    ("SpaceToDepth", [IMAGE], 13, {"blocksize": 2}),
    (
        "Resize",
        [X, None, np.float32([1, 1, 2])],
        18,
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    ("Resize", [X, None, None, whole(2, 3, 8)], 18, {"mode": "linear"}),
    (
        "Resize",
        [X, None, None, whole(2, 3, 7)],
        18,
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ),
    ("Resize", [IMAGE, None, np.float32([1, 1, 2, 2])], 13, {"mode": "linear"}),
    ("Slice", [X, whole(1), whole(3), whole(2), whole(1)], 11, {}),
    ("Slice", [X, whole(0, -3), whole(2, 2**62), whole(1, 2)], 13, {}),
    ("Slice", [X, whole(-1), whole(-(2**62)), whole(2), whole(-1)], 13, {}),
    ("Slice", [X, whole(3), whole(0), whole(-1), whole(-2)], 13, {}),
    ("Slice", [X, whole(0), whole(4), whole(2), whole(3)], 13, {}),
    ("Slice", [X, whole(1), whole(2)], 13, {}),
    ("Gather", [X, whole(2, 0, -1)], 13, {"axis": 1}),
    ("Gather", [X, np.array(1)], 13, {"axis": 2}),
    ("Gather", [X, np.array([[0, 1], [1, 0]])], 13, {"axis": 0}),
    ("GatherElements", [X, np.array([[[0, 2, -1, 1]]] * 2)], 13, {"axis": 2}),
    ("GatherND", [X, np.array([[0, 1], [1, 2]])], 13, {}),
    ("ScatterND", [X, np.array([[0], [1]]), X[::-1].copy()], 16, {}),
    ("ScatterND", [X, np.array([[0, 1], [0, 1]]), X[0, :2].copy()], 16, {"reduction": "add"}),
    ("ScatterElements", [X, np.array([[[1, 0, 3, 2]]]), X[:1, :1] * 2], 16, {"axis": 2}),
    ("ScatterElements", [X, np.array([[[1, 1, 3, 2]]]), X[:1, :1] * 2], 16, {"axis": 2, "reduction": "add"}),
    ("Trilu", [X], 14, {}),
    ("Trilu", [X, np.array(-1)], 14, {"upper": 0}),
    ("TopK", [X, whole(2)], 11, {"outputs": 2}),
    ("TopK", [X, whole(2)], 11, {"axis": 1, "largest": 0, "outputs": 2}),
]
COUNTING: list[Case] = [
    ("Constant", [], 13, {"value_floats": [1.0, 2.5]}),
    ("Constant", [], 13, {"value_int": 3}),
    ("ConstantOfShape", [whole(2, 3)], 13, {}),
    ("Shape", [X], 13, {}),
    ("Shape", [X], 15, {"start": 1, "end": -1}),
    ("Size", [X], 13, {}),
    ("Range", [np.array(1), np.array(8), np.array(3)], 13, {}),
    ("Range", [np.array(number, np.float32) for number in (0, 1, 0.25)], 13, {}),
    ("OneHot", [whole(0, 2, -1), whole(4), np.float32([-1, 2])], 13, {}),
    ("OneHot", [whole(0, 2), whole(3), np.float32([0, 1])], 13, {"axis": 0}),
    ("NonZero", [np.float32([[0, 1], [2, 0]])], 13, {}),
    ("EyeLike", [X[0]], 13, {"k": 1}),
    ("EyeLike", [X[0]], 13, {"k": -2}),
]
CASES = MOVING + COUNTING
COVERED = {operator for operator, *_ in CASES}


def named(case: Case) -> str:
    return f"{case[0]}-{case[2]}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_an_operator_that_moves_values_answers_as_onnxruntime_does(case: Case) -> None:
    operator, inputs, opset, given = case
    compare(operator, inputs, opset, **given)


@pytest.mark.parametrize("case", MOVING, ids=named)
def test_the_pullback_of_an_operator_that_moves_values_is_its_derivative(case: Case) -> None:
    operator, inputs, opset, given = case
    if any(array is not None and array.size == 0 for array in inputs):
        pytest.skip("no values, no derivative")
    # Scales, and what a border is filled with, are numbers to compute with.
    first = 1 if operator in ("Resize", "Pad") else None
    check_pullback(operator, inputs, opset, first=first, **given)


@settings(deadline=None, max_examples=60)
@given(st.integers(-7, 7), st.integers(-7, 7), st.sampled_from([-3, -2, -1, 1, 2, 3]), st.integers(1, 5))
def test_any_slice_answers_as_onnxruntime_does(start: int, end: int, step: int, length: int) -> None:
    x = np.arange(2 * length, dtype=np.float32).reshape(2, length)
    compare("Slice", [x, whole(start), whole(end), whole(1), whole(step)], 13)


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(4)), st.lists(st.integers(1, 4), min_size=4, max_size=4))
def test_any_transpose_answers_as_onnxruntime_does(order: list[int], sizes: list[int]) -> None:
    x = np.arange(np.prod(sizes), dtype=np.float32).reshape(sizes)
    compare("Transpose", [x], 13, perm=list(order))


@pytest.mark.parametrize(
    ("operator", "given", "inputs", "said"),
    [
        ("ScatterND", {"reduction": "mul"}, [X, np.array([[0]]), X[:1]], "ScatterND with reduction mul"),
        ("GatherND", {"batch_dims": 1}, [X, np.array([[0], [1]])], "GatherND with batch_dims"),
        ("Resize", {"mode": "cubic"}, [X, None, np.float32([1, 1, 2])], "Resize of mode cubic"),
        ("Pad", {"mode": "reflect"}, [X, whole(1, 0, 0, 0, 0, 0)], "along the first two axes"),
    ],
)
def test_a_form_that_is_not_covered_is_named(operator: str, given: Any, inputs: list[Any], said: str) -> None:
    node = Node("node", operator, ("x",), ("y",), given, 18)
    tensors = [None if array is None else torch.from_numpy(np.array(array)) for array in inputs]
    with pytest.raises(Uncovered, match=said):
        OPERATORS[operator](node, *tensors)
