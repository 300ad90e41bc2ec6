"""Try a model on an input of some layout and length, without its weights where that is possible."""

from __future__ import annotations

import copy
import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cislens.errors import OracleError
from cislens.oracle.encoding import Encoding
from cislens.oracle.options import OracleOptions
from cislens_torch.exported import ExportedModule
from cislens_torch.kinds import RECURRENT
from cislens_torch.operation import plain_name
from cislens_torch.tensors import Placement, evaluating, named_outputs

# Errors of a layer that gets another number of features than it wants, of a dense layer as such or of width 1.
MISMATCHES = (
    re.compile(r"cannot be multiplied \(\d+x(?P<given>\d+) and (?P<wanted>\d+)x\d+\)"),
    re.compile(
        r"weight of size \[\d+, \d+(?:, 1)+\], expected input\[[\d, ]+\] to have (?P<wanted>\d+) channels, "
        r"but got (?P<given>\d+) channels"
    ),
)
RESHAPED = re.compile(r"shape '\[(?P<shape>[-\d, ]+)\]' is invalid for input of size (?P<given>\d+)")
BATCH = 3  # no channel count of a first layer, so that no axis of the batch is taken for one
WEIGHTED = frozenset(
    "conv1d conv2d conv3d linear lstm gru rnn_tanh rnn_relu embedding multi_head_attention_forward".split()
)


@dataclass
class Trial:
    """What became of one attempt.

    Parameters
    ----------
    error
        Why the model failed; None where it answered for every sequence.
    mismatch
        Features that a dense layer got and those it wants, where that is why.
    weighted
        Number of layers with weights that it came through.
    first
        Shapes of the input and weights of the first of them.
    """

    error: str | None = None
    mismatch: tuple[int, int] | None = None
    weighted: int = 0
    first: tuple[tuple[int, ...], tuple[int, ...]] | None = None


@dataclass
class Watcher(TorchFunctionMode):
    """Note how far a forward pass comes."""

    trial: Trial = field(default_factory=Trial)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Make a call, and note it where it has weights."""
        name = plain_name(getattr(func, "__name__", ""))
        if name not in WEIGHTED:
            return func(*args, **(kwargs or {}))
        given: list[Any] = [*args[:2], *((kwargs or {}).get(key) for key in ("input", "weight")[len(args) :])]
        source, weight = given[0], given[1]
        weighs = isinstance(source, torch.Tensor) and isinstance(weight, torch.Tensor)
        if self.trial.first is None and weighs:
            self.trial.first = (tuple(source.shape), tuple(weight.shape))
        try:
            shaped = name in RECURRENT and len(args) == 9 and source.device.type == "meta"
            result = recurrent_shapes(args) if shaped else func(*args, **(kwargs or {}))
        except RuntimeError:
            if name == "linear" and weighs and source.shape[-1] != weight.shape[1]:
                self.trial.mismatch = (source.shape[-1], weight.shape[1])
            raise
        self.trial.weighted += 1
        return result


def recurrent_shapes(args: tuple[Any, ...]) -> tuple[torch.Tensor, ...]:
    """Return what a recurrent layer would, as shapes alone: the meta device would take the steps one by one."""
    x, states, bidirectional = args[0], args[1], args[7]
    listed = list(states) if isinstance(states, tuple | list) else [states]
    features = listed[0].shape[-1] * (2 if bidirectional else 1)
    return x.new_empty((*x.shape[:-1], features)), *(torch.empty_like(state) for state in listed)


@dataclass(frozen=True)
class Subject:
    """A model that is tried: itself, or a copy on torch's meta device, which computes shapes alone."""

    module: nn.Module
    placement: Placement
    options: OracleOptions
    rows: int = BATCH

    def attempt(self, layout: str, length: int) -> Trial:
        """Run the model once."""
        shape = Encoding(layout).shape(length)
        watcher = Watcher()
        try:
            x = torch.zeros((self.rows, *shape), dtype=self.placement.dtype, device=self.placement.device)
            with torch.no_grad(), evaluating(self.module), watcher:
                answer = called(self.module, x, self.options)
            self._check(named_outputs(answer))
        except Exception as error:  # whatever the model raises is shown where no attempt succeeds
            lines = str(error).strip().splitlines() or [""]
            # A scripted model ends a long trace with the error itself, and cannot be watched.
            text = lines[-1] if "TorchScript" in lines[0] else lines[0]
            watcher.trial.error = f"{layout} of {length} bp: {type(error).__name__}: {text}"
            watcher.trial.mismatch = watcher.trial.mismatch or features_told(text, self.rows)
        return watcher.trial

    def _check(self, outputs: dict[str, torch.Tensor]) -> None:
        for name, output in outputs.items():
            if output.ndim == 0 or output.shape[0] != self.rows:
                raise OracleError(
                    f"output {name!r} must have one row for each of {self.rows} sequences, got {tuple(output.shape)}"
                )
            if any(size == 0 for size in output.shape):
                raise OracleError(f"output {name!r} must not be empty, got {tuple(output.shape)}")


def features_told(error: str, rows: int) -> tuple[int, int] | None:
    """Return the numbers of features that a layer got and wants, where an error tells them."""
    for pattern in MISMATCHES:
        if told := pattern.search(error):
            return int(told["given"]), int(told["wanted"])
    if told := RESHAPED.search(error):
        sizes = [int(size) for size in told["shape"].split(",")]
        wanted = math.prod(size for size in sizes if size > 0)
        return int(told["given"]), wanted * (rows if -1 in sizes else 1)
    return None


def called(module: nn.Module, encoded: torch.Tensor, options: OracleOptions) -> Any:
    """Call a model with its further inputs held at their values: by name where it has one, else by place."""
    if not options.extra_inputs:
        return module(encoded)
    extra = {
        name: torch.full((len(encoded), *held.shape), held.value, dtype=encoded.dtype, device=encoded.device)
        for name, held in options.extra_inputs.items()
    }
    known = _input_names(module)
    by_place = [tensor for name, tensor in extra.items() if name not in known]
    return module(encoded, *by_place, **{name: tensor for name, tensor in extra.items() if name in known})


def _input_names(module: nn.Module) -> set[str]:
    if isinstance(module, ExportedModule):
        return set(module.input_names)
    try:
        return set(inspect.signature(module.forward).parameters)
    except (TypeError, ValueError):
        return set()  # a scripted forward shows no signature


def weightless(module: nn.Module) -> nn.Module:
    """Return a copy on the meta device, for which no weights are copied."""
    memo: dict[int, Any] = {}
    for child in module.modules():
        held = [*child._parameters.values(), *child._buffers.values(), *vars(child).values()]
        for tensor in held:
            if isinstance(tensor, torch.Tensor) and id(tensor) not in memo:
                empty = torch.empty_like(tensor, device="meta")
                is_parameter = isinstance(tensor, nn.Parameter)
                memo[id(tensor)] = nn.Parameter(empty, requires_grad=False) if is_parameter else empty
    return copy.deepcopy(module, memo)
