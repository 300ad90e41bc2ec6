"""The torch execution of an ONNX model, admitted once it agrees with onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from cislens.oracle.base import Array
from cislens.oracle.layer import Layer
from cislens_onnx.graph import graph_of
from cislens_onnx.module import GraphModule
from cislens_torch.layers import to_numpy
from cislens_torch.operation import Operation
from cislens_torch.oracle import TorchOracle
from cislens_torch.replay import as_units

if TYPE_CHECKING:
    from cislens_onnx.oracle import OnnxOracle

# Of the largest value: float32 sums of thousands of terms in another order differ by less, a wrong setting by more.
TOLERANCE = 1e-5
PROBES = 4


@dataclass(frozen=True)
class Exposed:
    """A value that onnxruntime can answer with, and where its axes lie."""

    value: str
    operation: Operation

    def as_units(self, values: Array) -> Array:
        """Return it as (n, positions, units), or (n, units)."""
        return to_numpy(as_units(torch.from_numpy(values), self.operation))


class Execution:
    """Run an ONNX model's graph in torch.

    Parameters
    ----------
    oracle
        The model, answering through onnxruntime.

    Raises
    ------
    Uncovered
        If an operator, or the form in which it is used, has no torch execution.
    """

    def __init__(self, oracle: OnnxOracle) -> None:
        from cislens_onnx.oracle import placed_options

        self.module = GraphModule(graph_of(oracle.model), oracle.sequence, oracle.others)
        self._check_runs(oracle)
        self.oracle = TorchOracle(self.module, placed_options(oracle, oracle.heads), oracle.name, oracle.fixed_batch)
        self.disagreement = self._compared(oracle)

    def _check_runs(self, oracle: OnnxOracle) -> None:
        """Run the graph once, so that a form of an operator that is not covered is told as such."""
        x = np.zeros((oracle.fixed_batch or 1, oracle.probed, 4), oracle.dtype)
        with torch.no_grad():
            self.module(torch.from_numpy(oracle.encoding.apply(x)))

    def _compared(self, oracle: OnnxOracle) -> str:
        """Return in words how far the answers are from onnxruntime's, empty where they agree."""
        rng = np.random.default_rng(0)
        rows = oracle.fixed_batch or PROBES
        onehot = np.eye(4, dtype=oracle.dtype)[rng.integers(0, 4, (rows, oracle.probed))]
        relaxed = rng.dirichlet(np.ones(4), (rows, oracle.probed)).astype(oracle.dtype)
        for x in (onehot, relaxed):
            expected, came = oracle._predict(x), self.oracle._predict(x)
            for name, values in expected.items():
                largest = max(1.0, float(np.abs(values).max()))
                apart = float(np.abs(values - came[name]).max())
                if not apart <= TOLERANCE * largest:
                    return (
                        f"its torch execution differs from onnxruntime by {apart:.2g} in head {name!r} (largest value "
                        f"{largest:.3g}, allowed {TOLERANCE * largest:.2g})"
                    )
        return ""

    def exposed(self, layer: Layer, pre: bool) -> Exposed | None:
        """Return the value that is a layer's (pre-)activation, None where it is inside a node or before the graph."""
        graph = self.oracle._graph
        name = layer.name if pre else graph.activated(layer)
        if name not in self.module.nodes:
            return None
        node, operation = self.module.nodes[name], graph.operation(name)
        return Exposed(node.inputs[0] if pre and layer.kind == "activation" else node.outputs[0], operation)
