"""Convolutions and matrix products of ONNX: the torch execution against onnxruntime, and its pullback.

Also, for the families that layers are made of, what layer a node reads as.
"""

from __future__ import annotations

from collections.abc import Callable
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
from cislens_onnx.operators.convolution import convolution, general_product, transposed_convolution
from cislens_torch.operation import Axes
from cislens_torch.trace import trace

pytestmark = [pytest.mark.onnx, pytest.mark.torch]

# Operator, shapes of its inputs, operator set, settings.
CASES: list[tuple[str, list[tuple[int, ...] | None], int, dict[str, Any]]] = [
    ("Conv", [(2, 4, 11), (6, 4, 3), (6,)], 11, {}),
    ("Conv", [(2, 4, 11), (6, 4, 3)], 22, {"pads": [1, 1], "kernel_shape": [3]}),
    ("Conv", [(2, 4, 11), (6, 4, 4)], 13, {"pads": [1, 2], "strides": [2]}),
    ("Conv", [(2, 4, 13), (6, 2, 3), (6,)], 17, {"group": 2, "dilations": [3]}),
    ("Conv", [(2, 4, 11), (4, 1, 4), (4,)], 11, {"group": 4, "auto_pad": "SAME_UPPER"}),
    ("Conv", [(2, 4, 11), (6, 4, 4)], 26, {"auto_pad": "SAME_LOWER", "strides": [3]}),
    ("Conv", [(2, 4, 11), (6, 4, 4)], 11, {"auto_pad": "VALID", "strides": [2]}),
    ("Conv", [(2, 3, 1, 12), (5, 3, 1, 4), (5,)], 11, {"pads": [0, 1, 0, 2], "strides": [1, 2]}),
    ("Conv", [(2, 3, 6, 7), (5, 3, 2, 3)], 22, {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    ("Conv", [(1, 2, 4, 5, 6), (3, 2, 2, 3, 2), (3,)], 13, {"pads": [1, 0, 1, 0, 2, 1], "dilations": [1, 2, 1]}),
    ("ConvTranspose", [(2, 4, 5), (4, 3, 3), (3,)], 11, {}),
    ("ConvTranspose", [(2, 4, 5), (4, 3, 4)], 22, {"strides": [2], "pads": [1, 1], "output_padding": [1]}),
    ("ConvTranspose", [(2, 4, 5), (4, 3, 4), (6,)], 11, {"strides": [3], "pads": [0, 2], "group": 2}),
    ("ConvTranspose", [(2, 4, 5), (4, 3, 3)], 13, {"dilations": [2], "pads": [2, 1]}),
    ("ConvTranspose", [(2, 4, 5), (4, 3, 4), (3,)], 11, {"auto_pad": "VALID", "strides": [2]}),
    ("ConvTranspose", [(2, 4, 5), (4, 3, 5), (3,)], 22, {"auto_pad": "SAME_UPPER", "strides": [2]}),
    ("ConvTranspose", [(2, 4, 5), (4, 3, 5), (3,)], 26, {"auto_pad": "SAME_LOWER", "strides": [2]}),
    ("ConvTranspose", [(2, 4, 5), (4, 3, 5)], 11, {"auto_pad": "SAME_UPPER", "strides": [3], "output_shape": [14]}),
    ("ConvTranspose", [(1, 2, 3, 4), (2, 3, 2, 3)], 13, {"strides": [2, 1], "pads": [0, 1, 1, 0]}),
    ("ConvTranspose", [(1, 2, 2, 3, 2), (2, 2, 2, 2, 2)], 13, {"strides": [2, 1, 2]}),
    ("Gemm", [(3, 4), (4, 5), (5,)], 11, {}),
    ("Gemm", [(3, 4), (5, 4), (1, 5)], 13, {"transB": 1}),
    ("Gemm", [(4, 3), (5, 4)], 13, {"transA": 1, "transB": 1, "alpha": 0.5}),
    ("Gemm", [(3, 4), (4, 5), (3, 1)], 13, {"beta": 2.0}),
    ("Gemm", [(3, 4), (4, 3), (3, 3)], 11, {"alpha": 0.3, "beta": 0.7}),
    ("Gemm", [(3, 4), (4, 5), (1,)], 26, {"beta": 0.1}),
    ("Gemm", [(3, 4), (4, 5), ()], 13, {}),
    ("MatMul", [(3, 4), (4, 5)], 11, {}),
    ("MatMul", [(2, 3, 4), (4, 5)], 13, {}),
    ("MatMul", [(2, 1, 3, 4), (5, 4, 3)], 26, {}),
    ("MatMul", [(4,), (2, 4, 3)], 13, {}),
    ("Einsum", [(2, 3, 4), (2, 4, 5)], 12, {"equation": "bij, bjk -> bik"}),
    ("Einsum", [(2, 3, 4, 5), (5, 3)], 26, {"equation": "...lc,cd->...ld"}),
    ("Einsum", [(3, 4)], 13, {"equation": "ij->j"}),
]
COVERED = {operator for operator, *_ in CASES}


def drawn(shapes: list[tuple[int, ...] | None], seed: int = 0) -> list[np.ndarray | None]:
    rng = np.random.default_rng(seed)
    return [None if shape is None else np.asarray(rng.normal(size=shape), np.float32) for shape in shapes]


@pytest.mark.parametrize(("operator", "shapes", "opset", "chosen"), CASES)
def test_the_torch_execution_answers_as_onnxruntime_does(
    operator: str, shapes: list[Any], opset: int, chosen: dict[str, Any]
) -> None:
    compare(operator, drawn(shapes), opset, **chosen)


@pytest.mark.parametrize(("operator", "shapes", "opset", "chosen"), CASES)
def test_the_pullback_agrees_with_finite_differences(
    operator: str, shapes: list[Any], opset: int, chosen: dict[str, Any]
) -> None:
    check_pullback(operator, drawn(shapes), opset, **chosen)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_convolutions_of_any_form_answer_as_onnxruntime_does(data: st.DataObject) -> None:
    axes = data.draw(st.integers(1, 3))
    groups, each = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
    few = st.lists(st.integers(1, 3), min_size=axes, max_size=axes)
    kernel, strides, dilations = data.draw(few), data.draw(few), data.draw(few)
    manner = data.draw(st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if manner.startswith("SAME"):
        dilations = [1] * axes  # onnxruntime takes no others
    longer = data.draw(st.lists(st.integers(0, 3), min_size=axes, max_size=axes))
    sizes = [(k - 1) * d + 1 + more for k, d, more in zip(kernel, dilations, longer, strict=True)]
    chosen: dict[str, Any] = {"strides": strides, "dilations": dilations, "group": groups}
    if manner == "NOTSET":
        chosen["pads"] = data.draw(st.lists(st.integers(0, 3), min_size=2 * axes, max_size=2 * axes))
    shapes: list[Any] = [(2, groups * each, *sizes), (groups * 2, each, *kernel), (groups * 2,)]
    compare("Conv", drawn(shapes), data.draw(st.sampled_from([11, 13, 22, 26])), auto_pad=manner, **chosen)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_transposed_convolutions_of_any_form_answer_as_onnxruntime_does(data: st.DataObject) -> None:
    axes = data.draw(st.integers(1, 2))
    groups = data.draw(st.integers(1, 2))
    few = st.lists(st.integers(1, 3), min_size=axes, max_size=axes)
    kernel, strides, dilations, sizes = (data.draw(few) for _ in range(4))
    extra = [data.draw(st.integers(0, stride - 1)) for stride in strides]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    sizes = [size + most for size, most in zip(sizes, reach, strict=True)]
    pads = [data.draw(st.integers(0, most // 2)) for most in reach * 2]
    chosen = {"strides": strides, "dilations": dilations, "group": groups, "pads": pads, "output_padding": extra}
    shapes: list[Any] = [(2, 2 * groups, *sizes), (2 * groups, 3, *kernel), (3 * groups,)]
    compare("ConvTranspose", drawn(shapes), data.draw(st.sampled_from([11, 13, 22, 26])), **chosen)


@pytest.mark.parametrize(
    ("function", "operator", "shapes", "chosen", "says"),
    [
        (convolution, "Conv", [(1, 1, 5), (1, 1, 3)], {"auto_pad": "SAME"}, "Conv with auto_pad SAME"),
        (convolution, "Conv", [(1, 1, 2, 2, 2, 2), (1, 1, 1, 1, 1, 1)], {}, "Conv over 4 spatial axes"),
        (transposed_convolution, "ConvTranspose", [(1, 1, 5), (1, 1, 3)], {"output_shape": [7]}, "with output_shape"),
        (
            transposed_convolution,
            "ConvTranspose",
            [(1, 1, 5), (1, 1, 1)],
            {"auto_pad": "SAME_UPPER", "strides": [2]},
            "more positions than it reaches",
        ),
    ],
)
def test_forms_without_a_torch_execution_say_so(
    function: Callable[..., Any], operator: str, shapes: list[Any], chosen: dict[str, Any], says: str
) -> None:
    node = Node("node", operator, ("x", "w"), ("y",), chosen)
    with pytest.raises(Uncovered, match=says):
        function(node, *(torch.ones(shape) for shape in shapes))


def test_the_weights_of_a_dense_layer_reach_torch_as_they_are() -> None:
    weight, bias = torch.randn(4, 5), torch.randn(5)
    seen: list[torch.Tensor] = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.nn.functional.linear:
                seen.extend(args[1:])
            return func(*args, **(kwargs or {}))

    with Watch():
        general_product(Node("node", "Gemm", ("x", "w", "b"), ("y",)), torch.randn(3, 4), weight, bias)
    assert [tensor.data_ptr() for tensor in seen] == [weight.data_ptr(), bias.data_ptr()]


class OneNode(torch.nn.Module):
    def __init__(self, node: Node, constants: list[torch.Tensor]) -> None:
        super().__init__()
        self.node, self.constants = node, constants

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = OPERATORS[self.node.operator](self.node, x, *self.constants)
        return answer


@pytest.mark.parametrize(
    ("operator", "shapes", "chosen", "kinds"),
    [
        ("Conv", [(6, 4, 3), (6,)], {"pads": [1, 1]}, ["convolution"]),
        ("Conv", [(6, 4, 4)], {"auto_pad": "SAME_UPPER"}, ["pad", "convolution"]),
        ("MatMul", [(12, 5)], {}, ["dense"]),
        ("MaxPool", [], {"kernel_shape": [3], "strides": [3]}, ["pool"]),
        ("MaxPool", [], {"kernel_shape": [2], "auto_pad": "SAME_UPPER"}, ["pad", "pool"]),
        ("AveragePool", [], {"kernel_shape": [3], "pads": [1, 1]}, ["pool"]),
        ("AveragePool", [], {"kernel_shape": [2], "auto_pad": "SAME_UPPER"}, ["pad", "pool", "multiply"]),
        ("GlobalAveragePool", [], {}, ["global_pool"]),
        ("GlobalMaxPool", [], {}, ["global_pool"]),
        ("BatchNormalization", [(4,)] * 4, {}, ["normalisation"]),
        ("Dropout", [], {}, ["dropout"]),
        ("Relu", [], {}, ["activation"]),
        ("PRelu", [(4, 1)], {}, ["activation"]),
        ("ThresholdedRelu", [], {}, ["activation"]),
        ("Gelu", [], {}, ["activation"]),
        ("Clip", [(), ()], {}, ["activation"]),
        ("Pow", [()], {}, ["activation"]),
        ("Add", [(4, 1)], {}, ["add"]),
        ("Sub", [(4, 1)], {}, ["add"]),
        ("Div", [(4, 1)], {}, ["multiply"]),
        ("Softmax", [], {"axis": 1}, ["activation"]),
        ("ReduceMean", [], {"axes": [2], "keepdims": 0}, ["global_pool"]),
        ("ReduceMax", [], {"axes": [-1]}, ["global_pool"]),
        ("Identity", [], {}, []),
    ],
)
def test_a_node_reads_as_the_layer_that_it_is(
    operator: str, shapes: list[Any], chosen: dict[str, Any], kinds: list[str]
) -> None:
    constants = [torch.rand(shape) for shape in shapes]
    module = OneNode(Node("node", operator, ("x",) * (1 + len(shapes)), ("y",), chosen), constants)
    watched, _ = trace(module, torch.randn(2, 4, 12), Axes(0, 2), lambda x: {"y": module(x)})
    assert [operation.does.kind for operation in watched.operations.values()] == kinds
