"""Find what a torch model computes where no rule can be hooked to it, by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cislens.oracle.layer import Layer
from cislens_deeplift.own_module import watched
from cislens_deeplift.rules import COVERED
from cislens_torch import TorchOracle
from cislens_torch.layers import Graph

# What is linear in the values that come from the sequence, so that its gradient is the right multiplier.
LINEAR_KINDS = frozenset(
    {"input", "convolution", "dense", "dropout", "flatten", "add", "concatenate", "pad", "permute"}
)
LINEAR_FUNCTIONS = frozenset({"batch_norm", "sum", "mean", "nansum", "neg", "flip", "roll", "cumsum", "diff"})
# Linear where the sequence comes in once, and something else where it comes in twice (x * x, c / x, x @ x.T).
LINEAR_ONCE = frozenset(
    {"mul", "multiply", "div", "divide", "true_divide", "matmul", "mm", "bmm", "einsum", "bilinear"}
)


@dataclass(frozen=True)
class Uncovered:
    """Name an operation without a rule, and say why it has none; `surely` unless only measuring can tell."""

    name: str
    reason: str
    surely: bool = True

    def __str__(self) -> str:
        return f"{self.name} {self.reason}"


def uncovered(oracle: TorchOracle) -> tuple[Uncovered, ...]:
    """Return what the rules would miss of a model, in the order of execution.

    The operations are those that the adapter saw torch execute. One that is not linear needs a module of its own whose
    class has a rule: a function called inside a forward has nothing that a rule could be hooked to.
    """
    assert oracle.graph is not None
    found = (_examined(layer, oracle.graph, oracle) for layer in oracle.graph.layers if not _is_linear(layer, oracle))
    return tuple(miss for miss in found if miss is not None)


def listed(misses: Iterable[Uncovered]) -> str:
    """Return operations and reasons as one text."""
    return ", ".join(map(str, misses))


def _is_linear(layer: Layer, oracle: TorchOracle) -> bool:
    if layer.kind in LINEAR_KINDS:
        return True
    assert oracle.graph is not None
    function = oracle.graph.operation(layer.name).function
    return function in LINEAR_FUNCTIONS or "avg_pool" in function


def _examined(layer: Layer, graph: Graph, oracle: TorchOracle) -> Uncovered | None:
    operation = graph.operation(layer.name)
    invocation = graph.trace.invocations[operation.invocation]
    if not invocation.path or invocation.within > 1:
        if operation.function in LINEAR_ONCE and len(operation.inputs) == 1:
            return Uncovered(layer.name, f"({operation.function}) may read the sequence more than once", surely=False)
        return Uncovered(layer.name, f"calls {operation.function} as a function, not as a module")
    module = watched(oracle).get_submodule(invocation.path)
    if type(module) not in COVERED:
        return Uncovered(layer.name, f"is a {type(module).__name__}, which has no rule")
    if getattr(module, "inplace", False):
        return Uncovered(layer.name, f"is a {type(module).__name__} that works in place, where no rule can be hooked")
    return None
