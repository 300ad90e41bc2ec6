"""Any oracle as a function of torch tensors, through which gradients flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np
import torch

from cislens.errors import CapabilityError
from cislens.oracle.base import Array, Oracle
from cislens.reduction import reduce
from cislens.target import head_of
from cislens.targeted import Targeted
from cislens_torch.layers import to_numpy
from cislens_torch.tensors import TensorOracle

Tensor = torch.Tensor


class TorchFunctions:
    """The functions of torch that reductions need."""

    exp = staticmethod(torch.exp)
    log = staticmethod(torch.log)

    @staticmethod
    def clip(y: Tensor, low: float, high: float) -> Tensor:
        """Return y between the bounds."""
        return y.clamp(low, high)

    @staticmethod
    def largest(y: Tensor) -> Tensor:
        """Return the maximum along the last axis, kept; the gradient goes to the first of equal ones, as in numpy."""
        return y.gather(-1, y.detach().argmax(-1, keepdim=True))

    @staticmethod
    def constant(y: Tensor) -> Tensor:
        """Return y without its gradient."""
        return y.detach()

    @staticmethod
    def like(values: Any, y: Tensor) -> Tensor:
        """Return values as a tensor of y's type, where y is."""
        return torch.as_tensor(values, dtype=y.dtype, device=y.device)


TORCH = TorchFunctions()


@overload
def bridge(oracle: Targeted) -> Callable[[Tensor], Tensor]: ...


@overload
def bridge(oracle: Oracle) -> Callable[[Tensor], dict[str, Tensor]]: ...


def bridge(oracle: Oracle | Targeted) -> Callable[[Tensor], Any]:
    """Return an oracle as a differentiable function of tensors.

    An explainer that trains with torch trains through any oracle with it. A torch model is handed the tensors as they
    are, on its device; any other is asked through numpy, one forward pass for each call and one backward pass for each
    gradient. Both count alike.

    Parameters
    ----------
    oracle
        An oracle, or one seen through targets.

    Returns
    -------
    Callable
        Takes a tensor (n, length, 4). Of a `Targeted` it gives (n, t), else each head's tensor by name. Gradients
        reach the input only, and once: there is no second derivative through numpy.

    Raises
    ------
    CapabilityError
        When a gradient is asked of an oracle that has none.

    Examples
    --------
    >>> import torch
    >>> from cislens import open_oracle
    >>> from cislens_torch import bridge
    >>> oracle = open_oracle(torch.nn.Sequential(torch.nn.Conv1d(4, 2, 3), torch.nn.AdaptiveMaxPool1d(1)))
    >>> bridge(oracle)(torch.zeros(5, 20, 4))["output"].shape
    torch.Size([5, 2, 1])
    """
    behind = oracle.oracle if isinstance(oracle, Targeted) else oracle
    if not isinstance(behind, TensorOracle) or "linearize" not in behind.capabilities:
        return _through_numpy(oracle)
    if isinstance(oracle, Targeted):
        return _targets(oracle, behind)
    return behind.answer


def _targets(targeted: Targeted, oracle: TensorOracle) -> Callable[[Tensor], Tensor]:
    def answer(x: Tensor) -> Tensor:
        outputs = oracle.answer(x)
        columns = []
        for target in targeted.targets:
            head = head_of(target, oracle.heads)
            columns.append(reduce(target, head, outputs[head.name], TORCH))
        return torch.stack(columns, dim=1)

    return answer


def _through_numpy(oracle: Oracle | Targeted) -> Callable[[Tensor], Any]:
    names = None if isinstance(oracle, Targeted) else [head.name for head in oracle.heads]

    def answer(x: Tensor) -> Any:
        follows = x.requires_grad and torch.is_grad_enabled()
        parts = _Numpy.apply(x, oracle, follows)  # type: ignore[no-untyped-call]
        return parts[0] if names is None else dict(zip(names, parts, strict=True))

    return answer


class _Numpy(torch.autograd.Function):
    """Ask an oracle through numpy."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, oracle: Oracle | Targeted, follows: bool) -> tuple[Tensor, ...]:
        array = to_numpy(x)
        ctx.oracle, ctx.like, ctx.pullback = oracle, x, None
        if follows and "linearize" in oracle.capabilities:
            answer, ctx.pullback = oracle.linearize(array)
        else:
            answer = oracle.predict(array)
        arrays = [answer] if isinstance(oracle, Targeted) else [answer[head.name] for head in oracle.heads]
        return tuple(torch.from_numpy(np.array(part)).to(x.device) for part in arrays)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] (the decorator hides the first name)
        ctx: Any, *cotangents: Tensor
    ) -> tuple[Tensor, None, None]:
        oracle = ctx.oracle
        if ctx.pullback is None:
            behind = oracle.oracle if isinstance(oracle, Targeted) else oracle
            raise CapabilityError(
                f"{oracle.name} must offer 'linearize' for a gradient, but cannot: {behind.why_not('linearize')}"
            )
        arrays = [to_numpy(part) for part in cotangents]
        given: Any = arrays[0]
        if not isinstance(oracle, Targeted):
            given = {head.name: part for head, part in zip(oracle.heads, arrays, strict=True)}
        gradient: Array = ctx.pullback(given)
        return torch.from_numpy(gradient).to(ctx.like), None, None
