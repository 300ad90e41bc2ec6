"""Operators that move, pick and repeat values: the torch execution against onnxruntime, and its pullback."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import torch
from onnx import numpy_helper
from tests.adapters.onnx_models import check_pullback, compare

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators import OPERATORS
from cislens_onnx.operators.shaping import CENTRED_NEAREST, PLAIN_NEAREST

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
    ("Split", [X], 13, {"axis": 2, "outputs": 2}),
    ("Split", [X], 18, {"axis": 1, "num_outputs": 2, "outputs": 2}),
    ("Expand", [X[:, :1], whole(1, 3, 1)], 13, {}),
    ("Expand", [X[0], whole(5, 3, 4)], 13, {}),
    ("Tile", [X, whole(1, 2, 3)], 13, {}),
    ("Pad", [X, whole(0, 0, 2, 0, 0, 1)], 11, {}),
    ("Pad", [X, whole(0, 1, 0, 1, 0, -2), np.array(0.5, np.float32)], 13, {}),
    ("Pad", [X, whole(1, 2), None, whole(-1)], 18, {"mode": "reflect"}),
    ("Pad", [X, whole(0, 0, 1, 0, 0, 2)], 18, {"mode": "edge"}),
    ("Pad", [X, whole(0, 1, 0, 0, 2, 0)], 18, {"mode": "reflect"}),
    ("Pad", [X, whole(2, 1, 0, 0, -1, 0)], 18, {"mode": "edge"}),
    ("Pad", [X[0], whole(0, 1, 0, 2)], 18, {"mode": "edge"}),
    ("Pad", [IMAGE, whole(2, 3), None, whole(1)], 18, {"mode": "reflect"}),
    ("Pad", [IMAGE, whole(0, 0, 0, 0, 0, 0, 0, 0)], 18, {"mode": "reflect"}),
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
    ("Resize", [X, np.float32([]), np.float32([1, 1, 3])], 11, {}),
    ("Resize", [IMAGE, None, None, whole(2, 4, 8, 18)], 13, {"nearest_mode": "round_prefer_ceil"}),
    ("Resize", [X, None, np.float32([1.5])], 18, {"mode": "linear", "axes": [-1]}),
    ("Resize", [X, None, None, whole(9)], 19, {"mode": "linear", "axes": [2]}),
    (
        "Resize",
        [X, None, np.float32([1, 1, 1.7])],
        13,
        {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
    ),
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
    ("Gather", [X, np.array([-2], np.int32)], 11, {"axis": -1}),
    ("GatherND", [X, np.array([[0, 1], [1, 2]])], 13, {}),
    ("GatherND", [X, np.array([[2, -1], [0, 3]])], 13, {"batch_dims": 1}),
    ("GatherND", [X, np.array([[[0, 1, -1]] * 2] * 2).swapaxes(1, 2)], 12, {"batch_dims": 1}),
    ("Compress", [X, np.array([True, False, True])], 11, {"axis": 1}),
    ("Compress", [X, np.array([False, True])], 11, {"axis": -1}),
    ("Compress", [X, np.array([False, True, True])], 11, {}),
    ("ReverseSequence", [X, whole(3, 3)], 11, {"batch_axis": 0, "time_axis": 1}),
    ("ReverseSequence", [X, whole(1, 2, 0)], 11, {}),
    ("ReverseSequence", [X, whole(2, 1)], 11, {"batch_axis": 0, "time_axis": 1}),
    ("ScatterND", [X, np.array([[0], [1]]), X[::-1].copy()], 16, {}),
    ("ScatterND", [X, np.array([[0, 1], [0, 1]]), X[0, :2].copy()], 16, {"reduction": "add"}),
    ("ScatterElements", [X, np.array([[[1, 0, 3, 2]]]), X[:1, :1] * 2], 16, {"axis": 2}),
    ("ScatterElements", [X, np.array([[[1, 1, 3, 2]]]), X[:1, :1] * 2], 16, {"axis": 2, "reduction": "add"}),
    *(
        ("ScatterElements", [X, np.array([[[1, -3, 3, 2]]]), X[:1, :1] * 2], 18, {"axis": 2, "reduction": how})
        for how in ("mul", "max", "min")
    ),
    ("Trilu", [X], 14, {}),
    ("Trilu", [X, np.array(-1)], 14, {"upper": 0}),
    ("TopK", [X, whole(2)], 11, {"outputs": 2}),
    ("TopK", [X, whole(2)], 24, {"axis": 1, "largest": 0, "outputs": 2}),
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
    ("EyeLike", [X[0]], 22, {"dtype": 7}),
    ("Range", [np.array(3), np.array(1), np.array(1)], 11, {}),
    ("TopK", [np.float32([[1, 2, 2, 3, 2, 1], [0, 0, 0, 0, 0, 0]]), whole(3)], 13, {"outputs": 2}),
    ("TopK", [np.float32([[1, 2, 2, 3, 2, 1]]), whole(3)], 13, {"largest": 0, "outputs": 2}),
    ("Constant", [], 13, {"value": numpy_helper.from_array(np.arange(6.0).reshape(2, 3))}),
    ("Constant", [], 13, {"value_float": 0.5}),
    ("Constant", [], 13, {"value_ints": [3, -1]}),
    ("ConstantOfShape", [whole(2)], 13, {"value": numpy_helper.from_array(np.array([7]))}),
]
CASES = MOVING + COUNTING
NEWEST = 26  # of the operator sets that onnxruntime runs
# Split states how many parts it makes from operator set 18 on.
UNCHANGED = [case for case in CASES if case[2] >= 13 and not (case[0] == "Split" and case[2] < 18 and len(case[1]) < 2)]
COVERED = {operator for operator, *_ in CASES}


def named(case: Case) -> str:
    return f"{case[0]}-{case[2]}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_an_operator_that_moves_values_answers_as_onnxruntime_does(case: Case) -> None:
    operator, inputs, opset, given = case
    compare(operator, inputs, opset, **given)


@pytest.mark.parametrize("case", UNCHANGED, ids=named)
def test_an_operator_answers_the_same_in_the_newest_operator_set(case: Case) -> None:
    operator, inputs, _, given = case
    compare(operator, inputs, NEWEST, **given)


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


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(1, 5), st.sampled_from([-2, 0, 1]))
def test_any_split_answers_as_onnxruntime_does(size: int, parts: int, axis: int) -> None:
    assume(size > -(-size // parts) * (parts - 1) - 1)  # onnxruntime cuts no part of fewer than no values
    x = np.arange(2 * size, dtype=np.float32).reshape((2, size) if axis == 1 else (size, 2))
    compare("Split", [x], 18, parts, axis=axis, num_outputs=parts)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_sequences_of_any_length_are_turned_as_by_onnxruntime(data: st.DataObject) -> None:
    positions, n = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    lengths = whole(*data.draw(st.lists(st.integers(0, positions), min_size=n, max_size=n)))
    x = np.float32(RNG.normal(size=(positions, n, 2)))
    compare("ReverseSequence", [x, lengths], 11)
    first = {"batch_axis": 0, "time_axis": 1}
    compare("ReverseSequence", [x.swapaxes(0, 1).copy(), lengths], 11, **first)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_any_pad_answers_as_onnxruntime_does(data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(["constant", "reflect", "edge", "wrap"]))
    sizes = data.draw(st.lists(st.integers(3, 5), min_size=2, max_size=4))
    touched = sorted(data.draw(st.sets(st.integers(0, len(sizes) - 1), min_size=1, max_size=min(3, len(sizes) - 1))))
    lowest = -1 if mode == "constant" else 0
    widths = data.draw(st.lists(st.integers(lowest, 2), min_size=2 * len(touched), max_size=2 * len(touched)))
    x = np.arange(np.prod(sizes), dtype=np.float32).reshape(sizes)
    compare("Pad", [x, whole(*widths), None, whole(*touched)], 19, mode=mode)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(1, 4), st.sampled_from(sorted(PLAIN_NEAREST | CENTRED_NEAREST)))
def test_any_nearest_resize_answers_as_onnxruntime_does(length: int, factor: int, way: tuple[str, str]) -> None:
    x = np.arange(2 * length, dtype=np.float32).reshape(1, 2, length)
    opset = 12 if way[0].startswith("tf_") else 19
    given = {"coordinate_transformation_mode": way[0], "nearest_mode": way[1]}
    compare("Resize", [x, np.float32([]), np.float32([1, 1, factor])], opset, **given)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_places_of_any_form_are_gathered_as_by_onnxruntime(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    form = data.draw(st.lists(st.integers(1, 3), max_size=2))
    axis = data.draw(st.integers(-len(sizes), len(sizes) - 1))
    x = np.arange(np.prod(sizes), dtype=np.float32).reshape(sizes)
    places = np.array(RNG.integers(-sizes[axis], sizes[axis], form))
    compare("Gather", [x, places], 13, axis=axis)
    deep = np.array(RNG.integers(-sizes[axis], sizes[axis], sizes))
    compare("GatherElements", [x, deep], 13, axis=axis)


@pytest.mark.parametrize(
    ("operator", "given", "inputs", "said"),
    [
        ("ScatterND", {"reduction": "mul"}, [X, np.array([[0]]), X[:1]], "ScatterND with reduction mul"),
        ("EyeLike", {"dtype": 8}, [X[0]], "EyeLike of STRING"),
        ("Resize", {"mode": "cubic"}, [X, None, np.float32([1, 1, 2])], "Resize of mode cubic"),
        ("Resize", {"axes": [1]}, [X, None, np.float32([2])], "other than one or two spatial axes"),
        ("Resize", {"mode": "linear", "antialias": 1}, [X, None, np.float32([1, 1, 2])], "Resize with antialias"),
        ("Resize", {}, [X, None, np.float32([1, 1, 1.5])], "half_pixel and rounding round_prefer_floor"),
        (
            "Resize",
            {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
            [X, None, None, whole(2, 3, 1)],
            "Resize to one position",
        ),
        ("Pad", {"mode": "reflect"}, [X, whole(1, 1, 1, 0, 0, 0)], "Pad of mode reflect along 3 of 3 axes"),
        ("Pad", {"mode": "wrap"}, [X, whole(0, 0, -1, 0, 0, 1)], "Pad of mode wrap with negative widths"),
    ],
)
def test_a_form_that_is_not_covered_is_named(operator: str, given: Any, inputs: list[Any], said: str) -> None:
    node = Node("node", operator, ("x",), ("y",), given, 18)
    tensors = [None if array is None else torch.from_numpy(np.array(array)) for array in inputs]
    with pytest.raises(Uncovered, match=said):
        OPERATORS[operator](node, *tensors)
