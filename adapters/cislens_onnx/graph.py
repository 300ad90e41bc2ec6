"""An ONNX graph as nodes and constants, under names that people can read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from cislens_onnx.node import Node, Uncovered

PROBABLE = frozenset({"Sigmoid", "Softmax"})


@dataclass(frozen=True)
class Graph:
    """What a model computes.

    Parameters
    ----------
    nodes
        In topological order.
    constants
        Initial values, by name.
    inputs, outputs
        Names of what is given and answered.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, npt.NDArray[Any]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def operators(self) -> frozenset[str]:
        """Operators of its nodes, and of the bodies of its loops."""
        inner = [node.setting("body").operators for node in self.nodes if node.operator == "Loop"]
        return frozenset({node.operator for node in self.nodes}.union(*inner))

    @property
    def read_from_outside(self) -> tuple[str, ...]:
        """Values that it reads but neither holds nor computes: those of the graph around it."""
        own = {*self.inputs, *self.constants, *(name for node in self.nodes for name in node.outputs)}
        read = (name for names in (*(node.inputs for node in self.nodes), self.outputs) for name in names)
        return tuple(dict.fromkeys(name for name in read if name and name not in own))


def graph_of(model: onnx.ModelProto) -> Graph:
    """Read a model's graph.

    Raises
    ------
    Uncovered
        If a node chooses between graphs of its own (If), or is of no operator set of ONNX's.
    """
    opset = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    return _read(model.graph, opset)


def _read(graph: onnx.GraphProto, opset: int) -> Graph:
    names = readable_names(graph.node)
    nodes = tuple(_node(node, name, opset) for node, name in zip(graph.node, names, strict=True))
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    inputs = tuple(value.name for value in graph.input if value.name not in constants)
    return Graph(nodes, constants, inputs, tuple(value.name for value in graph.output))


def readable_names(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """Return a unique name for each node, as its exporter wrote it less what says nothing.

    A node named "/conv1/Conv" is "conv1" where nothing else is named so; a dot, which separates modules in torch,
    becomes a slash.
    """
    plain = [(node.name or f"{node.op_type}_{i}").strip("/").replace(".", "/") for i, node in enumerate(nodes)]
    stems = [
        name.removesuffix(f"/{node.op_type}") if name != node.op_type else name
        for name, node in zip(plain, nodes, strict=True)
    ]
    counts = Counter(stems)
    chosen = [stem if counts[stem] == 1 else name for stem, name in zip(stems, plain, strict=True)]
    taken: Counter[str] = Counter()
    unique = []
    for name in chosen:
        taken[name] += 1
        unique.append(name if taken[name] == 1 else f"{name}_{taken[name] - 1}")
    return unique


def _node(node: onnx.NodeProto, name: str, opset: int) -> Node:
    if node.domain not in ("", "ai.onnx"):
        raise Uncovered(f"{node.domain}.{node.op_type}")
    if node.op_type == "Loop":
        # What its body reads of the graph around it becomes an input like any other.
        body = _read(node.attribute[0].g, opset)
        inputs = (*node.input, *body.read_from_outside)
        return Node(name, node.op_type, inputs, tuple(node.output), {"body": body}, opset)
    settings = {attribute.name: _setting(attribute, node.op_type) for attribute in node.attribute}
    return Node(name, node.op_type, tuple(node.input), tuple(node.output), settings, opset)


def _setting(attribute: AttributeProto, operator: str) -> Any:
    if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
        raise Uncovered(operator)
    value = helper.get_attribute_value(attribute)
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str | int | float):
        return value
    return [part.decode() if isinstance(part, bytes) else part for part in value]


def probable_outputs(model: onnx.ModelProto) -> frozenset[str]:
    """Return the outputs that a sigmoid or softmax gives."""
    return frozenset(name for node in model.graph.node if node.op_type in PROBABLE for name in node.output)


def number_type(value: onnx.ValueInfoProto) -> np.dtype[Any]:
    """Return the number type of an input or output."""
    return np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))


def declared_shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    """Return the shape that an input or output declares, batch included; None for a size that is free."""
    sizes = value.type.tensor_type.shape.dim
    return tuple(size.dim_value if size.HasField("dim_value") and size.dim_value > 0 else None for size in sizes)
