"""What the numbers of a Keras model's outputs are, read from its last nonlinearities."""

from __future__ import annotations

from collections.abc import Sequence

from cislens.oracle.head import Scale
from cislens_keras.graph import Graph, Step, Value
from cislens_keras.layers import HOLD, fused_activation, own_activation

# Layers that leave each number as it is.
TRANSPARENT = ("Flatten", "Reshape", "Permute", "Dropout", "Identity", "Squeeze", "ExpandDims", HOLD)


def found_scales(graph: Graph, names: Sequence[str]) -> dict[str, Scale]:
    """Return "probability" for outputs that end in a sigmoid or softmax; of others nothing is known."""
    found: dict[str, Scale] = {}
    for name, value in zip(names, graph.outputs, strict=True):
        if _activation(_way_back(graph, value)[-1]) in ("sigmoid", "softmax"):
            found[name] = "probability"
    return found


def final_sigmoid(graph: Graph, value: Value) -> str | None:
    """Return the call that ends an output in a sigmoid that nothing else reads, None without one."""
    way = _way_back(graph, value)
    shared = any(len(graph.readers[step.name]) > (step is not way[0]) for step in way)
    elsewhere = sum(output.step in {step.name for step in way} for output in graph.outputs) > 1
    if _activation(way[-1]) != "sigmoid" or shared or elsewhere or any(step.kind == HOLD for step in way):
        return None
    return way[-1].name


def _activation(step: Step) -> str | None:
    return (own_activation(step) or fused_activation(step.operation)) if step.sources else None


def _way_back(graph: Graph, value: Value) -> list[Step]:
    """Return the calls from an output back to the first that changes numbers."""
    way = [graph.by_name[value.step]]
    while way[-1].sources and _activation(way[-1]) is None and way[-1].kind in TRANSPARENT:
        way.append(graph.by_name[way[-1].sources[0].step])
    return way
