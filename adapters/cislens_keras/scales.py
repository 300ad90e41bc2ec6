"""What the numbers of a Keras model's outputs are, read from its last nonlinearities."""

from __future__ import annotations

from collections.abc import Sequence

from cislens.oracle.head import Scale
from cislens_keras.graph import Graph, Value
from cislens_keras.layers import fused_activation, own_activation

# Layers that leave each number as it is.
TRANSPARENT = ("Flatten", "Reshape", "Permute", "Dropout", "HoldUnits", "Identity", "Squeeze", "ExpandDims")


def found_scales(graph: Graph, names: Sequence[str]) -> dict[str, Scale]:
    """Return "probability" for outputs that end in a sigmoid or softmax; of others nothing is known."""
    found: dict[str, Scale] = {}
    for name, value in zip(names, graph.outputs, strict=True):
        if _last_activation(graph, value) in ("sigmoid", "softmax"):
            found[name] = "probability"
    return found


def _last_activation(graph: Graph, value: Value) -> str | None:
    step = graph.by_name[value.step]
    while step.sources:
        activation = own_activation(step) or fused_activation(step.operation)
        if activation is not None or step.kind not in TRANSPARENT:
            return activation
        step = graph.by_name[step.sources[0].step]
    return None
