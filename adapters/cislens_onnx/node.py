"""One node of an ONNX graph, read out of its protocol buffer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Node:
    """Say what a node computes from which values.

    Parameters
    ----------
    name
        Readable and unique in its graph.
    operator
        The operator's name, such as "Conv".
    inputs, outputs
        Names of the values it reads and gives; an empty name is an input, or output, that was left out.
    attributes
        Its settings: numbers, texts, lists of them, numpy arrays.
    opset
        Version of the operator set that its graph was written for: what the same operator means differs between them.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    opset: int = 17

    def setting(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or what ONNX takes in its place where it is left out."""
        return self.attributes.get(name, default)


class Uncovered(Exception):
    """An operator, or a form of one, that has no torch execution; the text says which."""
