"""The operations that a model really executes, found by watching one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cislens_torch.kinds import describe
from cislens_torch.operation import (
    INPUT,
    MARK,
    Axes,
    Call,
    Description,
    Mark,
    Operation,
    mark_of,
    read_call,
    tensors_in,
)


@dataclass
class Invocation:
    """One call of a module: where the module stands, which of its calls this is, and what ran in it."""

    path: str
    kind: str
    times: int
    parent: int | None
    operations: list[int] = field(default_factory=list)
    within: int = 0


@dataclass(frozen=True)
class Trace:
    """What one forward pass executed.

    Parameters
    ----------
    operations
        By call, in the order of execution; calls that only rename axes are left out.
    invocations
        The modules' calls that operations ran in.
    sources
        For each output, by name, the call whose value it is.
    results
        What calls returned, as shapes and types, for those that a subnetwork leaves out.
    """

    operations: Mapping[int, Operation]
    invocations: tuple[Invocation, ...]
    sources: Mapping[str, int]
    results: Mapping[int, Any]


class Untraceable(Exception):
    """An answer that cannot be followed back to the sequence."""


class Tracer(TorchFunctionMode):
    """Record the calls that read values computed from the sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.run = object()
        self.calls = 0
        self.operations: dict[int, Operation] = {}
        self.results: dict[int, Any] = {}
        self.invocations = [Invocation("", "", 0, None)]
        self.running = [0]
        self._times: dict[str, int] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Make a call and record what it did."""
        call = read_call(func, args, kwargs or {}, self.run)
        if call is None:
            return func(*args, **(kwargs or {}))
        number = self.calls
        self.calls += 1
        # Coordinates must be found before a call that changes its input in place.
        before = self._describe(call, None) if call.inplace else None
        result = distinct(call, call.run())
        written = args[0] if call.function == "setitem" else result
        if next(tensors_in(written), None) is None:
            return result  # a question of size or type
        does = before or self._describe(call, written)
        sources = tuple(dict.fromkeys(mark.source for _, mark in call.marked))
        source = sources[0]
        if does.kind is not None:
            source = number
            self._record(number, call, does, sources, written)
        self._mark(written, source, does)
        self.results[number] = _forms(result)
        return result

    def _describe(self, call: Call, result: Any) -> Description:
        try:
            with torch.no_grad():
                return describe(call, call.args[0] if result is None else result)
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError, StopIteration):
            # A form of the function that its description does not know: it is an operation of no known kind.
            return Description("other", Axes())

    def _record(self, number: int, call: Call, does: Description, sources: tuple[int, ...], result: Any) -> None:
        shape = tuple(next(tensors_in(result)).shape)
        self.operations[number] = Operation(number, call.function, self.running[-1], sources, shape, does)
        self.invocations[self.running[-1]].operations.append(number)
        for invocation in self.running:
            self.invocations[invocation].within += 1

    def _mark(self, result: Any, source: int, does: Description) -> None:
        shape: torch.Size | None = None
        for tensor in tensors_in(result):
            shape = tensor.shape if shape is None else shape
            # Further results, such as the last state of a recurrent layer, are known to hold no positions.
            same = tensor.ndim == len(shape) and (does.axes.position is None or tensor.shape == shape)
            setattr(tensor, MARK, Mark(self.run, source, does.axes if same else Axes()))

    def enter(self, path: str, kind: str) -> None:
        """Note that a module's call begins."""
        times = self._times.get(path, 0)
        self._times[path] = times + 1
        self.invocations.append(Invocation(path, kind, times, self.running[-1]))
        self.running.append(len(self.invocations) - 1)

    def leave(self) -> None:
        """Note that a module's call ends."""
        self.running.pop()


def distinct(call: Call, result: Any) -> Any:
    """Return a result as a tensor of its own where a call, such as dropout in evaluation, hands its input back."""
    if isinstance(result, torch.Tensor) and not call.inplace and any(result is tensor for tensor, _ in call.marked):
        return result.view_as(result)
    return result


def _forms(result: Any) -> Any:
    if isinstance(result, torch.Tensor):
        return tuple(result.shape), result.dtype
    return [_forms(part) for part in result] if isinstance(result, tuple | list) else None


def trace(
    module: nn.Module, encoded: torch.Tensor, axes: Axes, forward: Callable[[torch.Tensor], Mapping[str, torch.Tensor]]
) -> tuple[Trace, dict[str, torch.Tensor]]:
    """Watch one forward pass.

    Parameters
    ----------
    module
        The model.
    encoded
        Its input, a tensor that nothing else holds.
    axes
        Of the input.
    forward
        Calls the model and names its outputs.

    Returns
    -------
    trace, outputs
        What was executed, and the answers.

    Raises
    ------
    Untraceable
        If an output does not come from the sequence by calls that can be watched.
    """
    tracer = Tracer()
    setattr(encoded, MARK, Mark(tracer.run, INPUT, axes))
    with _watched(module, tracer), tracer:
        outputs = dict(forward(encoded))
    sources = {}
    for name, output in outputs.items():
        mark = mark_of(output, tracer.run)
        if mark is None:
            raise Untraceable(
                f"its answer {name!r} cannot be followed back to the sequence through functions of torch "
                "(compiled, scripted and custom autograd functions show nothing)"
            )
        sources[name] = mark.source
    return Trace(tracer.operations, tuple(tracer.invocations), sources, tracer.results), outputs


@contextmanager
def _watched(module: nn.Module, tracer: Tracer) -> Iterator[None]:
    """Tell the tracer which module runs, with hooks that are removed again."""
    with ExitStack() as handles:
        for path, child in module.named_modules():
            if child is module or isinstance(child, torch.jit.ScriptModule):
                continue
            kind = type(child).__name__

            def enter(_module: nn.Module, _inputs: Any, path: str = path, kind: str = kind) -> None:
                tracer.enter(path, kind)

            def leave(_module: nn.Module, _inputs: Any, _outputs: Any) -> None:
                tracer.leave()

            handles.callback(child.register_forward_pre_hook(enter).remove)
            handles.callback(child.register_forward_hook(leave).remove)
        yield
