"""ONNX models of a few nodes, and the comparison of their torch execution with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from cislens_onnx.node import Node
from cislens_onnx.operators import OPERATORS

Arrays = Sequence[np.ndarray | None]


def node_model(operator: str, inputs: Arrays, opset: int, outputs: int = 1, **attributes: Any) -> onnx.ModelProto:
    """Return a model of one node whose inputs are given when it runs; None leaves one out."""
    names = ["" if array is None else f"x{i}" for i, array in enumerate(inputs)]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(operator, names, results, name="node", **attributes)
    given = [
        helper.make_tensor_value_info(f"x{i}", helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for i, array in enumerate(inputs)
        if array is not None
    ]
    answers = [helper.make_empty_tensor_value_info(name) for name in results]
    graph = helper.make_graph([node], "one", given, answers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def by_onnxruntime(model: onnx.ModelProto, inputs: Arrays) -> list[np.ndarray]:
    """Return the answers of onnxruntime, without optimisations that change them."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {f"x{i}": array for i, array in enumerate(inputs) if array is not None})


def by_torch(model: onnx.ModelProto, inputs: Arrays) -> list[torch.Tensor]:
    """Return the answers of our torch function for the model's one node."""
    (proto,) = model.graph.node
    opset = model.opset_import[0].version
    attributes = {a.name: _attribute(a) for a in proto.attribute}
    node = Node("node", proto.op_type, tuple(proto.input), tuple(proto.output), attributes, opset)
    tensors = [None if array is None else torch.from_numpy(np.array(array)) for array in inputs]
    answer = OPERATORS[proto.op_type](node, *tensors)
    return list(answer) if isinstance(answer, tuple) else [answer]


def _attribute(attribute: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Sequence) and value and isinstance(value[0], bytes):
        return [part.decode() for part in value]
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def compare(operator: str, inputs: Arrays, opset: int, outputs: int = 1, **attributes: Any) -> None:
    """Check that torch answers as onnxruntime does: within 1e-5 of the largest value, equal where not floating."""
    model = node_model(operator, inputs, opset, outputs, **attributes)
    expected, came = by_onnxruntime(model, inputs), by_torch(model, inputs)
    assert len(came) >= len(expected)
    for wanted, tensor in zip(expected, came, strict=False):
        array = tensor.detach().numpy()
        assert array.shape == wanted.shape
        assert array.dtype == wanted.dtype
        if wanted.dtype.kind != "f":
            np.testing.assert_array_equal(array, wanted)
        elif wanted.size:
            bound = 1e-5 * max(1.0, float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0)))
            np.testing.assert_allclose(array, wanted, rtol=0, atol=bound)


def check_pullback(
    operator: str, inputs: Arrays, opset: int, outputs: int = 1, first: int | None = None, **attributes: Any
) -> None:
    """Check the pullback against central differences in float64, with respect to all floating inputs or the first."""
    model = node_model(operator, inputs, opset, outputs, **attributes)
    (proto,) = model.graph.node
    settings: Mapping[str, Any] = {a.name: _attribute(a) for a in proto.attribute}
    node = Node("node", operator, tuple(proto.input), tuple(proto.output), settings, opset)
    tensors = [None if a is None else torch.from_numpy(np.array(a)) for a in inputs]
    tensors = [t.double() if t is not None and t.is_floating_point() else t for t in tensors]
    places = [i for i, t in enumerate(tensors) if t is not None and t.is_floating_point()][:first]

    def call(*moved: torch.Tensor) -> tuple[torch.Tensor, ...]:
        given = list(tensors)
        for place, tensor in zip(places, moved, strict=True):
            given[place] = tensor
        answer = OPERATORS[operator](node, *given)
        parts = answer if isinstance(answer, tuple) else (answer,)
        return tuple(part for part in parts if part.is_floating_point())

    moved = tuple(tensors[i].clone().requires_grad_() for i in places)  # type: ignore[union-attr]
    assert torch.autograd.gradcheck(call, moved, eps=1e-6, atol=1e-5, rtol=1e-4)
