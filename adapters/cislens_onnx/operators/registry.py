"""Which torch function computes which ONNX operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Given the node and its inputs (None where one is left out), returns a tensor, or a tuple of them for several outputs.
Operator = Callable[..., Any]

OPERATORS: dict[str, Operator] = {}


def operator(*names: str) -> Callable[[Operator], Operator]:
    """Register a function as the torch execution of operators, by their ONNX names."""

    def register(function: Operator) -> Operator:
        for name in names:
            assert name not in OPERATORS, name
            OPERATORS[name] = function
        return function

    return register
