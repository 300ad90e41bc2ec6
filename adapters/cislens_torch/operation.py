"""One call of a torch function in a model's forward pass, and what it does in framework-neutral words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from cislens.oracle.layer import LayerKind

# The call that stands for the model's input.
INPUT = -1
MARK = "_cislens_mark"
# Attributes that give a tensor of the values; all others (shape, dtype, requires_grad, ...) read none.
TENSOR_ATTRIBUTES = frozenset({"T", "mT", "H", "mH", "data", "real"})


@dataclass(frozen=True)
class Axes:
    """Say which axis of a tensor counts sequences and which positions; every other axis counts units."""

    batch: int | None = None
    position: int | None = None


@dataclass(frozen=True)
class Window:
    """Describe what a unit looks at along the positions, and on which spatial axis of its function they lie."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    padding: tuple[int, int] = (0, 0)
    axis: int | None = None


@dataclass(frozen=True)
class Description:
    """Say what a call does.

    Parameters
    ----------
    kind
        In the framework-neutral words; None for a call that only renames axes, through which layers are read.
    axes
        Of its (first) result.
    window
        What it looks at along the positions.
    activation
        Its nonlinearity, of an activation.
    arrays
        Its weights by their canonical names, in torch's form.
    """

    kind: LayerKind | None
    axes: Axes
    window: Window = Window()
    activation: str | None = None
    arrays: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """Record one call that layers are made of.

    Parameters
    ----------
    call
        Which of the calls that read the sequence it is, in the order of execution.
    function
        Name of the torch function.
    invocation
        Which of the modules' calls it ran in.
    inputs
        Calls whose values it reads.
    shape
        Of its (first) result for the probe.
    does
        What it does.
    """

    call: int
    function: str
    invocation: int
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    does: Description

    @property
    def unit_axes(self) -> tuple[int, ...]:
        """The axes that count units."""
        axes = self.does.axes
        return tuple(i for i in range(len(self.shape)) if i not in (axes.batch, axes.position))

    @property
    def units(self) -> int:
        """Number of units: all that is neither a sequence nor a position."""
        count = 1
        for axis in self.unit_axes:
            count *= self.shape[axis]
        return count


@dataclass(frozen=True)
class Mark:
    """What is known of a tensor that holds values computed from the sequence."""

    run: object
    source: int
    axes: Axes = Axes()


def mark_of(tensor: torch.Tensor, run: object) -> Any:
    """Return the mark that a run has set on a tensor, None without one."""
    mark = getattr(tensor, MARK, None)
    return mark if mark is not None and mark.run is run else None


@dataclass(frozen=True)
class Call:
    """A call as it was made: the function's plain name, its arguments, and those that hold marked values."""

    function: str
    callee: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    marked: tuple[tuple[torch.Tensor, Any], ...]

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """Return an argument that may be given by place or by name."""
        if len(self.args) > index:
            return self.args[index]
        return self.kwargs.get(name, default)

    @property
    def inplace(self) -> bool:
        """Whether the function changes its first argument."""
        named = getattr(self.callee, "__name__", "")
        plain = named.endswith("_") and not named.startswith("__")
        return plain or named.startswith("__i") or bool(self.kwargs.get("inplace")) or "out" in self.kwargs

    def run(self) -> Any:
        """Make the call."""
        return self.callee(*self.args, **self.kwargs)


def read_call(callee: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], run: object) -> Call | None:
    """Return a call that reads marked values; None for any other, and for one that asks of their shape or type."""
    name = getattr(callee, "__name__", "call")
    if name == "__get__":
        name = getattr(getattr(callee, "__self__", None), "__name__", "attribute")
        if name not in TENSOR_ATTRIBUTES:
            return None
    marked = tuple((tensor, mark) for tensor in tensors_in((args, kwargs)) if (mark := mark_of(tensor, run)))
    return Call(plain_name(name), callee, args, kwargs, marked) if marked else None


def plain_name(name: str) -> str:
    """Return a function's name without signs of operators and of working in place: `__iadd__`, `add_` are "add"."""
    if name in ("__getitem__", "__setitem__"):
        return name.strip("_")
    if name.startswith("__"):
        bare = name.strip("_")
        for prefix in ("i", "r"):
            if bare[:1] == prefix and bare[1:] in OPERATORS:
                bare = bare[1:]
        return OPERATORS.get(bare, bare)
    return name.strip("_")


OPERATORS = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "truediv": "div",
    "div": "div",
    "matmul": "matmul",
    "pow": "pow",
}


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors among arguments or results, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors_in(part)


def replaced(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Return arguments with every tensor among them changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, tuple) and not hasattr(value, "_fields") and type(value) is tuple:
        return tuple(replaced(part, change) for part in value)
    if type(value) is list:
        return [replaced(part, change) for part in value]
    if type(value) is dict:
        return {key: replaced(part, change) for key, part in value.items()}
    return value
