"""Find what a torch model computes where no rule can be hooked to it, by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from cislens.oracle.layer import Layer
from cislens_deeplift.own_module import watched
from cislens_deeplift.rules import COVERED
from cislens_torch import TorchOracle
from cislens_torch.axes import REARRANGING
from cislens_torch.kinds import ACTIVATIONS, ALONG_AN_AXIS
from cislens_torch.operation import Operation

# What is linear in the values that come from the sequence, so that its gradient is the right multiplier.
LINEAR_KINDS = frozenset(
    {"input", "convolution", "dense", "dropout", "flatten", "add", "concatenate", "pad", "permute"}
)
LINEAR_FUNCTIONS = REARRANGING | {"sum", "mean", "nansum", "neg"}
NONLINEAR = ACTIVATIONS | frozenset("max min amax amin logsumexp std var prod median argmax argmin".split())


@dataclass(frozen=True)
class Uncovered:
    """Name an operation without a rule, and say why it has none; not `surely` where only measuring can tell."""

    name: str
    reason: str
    surely: bool

    def __str__(self) -> str:
        return f"{self.name} {self.reason}"


def of_one_number(oracle: TorchOracle) -> frozenset[type[nn.Module]]:
    """Return the classes of modules that apply one function of one number and do nothing else, whatever their names."""
    assert oracle.graph is not None
    paths = {
        oracle.graph.trace.invocations[operation.invocation].path
        for operation in oracle.graph.trace.operations.values()
        if _is_of_one_number(operation, oracle)
    }
    return frozenset(type(watched(oracle).get_submodule(path)) for path in paths)


def uncovered(oracle: TorchOracle) -> tuple[Uncovered, ...]:
    """Return what the rules would miss of a model, in the order of execution.

    The operations are those that the adapter saw torch execute. One that is not linear needs a module of its own whose
    class has a rule: a function called inside a forward has nothing that a rule could be hooked to.
    """
    found = []
    for layer in oracle.layers():
        if layer.kind in LINEAR_KINDS:
            continue
        assert oracle.graph is not None
        operation = oracle.graph.operation(layer.name)
        reason = None if _is_linear(layer, operation) else _why_uncovered(operation, oracle)
        if reason is not None:
            found.append(Uncovered(layer.name, reason, _is_surely_nonlinear(layer, operation)))
    return tuple(found)


def listed(misses: Iterable[Uncovered]) -> str:
    """Return operations and reasons as one text."""
    return ", ".join(map(str, misses))


def _is_linear(layer: Layer, operation: Operation) -> bool:
    averages = layer.kind == "normalisation" and operation.function == "batch_norm"
    return averages or operation.function in LINEAR_FUNCTIONS or "avg_pool" in operation.function


def _is_surely_nonlinear(layer: Layer, operation: Operation) -> bool:
    """Tell what is known; a product may be one with a constant, and a function of no known kind anything."""
    open_to_doubt = layer.kind in ("other", "multiply") and len(operation.inputs) == 1
    return not open_to_doubt or operation.function in NONLINEAR


def _is_of_one_number(operation: Operation, oracle: TorchOracle) -> bool:
    """Tell whether an operation is a function of one number, all that its module does, and keeps values in place."""
    assert oracle.graph is not None
    trace = oracle.graph.trace
    invocation = trace.invocations[operation.invocation]
    alone = bool(invocation.path) and invocation.within == 1 and operation.function in ACTIVATIONS - ALONG_AN_AXIS
    return alone and [operation.shape] == [trace.operations[i].shape for i in operation.inputs if i in trace.operations]


def _why_uncovered(operation: Operation, oracle: TorchOracle) -> str | None:
    assert oracle.graph is not None
    invocation = oracle.graph.trace.invocations[operation.invocation]
    if not invocation.path or invocation.within > 1:
        return f"calls {operation.function} as a function, not as a module"
    module = watched(oracle).get_submodule(invocation.path)
    kind = type(module).__name__
    if type(module) not in COVERED and not _is_of_one_number(operation, oracle):
        return f"is a {kind}, which has no rule"
    if getattr(module, "inplace", False):
        return f"is a {kind} that works in place, where no rule can be hooked"
    if module._backward_hooks:
        return f"is a {kind} with a backward hook of its own, beside which no rule can be hooked"
    return None
