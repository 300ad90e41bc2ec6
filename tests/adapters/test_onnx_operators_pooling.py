"""Pooling of ONNX: the torch execution against onnxruntime, and its pullback."""

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
from cislens_onnx.operators.pooling import average, largest

pytestmark = [pytest.mark.onnx, pytest.mark.torch]

# Operator, shape of its input, operator set, settings.
CASES: list[tuple[str, tuple[int, ...], int, dict[str, Any]]] = [
    ("MaxPool", (2, 3, 12), 11, {"kernel_shape": [3], "strides": [3]}),
    ("MaxPool", (2, 3, 12), 12, {"kernel_shape": [3], "pads": [1, 1]}),
    ("MaxPool", (2, 3, 12), 22, {"kernel_shape": [3], "strides": [2], "pads": [0, 2]}),
    ("MaxPool", (2, 3, 12), 11, {"kernel_shape": [3], "pads": [2, 2]}),
    ("MaxPool", (2, 3, 11), 13, {"kernel_shape": [2], "strides": [2], "ceil_mode": 1}),
    ("MaxPool", (2, 3, 11), 26, {"kernel_shape": [3], "strides": [3], "pads": [0, 1], "ceil_mode": 1}),
    ("MaxPool", (2, 3, 14), 11, {"kernel_shape": [3], "dilations": [2]}),
    ("MaxPool", (2, 3, 11), 13, {"kernel_shape": [4], "strides": [2], "auto_pad": "SAME_UPPER"}),
    ("MaxPool", (2, 3, 11), 13, {"kernel_shape": [4], "strides": [3], "auto_pad": "SAME_LOWER"}),
    ("MaxPool", (2, 3, 11), 13, {"kernel_shape": [4], "strides": [2], "auto_pad": "VALID"}),
    ("MaxPool", (2, 3, 1, 12), 11, {"kernel_shape": [1, 4], "strides": [1, 4]}),
    ("MaxPool", (1, 2, 5, 6, 4), 22, {"kernel_shape": [2, 3, 2], "pads": [1, 1, 0, 0, 1, 1]}),
    ("AveragePool", (2, 3, 12), 11, {"kernel_shape": [3], "strides": [3]}),
    ("AveragePool", (2, 3, 12), 13, {"kernel_shape": [3], "pads": [1, 1]}),
    ("AveragePool", (2, 3, 12), 13, {"kernel_shape": [3], "pads": [1, 1], "count_include_pad": 1}),
    ("AveragePool", (2, 3, 12), 22, {"kernel_shape": [4], "pads": [1, 2], "strides": [2]}),
    ("AveragePool", (2, 3, 12), 22, {"kernel_shape": [4], "pads": [3, 2], "count_include_pad": 1}),
    ("AveragePool", (2, 3, 11), 11, {"kernel_shape": [2], "strides": [2], "ceil_mode": 1}),
    ("AveragePool", (2, 3, 11), 22, {"kernel_shape": [4], "strides": [3], "pads": [1, 1], "ceil_mode": 1}),
    ("AveragePool", (2, 3, 11), 13, {"kernel_shape": [4], "strides": [2], "auto_pad": "SAME_UPPER"}),
    ("AveragePool", (2, 3, 11), 13, {"kernel_shape": [4], "strides": [3], "auto_pad": "SAME_LOWER"}),
    ("AveragePool", (2, 3, 14), 19, {"kernel_shape": [3], "dilations": [2]}),
    ("AveragePool", (2, 3, 14), 26, {"kernel_shape": [3], "dilations": [3], "pads": [2, 1]}),
    ("AveragePool", (2, 2, 6, 8), 11, {"kernel_shape": [2, 3], "strides": [2, 2], "pads": [0, 1, 1, 1]}),
    ("AveragePool", (1, 2, 5, 6, 4), 22, {"kernel_shape": [2, 3, 2]}),
    ("LpPool", (2, 3, 12), 11, {"kernel_shape": [3], "strides": [2]}),
    ("LpPool", (2, 3, 12), 18, {"kernel_shape": [3], "pads": [1, 2], "p": 1}),
    ("LpPool", (2, 3, 11), 22, {"kernel_shape": [2], "strides": [2], "p": 3, "ceil_mode": 1}),
    ("LpPool", (2, 3, 11), 18, {"kernel_shape": [3], "dilations": [2], "pads": [1, 0]}),
    ("LpPool", (2, 2, 6, 8), 13, {"kernel_shape": [2, 3], "p": 4, "auto_pad": "SAME_UPPER"}),
    ("GlobalAveragePool", (2, 3, 7), 11, {}),
    ("GlobalAveragePool", (2, 3, 4, 5), 22, {}),
    ("GlobalAveragePool", (1, 2, 3, 4, 2), 26, {}),
    ("GlobalMaxPool", (2, 3, 7), 11, {}),
    ("GlobalMaxPool", (2, 3, 4, 5), 22, {}),
    ("GlobalLpPool", (2, 3, 7), 11, {}),
    ("GlobalLpPool", (2, 3, 4, 5), 13, {"p": 3}),
]
COVERED = {operator for operator, *_ in CASES}


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    # A permutation: no two values of a window tie, where the largest has no derivative.
    size = int(np.prod(shape))
    return np.float32(np.random.default_rng(0).permutation(size) / size - 0.4).reshape(shape)


