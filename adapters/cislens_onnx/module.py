"""An ONNX graph as a torch module, one child a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from cislens_onnx.graph import Graph
from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators import OPERATORS


class NodeModule(nn.Module):
    """Compute one node; its constants are its parameters and buffers."""

    def __init__(self, node: Node, constants: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.node = node
        self.function = OPERATORS[node.operator]
        self.places: list[str | None] = []
        for i, name in enumerate(node.inputs):
            held = constants.get(name)
            self.places.append(None if held is None else f"constant{i}")
            if held is None:
                continue
            if held.is_floating_point():
                self.register_parameter(f"constant{i}", nn.Parameter(held, requires_grad=False))
            elif held.dtype == torch.bool:
                self.register_buffer(f"constant{i}", held)
            else:
                setattr(self, f"constant{i}", held)  # sizes and places, which stay on the CPU with the shapes they meet

    def extra_repr(self) -> str:
        """Show the operator and its settings, which are part of a model's fingerprint."""
        return f"{self.node.operator}, {dict(sorted(self.node.attributes.items()))}, opset {self.node.opset}"

    def forward(self, values: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Return the node's outputs, given the values that were computed before."""
        given = [
            None if not name else values[name] if place is None else getattr(self, place)
            for name, place in zip(self.node.inputs, self.places, strict=True)
        ]
        answer = self.function(self.node, *given)
        return answer if isinstance(answer, tuple) else (answer,)


class GraphModule(nn.Module):
    """Compute an ONNX graph with torch, so that gradients flow and layers show.

    Parameters
    ----------
    graph
        What is computed.
    sequence
        Name of the input that takes the DNA.
    others
        For each other input its value for one sequence, which all get.

    Raises
    ------
    Uncovered
        If an operator has no torch execution.
    """

    def __init__(self, graph: Graph, sequence: str, others: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        lacking = sorted(graph.operators - set(OPERATORS))
        if lacking:
            raise Uncovered(", ".join(lacking))
        constants = {name: torch.from_numpy(np.array(value)) for name, value in graph.constants.items()}
        varying = folded(graph.nodes, constants)
        if fixed := [name for name in graph.outputs if name in constants]:
            raise Uncovered(f"an output that does not depend on the sequence ({fixed[0]})")
        self._sequence, self._outputs, self._others = sequence, graph.outputs, tuple(others)
        self._last_use = _last_uses(varying, graph.outputs)
        self.nodes: dict[str, Node] = {}
        for node in varying:
            child = f"{node.name}_" if hasattr(self, node.name) else node.name
            self.add_module(child, NodeModule(node, constants))
            self.nodes[child] = node
        for i, value in enumerate(others.values()):
            self.register_buffer(f"_other{i}", torch.from_numpy(np.array(value)))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the outputs by name, for sequences in the model's own form."""
        values = {self._sequence: x}
        for i, name in enumerate(self._others):
            held = getattr(self, f"_other{i}")
            values[name] = held.expand(len(x), *held.shape)
        for child, node in self.nodes.items():
            answer = self.get_submodule(child)(values)
            values.update(zip(node.outputs, answer, strict=False))
            for name in self._last_use[node.name]:
                values.pop(name, None)
        return {name: values[name] for name in self._outputs}


def folded(nodes: Sequence[Node], constants: dict[str, torch.Tensor]) -> list[Node]:
    """Compute the nodes that read nothing but constants, add their values to these, and return the others."""
    varying = []
    for node in nodes:
        if any(name and name not in constants for name in node.inputs):
            varying.append(node)
            continue
        with torch.no_grad():
            answer = OPERATORS[node.operator](node, *(constants.get(name) for name in node.inputs))
        results = answer if isinstance(answer, tuple) else (answer,)
        constants.update(zip(node.outputs, results, strict=False))
    return varying


def _last_uses(nodes: Sequence[Node], kept: Sequence[str]) -> dict[str, list[str]]:
    """Return for each node the values that nothing after it reads."""
    last = {name: node.name for node in nodes for name in node.inputs}
    uses: dict[str, list[str]] = {node.name: [] for node in nodes}
    for value, user in last.items():
        if value not in kept:
            uses[user].append(value)
    return uses
