"""The operators of exported programs, as the functions of torch that models call.

Watching a model knows torch's functions by name and by the order of their arguments. Most operators of `torch.ops.aten`
are such a function under the same name; this is the one place that tells where they differ.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from cislens.errors import OracleError
from cislens_torch.scripted import REACHING

Tensor = torch.Tensor
ATEN = re.compile(r"torch\.ops\.aten\.(?P<name>\w+)\.(?P<overload>\w+)")
# Where torch's functions take the arguments of the operators of the same name.
PLACES = (*(vars(torch._C)[name] for name in ("_VariableFunctions", "_nn")), Tensor)
# Of shapes, computed while the program runs.
OF_SHAPES: dict[str, Callable[..., Any]] = {
    f"_operator.{name}": getattr(operator, name)
    for name in "add sub mul floordiv truediv mod neg pow eq ne lt le gt ge and_ or_ not_".split()
} | {
    "math.ceil": math.ceil,
    "math.floor": math.floor,
    "math.trunc": math.trunc,
    "torch.sym_int": int,
    "torch.sym_float": float,
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_not": operator.not_,
}
# Conditions on shapes, which the oracle keeps.
ASSERTIONS = re.compile(r"_assert_\w+|_functional_assert_\w+|sym_constrain_range\w*|_assert_tensor_metadata")


def function_of(target: str) -> Callable[..., Any]:
    """Return the function of torch that an operator is.

    Raises
    ------
    OracleError
        If the operator is none of torch's own that compute.
    """
    if target in OF_SHAPES:
        return OF_SHAPES[target]
    match = ATEN.fullmatch(target)
    name = match["name"] if match else ""
    if match is None or name in REACHING or not hasattr(torch.ops.aten, name):
        raise OracleError(
            f"an exported program must be made of torch's own operators that compute (torch.ops.aten), got {target}: "
            "export the model without it, or open the module itself"
        )
    if name in OTHERWISE:
        return OTHERWISE[name]
    if ASSERTIONS.fullmatch(name):
        return _nothing
    for place in PLACES:
        if hasattr(place, name):
            return getattr(place, name)  # type: ignore[no-any-return]
    return getattr(getattr(torch.ops.aten, name), match["overload"])  # type: ignore[no-any-return]


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _batch_norm(
    x: Tensor, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, momentum: float, *rest: Any
) -> Tensor:
    return F.batch_norm(x, mean, variance, weight, bias, training, momentum, rest[0])


def _batch_norm_of_inference(
    x: Tensor, weight: Any, bias: Any, mean: Any, variance: Any, *rest: Any
) -> tuple[Tensor, None, None]:
    return F.batch_norm(x, mean, variance, weight, bias, False, *rest), None, None


def _layer_norm(x: Tensor, shape: list[int], weight: Any, bias: Any, epsilon: float) -> tuple[Tensor, None, None]:
    return F.layer_norm(x, shape, weight, bias, epsilon), None, None


def _convolution(x: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, *rest: Any) -> Tensor:
    transposed, output_padding, groups = rest
    spatial = weight.ndim - 2
    if transposed:
        function = (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d)[spatial - 1]
        return function(x, weight, bias, stride, padding, output_padding, groups, dilation)
    return (torch.conv1d, torch.conv2d, torch.conv3d)[spatial - 1](x, weight, bias, stride, padding, dilation, groups)


def _slice(x: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)]


def _index(x: Tensor, indices: list[Tensor | None]) -> Tensor:
    return x[tuple(slice(None) if index is None else index for index in indices)]


def _to_copy(x: Tensor, **options: Any) -> Tensor:
    given = {name: value for name, value in options.items() if name in ("dtype", "device") and value is not None}
    return x.to(**given) if given else x.clone()


def _to(x: Tensor, *args: Any, **options: Any) -> Tensor:
    return x.to(*args, **{name: value for name, value in options.items() if value is not None})


def _embedding(weight: Tensor, indices: Tensor, *_: Any, **__: Any) -> Tensor:
    return F.embedding(indices, weight)


def _addmm(bias: Tensor, x: Tensor, matrix: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    if bias.ndim == 1 and beta == alpha == 1:
        return F.linear(x, matrix.T, bias)
    return torch.addmm(bias, x, matrix, beta=beta, alpha=alpha)


def _dropout(x: Tensor, p: float, train: bool | None = True) -> tuple[Tensor, None]:
    return F.dropout(x, p, bool(train)), None


def _recurrent(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check what the modules of torch check and its operators do not, which then read memory that is not theirs."""

    def checked(x: Tensor, states: Any, weights: Any, *settings: Any) -> Any:
        *_, batch_first = settings
        listed = states if isinstance(states, list) else [states]
        batch = x.shape[0 if batch_first else 1]
        hidden = weights[1].shape[1]
        if any(state.shape[1:] != (batch, hidden) for state in listed) or x.shape[2] != weights[0].shape[1]:
            raise RuntimeError(f"a recurrent layer must start from states of shape (layers, {batch}, {hidden})")
        return function(x, states, weights, *settings)

    return checked


OTHERWISE: dict[str, Callable[..., Any]] = {
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm_of_inference,
    "native_layer_norm": _layer_norm,
    "convolution": _convolution,
    "slice": _slice,
    "index": _index,
    "_to_copy": _to_copy,
    "to": _to,
    "embedding": _embedding,
    "addmm": _addmm,
    "native_dropout": _dropout,
    "_softmax": lambda x, dim, _: torch.softmax(x, dim),
    "_log_softmax": lambda x, dim, _: torch.log_softmax(x, dim),
    "_unsafe_view": Tensor.reshape,
    "lift_fresh_copy": Tensor.clone,
    "log_sigmoid": F.logsigmoid,
    "numpy_T": lambda x: x.T,
    "sym_size": Tensor.size,
    **{name: _recurrent(getattr(PLACES[0], name)) for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
}