@pytest.mark.parametrize(("operator", "shape", "opset", "chosen"), CASES)
def test_the_torch_execution_answers_as_onnxruntime_does(
    operator: str, shape: tuple[int, ...], opset: int, chosen: dict[str, Any]
) -> None:
    compare(operator, [drawn(shape)], opset, **chosen)


@pytest.mark.parametrize(("operator", "shape", "opset", "chosen"), CASES)
def test_the_pullback_agrees_with_finite_differences(
    operator: str, shape: tuple[int, ...], opset: int, chosen: dict[str, Any]
) -> None:
    check_pullback(operator, [drawn(shape)], opset, **chosen)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_pooling_of_any_form_answers_as_onnxruntime_does(data: st.DataObject) -> None:
    operator = data.draw(st.sampled_from(["MaxPool", "AveragePool", "LpPool"]))
    axes, opset = data.draw(st.integers(1, 2)), data.draw(st.sampled_from([11, 13, 18, 19, 22, 26]))
    few = st.lists(st.integers(1, 4), min_size=axes, max_size=axes)
    kernel, strides = data.draw(few), data.draw(few)
    chosen: dict[str, Any] = {"kernel_shape": kernel, "strides": strides}
    dilations = [1] * axes
    manner = data.draw(st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if opset >= {"MaxPool": 11, "AveragePool": 19, "LpPool": 18}[operator]:
        dilations = chosen["dilations"] = data.draw(few) if manner == "NOTSET" else dilations
    if manner.startswith("SAME"):
        # onnxruntime refuses, or shifts, windows that would leave values out.
        chosen["strides"] = [min(pair) for pair in zip(kernel, strides, strict=True)]
    if manner == "NOTSET":
        chosen["pads"] = [data.draw(st.integers(0, width - 1)) for width in kernel * 2]
    if operator != "LpPool" or opset >= 18:
        chosen["ceil_mode"] = data.draw(st.integers(0, 1))
    if operator == "AveragePool":
        chosen["count_include_pad"] = data.draw(st.integers(0, 1))
    sizes = [data.draw(st.integers((k - 1) * d + 1, 14)) for k, d in zip(kernel, dilations, strict=True)]
    compare(operator, [drawn((2, 2, *sizes))], opset, auto_pad=manner, **chosen)


def test_forms_without_a_torch_execution_say_so() -> None:
    x = torch.ones(1, 2, 8)
    with pytest.raises(Uncovered, match="MaxPool with indices"):
        largest(Node("node", "MaxPool", ("x",), ("y", "places"), {"kernel_shape": [2]}), x)
    with pytest.raises(Uncovered, match="AveragePool over 4 spatial axes"):
        average(Node("node", "AveragePool", ("x",), ("y",), {"kernel_shape": [1] * 4}), torch.ones(1, 1, 2, 2, 2, 2))
