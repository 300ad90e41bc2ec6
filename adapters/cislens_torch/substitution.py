"""Answer to single substitutions of one sequence, computing once what they share.

A substitution changes, at each convolution and pooling, only the few positions whose window holds it. One forward pass
of the sequence itself gives all others; for each substitution only the changed positions are computed, between
neighbours that are read off the sequence's own values. Where a function mixes positions (a dense layer after flatten, a
mean over the length), the changed positions are written into the sequence's values and it is computed in full. The idea
is that of fastISM (Nair et al. 2022, 10.1093/bioinformatics/btac135); we find the functions by watching the model run
instead of rebuilding it from its layers. Values are exact up to the rounding of float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from cislens_torch.axes import REARRANGING, SAME
from cislens_torch.kinds import ACTIVATIONS, ALONG_AN_AXIS, JOINS, PRODUCTS, SUMS, along, describe
from cislens_torch.operation import (
    INPUT,
    MARK,
    Axes,
    Call,
    Description,
    Mark,
    mark_of,
    read_call,
    replaced,
    tensors_in,
)

# What a model may ask of a tensor that is the same for one sequence as for all substitutions.
OF_THE_FORM = frozenset({"dim", "ndimension", "is_floating_point", "is_complex", "is_contiguous"})
# Changed positions of a result, and where they start.
Following = tuple[torch.Tensor, torch.Tensor]
CHANNELS_FIRST = Axes(0, 2)  # (sequences, channels, positions), the one form in which changed positions are followed


@dataclass(frozen=True)
class Changed(Mark):
    """Say which positions of a tensor each substitution changes, and to what.

    Parameters
    ----------
    values
        (substitutions, channels, width).
    start
        (substitutions,): the first changed position.
    """

    values: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    start: torch.Tensor = field(default_factory=lambda: torch.empty(0))


@dataclass
class Work:
    """Multiplications of the convolutions: what they took for each substitution, and would have taken in full."""

    shared: int = 0
    full: int = 0


class Substitutions(TorchFunctionMode):
    """Follow substitutions through the forward pass of the one sequence that they change."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()
        self.written = 0  # bytes a substitution of the largest tensor that was written out

    def start(self, encoded: torch.Tensor, columns: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return the sequence (1, 4, length), marked with its substitutions: new columns (k, 4) at positions (k,)."""
        return self._marked(encoded.clone(), columns[:, :, None], positions)

    def _marked(self, value: torch.Tensor, values: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        setattr(value, MARK, Changed(self, INPUT, CHANNELS_FIRST, values, start))
        return value

    def finish(self, value: torch.Tensor) -> torch.Tensor:
        """Return an output for all substitutions, written out where it was still followed."""
        mark = mark_of(value, self)
        return value if mark is None else self._written_out(value, mark)

    def _written_out(self, value: torch.Tensor, mark: Changed) -> torch.Tensor:
        self.written = max(self.written, value.numel() * value.element_size())
        return written_out(value, mark)

    def __torch_function__(
        self, callee: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Make a call on the sequence, and on the positions that substitutions change."""
        kwargs = kwargs or {}
        if getattr(callee, "__name__", "") in OF_THE_FORM:
            return callee(*args, **kwargs)
        sizes = self._sizes(callee, args, kwargs)
        if sizes is not None:
            return sizes
        call = read_call(callee, args, kwargs, self)
        if call is None:
            return callee(*args, **kwargs)
        in_place = call.inplace or call.function == "setitem"
        followed = self._followed_in_place(call) if in_place else self._followed(call)
        if followed is not None:
            return followed
        full = {id(tensor): self._written_out(tensor, mark) for tensor, mark in call.marked}
        return callee(*replaced(args, lambda t: full.get(id(t), t)), **replaced(kwargs, lambda t: full.get(id(t), t)))

    def _sizes(self, callee: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the shape that a followed tensor has for the model: that of all substitutions."""
        asked = getattr(callee, "__name__", "")
        if asked == "__get__":
            asked = getattr(getattr(callee, "__self__", None), "__name__", "")
        mark = mark_of(args[0], self) if asked in ("size", "shape") else None
        if mark is None:
            return None
        shape = torch.Size((len(mark.start), *args[0].shape[1:]))
        axis = args[1] if len(args) > 1 and asked == "size" else kwargs.get("dim")
        return shape if axis is None else shape[axis]

    def _followed(self, call: Call) -> torch.Tensor | None:
        """Return the marked result of a call that keeps to its positions, None for any other."""
        if call.function in REARRANGING:
            return None
        result = call.run()
        if not isinstance(result, torch.Tensor) or result.ndim != 3 or result.shape[0] != 1:
            return None
        does = describe(call, result)
        changed = None
        if call.function in SAME or does.kind == "dropout" or _is_pointwise(call, does):
            changed = _applied(call) if len(call.marked) == 1 else None
        elif does.kind in ("convolution", "pool") and does.window.axis == 0 and len(call.marked) == 1:
            changed = self._windowed(call, does, result)
        elif does.kind in ("add", "multiply", "concatenate") and _keeps_positions(call):
            changed = _aligned(call)
        return None if changed is None else self._marked(result, *changed)

    def _followed_in_place(self, call: Call) -> torch.Tensor:
        """Return the marked result of a call that works in place: its first argument, changed.

        Raises
        ------
        NotFollowed
            If it does not keep to its positions: what it changes could not be written out.
        """
        source, _ = call.marked[0]
        changed = None
        if len(call.marked) == 1 and call.function in ACTIVATIONS - ALONG_AN_AXIS:
            changed = _applied(call)
        elif call.function in SUMS | PRODUCTS and _keeps_positions(call):
            changed = _aligned(call)
        if changed is None or call.argument(0, "input") is not source:
            raise NotFollowed(f"{call.function} works in place and cannot be followed")
        call.run()
        return self._marked(source, *changed)

    def _windowed(self, call: Call, does: Description, result: torch.Tensor) -> Following | None:
        window = does.window
        source, mark = call.marked[0]
        compute = _convolution(call) if does.kind == "convolution" else _pool(call)
        if compute is None:
            return None
        reach = (window.kernel - 1) * window.dilation
        before, after = window.padding
        width = min((mark.values.shape[2] - 1 + reach) // window.stride + 1, result.shape[2])
        first = -((reach - before - mark.start) // window.stride)  # the ceiling of (start + before - reach) / stride
        start = first.clamp(0, result.shape[2] - width)
        fill = 0.0 if does.kind == "convolution" else float("-inf")
        padded = functional.pad(source, (before, after), value=fill) if before or after else source
        seen = (width - 1) * window.stride + reach + 1
        inputs = read_window(padded, mark.values, mark.start + before, start * window.stride, seen)
        if does.kind == "convolution":
            cost = call.argument(1, "weight").numel()
            self.work.shared += cost * width
            self.work.full += cost * result.shape[2]
        return compute(inputs), start


class NotFollowed(Exception):
    """A model whose substitutions cannot be followed: its forward pass is then made for each."""


def written_out(value: torch.Tensor, mark: Changed) -> torch.Tensor:
    """Return a tensor for every substitution, the changed positions written in."""
    k, channels, width = mark.values.shape
    full = value.expand(k, -1, -1).clone()
    places = mark.start[:, None, None] + torch.arange(width, device=value.device)
    return full.scatter_(2, places.expand(k, channels, width), mark.values)


def read_window(
    value: torch.Tensor, values: torch.Tensor, changed_at: torch.Tensor, start: torch.Tensor, width: int
) -> torch.Tensor:
    """Return `width` positions from `start` on for each substitution, (k, channels, width).

    They are the sequence's own `value` (1, channels, length), but for the changed `values` from `changed_at` on.
    """
    places = start[:, None] + torch.arange(width, device=value.device)
    own = value[0].t()[places]
    changed = values.shape[2]
    within = places - changed_at[:, None]
    hit = (within >= 0) & (within < changed)
    rows = torch.arange(len(start), device=value.device)[:, None]
    new = values.transpose(1, 2).contiguous()[rows, within.clamp(0, changed - 1)]
    return torch.where(hit[:, :, None], new, own).transpose(1, 2)


def _is_pointwise(call: Call, does: Description) -> bool:
    if does.kind == "normalisation":
        return call.function == "batch_norm" and not call.argument(5, "training", False)
    return does.kind == "activation" and call.function not in ALONG_AN_AXIS and call.function != "prelu"


def _applied(call: Call) -> Following:
    """Make a call that treats each position alike on the changed positions."""
    source, mark = call.marked[0]
    return _called(call, {id(source): mark.values}), mark.start


def _called(call: Call, instead: dict[int, torch.Tensor]) -> torch.Tensor:
    args, kwargs = (replaced(part, lambda t: instead.get(id(t), t)) for part in (call.args, dict(call.kwargs)))
    result: torch.Tensor = call.callee(*args, **kwargs)
    return result


def _convolution(call: Call) -> Callable[[torch.Tensor], torch.Tensor] | None:
    if call.function != "conv1d":
        return None
    weight, bias = call.argument(1, "weight"), call.argument(2, "bias")
    stride, dilation, groups = (call.argument(i, n, 1) for i, n in ((3, "stride"), (5, "dilation"), (6, "groups")))
    return lambda inputs: functional.conv1d(inputs, weight, bias, stride, 0, dilation, groups)


def _pool(call: Call) -> Callable[[torch.Tensor], torch.Tensor] | None:
    size, stride = call.argument(1, "kernel_size"), call.argument(2, "stride")
    if call.argument(5 if call.function == "max_pool1d" else 4, "ceil_mode", False):
        return None
    if call.function == "max_pool1d" and not call.argument(6, "return_indices", False):
        dilation = call.argument(4, "dilation", 1)
        return lambda inputs: functional.max_pool1d(inputs, size, stride, 0, dilation)
    if call.function == "avg_pool1d" and not along(call.argument(3, "padding", 0), 0):
        return lambda inputs: functional.avg_pool1d(inputs, size, stride)
    return None


def _keeps_positions(call: Call) -> bool:
    """Tell whether a sum, product or junction puts equal positions of followed tensors together, and nothing else."""
    marked = [tensor for tensor, _ in call.marked]
    if any(t.ndim != 3 or t.shape[2] != marked[0].shape[2] for t in marked):
        return False
    others = [t for t in tensors_in((call.args, call.kwargs)) if all(t is not own for own in marked)]
    if call.function in JOINS:
        return not others and call.function != "stack" and call.argument(1, "dim", 0) in (1, -2)
    return all(t.ndim == 0 or (t.shape[-1] == 1 and (t.ndim < 3 or t.shape[0] == 1)) for t in others)


def _aligned(call: Call) -> Following:
    """Make the call on the union of the changed positions of what it reads."""
    starts = torch.stack([mark.start for _, mark in call.marked])
    ends = torch.stack([mark.start + mark.values.shape[2] for _, mark in call.marked])
    first = starts.amin(0)
    width = int((ends.amax(0) - first).max())
    start = first.clamp(0, call.marked[0][0].shape[2] - width)
    windows = {id(tensor): read_window(tensor, mark.values, mark.start, start, width) for tensor, mark in call.marked}
    return _called(call, windows), start
