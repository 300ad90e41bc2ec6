"""An oracle whose answers are computed by torch: what all of them share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from cislens.errors import OracleError
from cislens.oracle.base import Array, Oracle, Outputs, Pullback
from cislens.oracle.encoding import Encoding
from cislens.oracle.head import Head
from cislens_torch.layers import to_numpy
from cislens_torch.operation import Axes


@dataclass(frozen=True)
class Placement:
    """Say where a model computes and in which number type."""

    device: torch.device
    dtype: torch.dtype


class TensorOracle(Oracle):
    """Answer with a torch computation, on tensors or on numpy arrays.

    Parameters
    ----------
    module
        The model; it is left as it was found.
    placement
        Where it computes.
    name, heads, length, fixed_batch
        As in `Oracle`.
    """

    def __init__(
        self,
        module: nn.Module,
        placement: Placement,
        name: str,
        heads: tuple[Head, ...],
        length: int | None,
        fixed_batch: int | None = None,
    ) -> None:
        self.module = module
        self.placement = placement
        self.dtype = np.float64 if placement.dtype == torch.float64 else np.float32
        size = self.options.batch_size if self.options is not None else "auto"
        super().__init__(name, heads, length, batch_size=size, device=str(placement.device), fixed_batch=fixed_batch)

    @abstractmethod
    def _answer(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the heads' tensors for (n, length, 4) on the model's device; called with the model in evaluation."""

    def answer(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the heads' tensors for a tensor (n, length, 4), on the model's device, counted.

        Gradients flow back to `x` where it asks for them, and every backward pass counts its sequences; the model's
        own parameters get none.
        """
        self._check_tensor(x)
        follows = x.requires_grad and torch.is_grad_enabled()
        self.counts.predictions += len(x)
        if follows:
            x = x.view_as(x)
            x.register_hook(self._count_pullback)  # type: ignore[no-untyped-call]
        with torch.set_grad_enabled(follows), evaluating(self.module, frozen=follows):
            return self._answer_rows(x.to(self.placement.device))

    def _answer_rows(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the answers to any number of rows, of a model of a fixed batch part by part."""
        size = self.fixed_batch
        if size is None or len(x) == size:
            return self._answer(x)
        filled = torch.cat([x, x.new_zeros((-len(x) % size, *x.shape[1:]))])
        parts = [self._answer(part) for part in torch.split(filled, size)]
        return {name: torch.cat([part[name] for part in parts])[: len(x)] for name in parts[0]}

    def _count_pullback(self, gradient: torch.Tensor) -> None:
        self.counts.pullbacks += len(gradient)

    def _check_tensor(self, x: torch.Tensor) -> None:
        wanted = self.length if self.length is not None else "length"
        fits = x.ndim == 3 and x.shape[2] == 4 and self.length in (None, x.shape[1]) and x.is_floating_point()
        if not fits:
            raise OracleError(
                f"a tensor for {self.name} must hold floating-point numbers (n, {wanted}, 4), "
                f"got {tuple(x.shape)} of {x.dtype}"
            )

    def _tensor(self, x: Array) -> torch.Tensor:
        return torch.from_numpy(x if x.flags.writeable else x.copy()).to(self.placement.device)

    def _predict(self, x: Array) -> Outputs:
        with torch.no_grad(), evaluating(self.module):
            return {name: to_numpy(part) for name, part in self._answer(self._tensor(x)).items()}

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        leaf = self._tensor(x).requires_grad_()
        with torch.enable_grad(), evaluating(self.module, frozen=True):
            tensors = self._answer(leaf)

        def pullback(cotangent: Mapping[str, Array]) -> Array:
            # An answer that no gradient reaches counts as a constant.
            names = [name for name in cotangent if tensors[name].requires_grad]
            if not names:
                return np.zeros(x.shape, x.dtype)
            given = [torch.from_numpy(np.array(cotangent[name])).to(tensors[name]) for name in names]
            gradient = torch.autograd.grad(
                [tensors[name] for name in names], leaf, given, retain_graph=True, allow_unused=True
            )[0]
            return np.zeros(x.shape, x.dtype) if gradient is None else to_numpy(gradient)

        return {name: to_numpy(part) for name, part in tensors.items()}, pullback

    def _is_out_of_memory(self, error: Exception) -> bool:
        text = str(error)
        ran_out = isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
        return isinstance(error, MemoryError) or ran_out


@contextmanager
def evaluating(module: nn.Module, *, frozen: bool = False) -> Iterator[None]:
    """Run with a model in evaluation mode, its parameters without gradients, and leave it as it was found.

    Modules' own flags are set, not `train` and `eval` called, which models override. No gradient mode but
    `torch.no_grad` is used to predict: tensors that a model keeps for later would stay inference tensors for ever.
    """
    training = [child for child in module.modules() if child.training]
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad] if frozen else []
    try:
        for child in training:
            child.training = False
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for child in training:
            child.training = True
        for parameter in learning:
            parameter.requires_grad_(True)


def encode(x: torch.Tensor, encoding: Encoding, dtype: torch.dtype) -> torch.Tensor:
    """Return (n, length, 4) in the model's form, as a tensor of its own; gradients pass as through `Encoding.undo`."""
    if encoding.n_value:
        x = x + encoding.n_value * (~x.detach().any(-1, keepdim=True)).to(x.dtype)
    if not encoding.is_plain:
        x = x[..., list(encoding.order)]
    axes = encoding.layout.split(",")
    if axes.index("4") < axes.index("length"):
        x = x.transpose(1, 2)
    if "1" in axes:
        x = x.unsqueeze(1 + axes.index("1"))
    # One copy in any case: a model that works in place must not change its caller's sequences.
    return x.to(dtype).clone(memory_format=torch.contiguous_format)


def input_axes(encoding: Encoding) -> Axes:
    """Return where an encoded input has its sequences and positions."""
    return Axes(0, 1 + encoding.layout.split(",").index("length"))


def named_outputs(answer: Any) -> dict[str, torch.Tensor]:
    """Return a model's answer by name: "output" of a tensor, output0, output1, ... of several, a dictionary's keys.

    Raises
    ------
    OracleError
        If it holds anything but tensors.
    """
    if isinstance(answer, torch.Tensor):
        return {"output": answer}
    if isinstance(answer, Mapping):
        named = {str(key): part for key, part in answer.items()}
    elif isinstance(answer, tuple | list):
        named = {f"output{i}": part for i, part in enumerate(answer)}
    else:
        named = {"": answer}
    for part in named.values():
        if not isinstance(part, torch.Tensor):
            raise OracleError(
                "a model must answer with a tensor, or a tuple or dictionary of tensors, got "
                f"{type(part).__name__}: wrap it in a module that returns them"
            )
    return named
