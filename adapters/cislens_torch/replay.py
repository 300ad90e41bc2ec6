"""Run a model again and step in: stop at a layer, hold units at values, or leave padding away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from cislens_torch.operation import INPUT, MARK, Call, Mark, Operation, mark_of, read_call, replaced, tensors_in
from cislens_torch.strip import ORIGIN, Place, Stripped, common_place, stripped
from cislens_torch.trace import Trace, distinct


@dataclass(frozen=True)
class Changes:
    """Say what of a model is changed.

    Parameters
    ----------
    held
        Units at fixed values, by the call whose value they are part of.
    left_out
        Calls that give back what they read.
    names
        The changes in words that tell them from others.
    """

    held: Mapping[int, Mapping[int, float]] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()
    names: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.held or self.left_out)


class Reached(BaseException):
    """The layer that was asked for, with its value; no `except Exception` in a model's forward holds it up."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.value = value


@dataclass(frozen=True)
class Stop:
    """Say where a replay ends: at a call's value, or at what it reads."""

    call: int
    before: bool = False


@dataclass(frozen=True)
class PlacedMark(Mark):
    """A mark that also says where a stripped tensor's positions lie, and what stands in for an edited one."""

    place: Place = ORIGIN
    edited: torch.Tensor | None = None


class Replay(TorchFunctionMode):
    """Make the calls of a traced forward pass, with changes.

    Parameters
    ----------
    trace
        What the model executes.
    changes
        What is changed.
    stop
        Where to end; the value is raised as `Reached`.
    without_padding
        What to leave padding away for; None keeps it.
    """

    def __init__(
        self,
        trace: Trace,
        changes: Changes,
        stop: Stop | None = None,
        without_padding: Stripped | None = None,
    ) -> None:
        super().__init__()
        self.run = object()
        self.calls = 0
        self.trace = trace
        self.changes = changes
        self.stop = stop
        self.without_padding = without_padding

    def start(self, encoded: torch.Tensor) -> torch.Tensor:
        """Mark the model's input."""
        setattr(encoded, MARK, PlacedMark(self.run, INPUT))
        return encoded

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Make a call, or what is wanted in its place."""
        call = read_call(func, args, kwargs or {}, self.run)
        if call is None:
            return func(*args, **(kwargs or {}))
        number = self.calls
        self.calls += 1
        call = self._with_edited(call)
        if self.stop == Stop(number, before=True):
            raise Reached(call.marked[0][0])
        operation = self.trace.operations.get(number)
        result, place = self._made(number, operation, call)
        written = call.args[0] if call.function == "setitem" else result
        for tensor in tensors_in(written):
            setattr(tensor, MARK, PlacedMark(self.run, number, place=place))
        if call.inplace and isinstance(result, torch.Tensor) and result is not call.args[0]:
            # A part of the tensor was changed in place of the whole, which later calls may still name.
            setattr(call.args[0], MARK, PlacedMark(self.run, number, place=place, edited=result))
        if number in self.changes.held and operation is not None:
            result = self._hold(number, operation, result, place)
        if self.stop == Stop(number):
            raise Reached(next(tensors_in(result)))
        return result

    def _made(self, number: int, operation: Operation | None, call: Call) -> tuple[Any, Place]:
        if number in self.changes.left_out:
            source, mark = call.marked[0]
            return source.view_as(source), mark.place
        if self.without_padding is None:
            return distinct(call, call.run()), ORIGIN
        if operation is not None:
            result, place = stripped(call, operation, self.without_padding, self.trace.results[number])
            return distinct(call, result), place
        return distinct(call, call.run()), common_place(call)

    def _with_edited(self, call: Call) -> Call:
        """Return the call reading the edited values of what was changed in place by a call whose result was edited."""
        if not any(mark.edited is not None for _, mark in call.marked):
            return call
        stands_in = {id(tensor): mark.edited for tensor, mark in call.marked if mark.edited is not None}

        def current(tensor: torch.Tensor) -> torch.Tensor:
            other = stands_in.get(id(tensor))
            return tensor if other is None else other

        marked = tuple((current(tensor), mark_of(current(tensor), self.run)) for tensor, _ in call.marked)
        return Call(call.function, call.callee, replaced(call.args, current), replaced(call.kwargs, current), marked)

    def _hold(self, number: int, operation: Operation, result: Any, place: Place) -> Any:
        whole = next(tensors_in(result))
        held = hold_units(whole, operation, self.changes.held[number])
        setattr(held, MARK, PlacedMark(self.run, number, place=place))
        setattr(whole, MARK, PlacedMark(self.run, number, place=place, edited=held))
        if isinstance(result, tuple):
            rest = tuple(result)[1:]
            return (held, *rest)
        return [held, *result[1:]] if isinstance(result, list) else held


def hold_units(values: torch.Tensor, operation: Operation, units: Mapping[int, float]) -> torch.Tensor:
    """Return a call's result with these units at fixed values, as a new tensor through which gradients flow."""
    sizes = [operation.shape[axis] for axis in operation.unit_axes]
    chosen = torch.zeros(operation.units, dtype=torch.bool, device=values.device)
    levels = torch.zeros(operation.units, dtype=values.dtype, device=values.device)
    for unit, value in units.items():
        chosen[unit] = True
        levels[unit] = value
    spread = [1] * values.ndim
    for axis, size in zip(operation.unit_axes, sizes, strict=True):
        spread[axis] = size
    return torch.where(chosen.reshape(spread), levels.reshape(spread), values)


def as_units(values: torch.Tensor, operation: Operation) -> torch.Tensor:
    """Return a call's result as (n, positions, units), or (n, units) where it has no positions."""
    axes = operation.does.axes
    batch = axes.batch if axes.batch is not None else 0
    if axes.position is None:
        return values.movedim(batch, 0).reshape(values.shape[batch], -1)
    moved = values.movedim((batch, axes.position), (0, 1))
    return moved.reshape(*moved.shape[:2], -1)
