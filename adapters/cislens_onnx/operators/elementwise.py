"""Operators that treat each value alike."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

import torch
from onnx import TensorProto
from torch.nn import functional

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators.registry import Operator, operator

# What has no settings, and is computed by one function of torch.
PLAIN: dict[str, Callable[..., torch.Tensor]] = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Sqrt": torch.sqrt,
    "Exp": torch.exp,
    "Log": torch.log,
    "Neg": torch.neg,
    "Abs": torch.abs,
    "Reciprocal": torch.reciprocal,
    "Sign": torch.sign,
    "Floor": torch.floor,
    "Ceil": torch.ceil,
    "Round": torch.round,
    "Erf": torch.erf,
    "Sin": torch.sin,
    "Cos": torch.cos,
    "Tan": torch.tan,
    "Asin": torch.asin,
    "Acos": torch.acos,
    "Atan": torch.atan,
    "Sinh": torch.sinh,
    "Cosh": torch.cosh,
    "Tanh": torch.tanh,
    "Asinh": torch.asinh,
    "Acosh": torch.acosh,
    "Atanh": torch.atanh,
    "Sigmoid": torch.sigmoid,
    "Relu": functional.relu,
    "Softplus": functional.softplus,
    "Softsign": functional.softsign,
    "HardSwish": functional.hardswish,
    "Mish": functional.mish,
    "Where": torch.where,
    "Equal": torch.eq,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "And": torch.logical_and,
    "Or": torch.logical_or,
    "Xor": torch.logical_xor,
    "Not": torch.logical_not,
    "BitwiseAnd": torch.bitwise_and,
    "BitwiseOr": torch.bitwise_or,
    "BitwiseXor": torch.bitwise_xor,
    "BitwiseNot": torch.bitwise_not,
    "IsNaN": torch.isnan,
}
TYPES = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.INT8: torch.int8,
    TensorProto.INT16: torch.int16,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.UINT8: torch.uint8,
    TensorProto.BOOL: torch.bool,
}
SELU = (1.67326319217681884765625, 1.05070102214813232421875)


def _plain(function: Callable[..., torch.Tensor]) -> Operator:
    return lambda _node, *inputs: function(*inputs)


for name, function in PLAIN.items():
    operator(name)(_plain(function))


@operator("Div")
def quotient(_node: Node, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Divide; integers are cut to integers."""
    return torch.div(a, b) if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


@operator("Mod")
def remainder(node: Node, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return what division leaves, with the sign of the divisor or, as C does, of the dividend."""
    return torch.fmod(a, b) if node.setting("fmod", 0) else torch.remainder(a, b)


@operator("Pow")
def power(_node: Node, base: torch.Tensor, exponent: torch.Tensor) -> torch.Tensor:
    """Raise to a power; the answer is of the base's type."""
    answer = torch.pow(base, exponent)
    return answer if answer.dtype == base.dtype else answer.to(base.dtype)


@operator("LeakyRelu")
def leaky_relu(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Multiply negative values by one slope."""
    return functional.leaky_relu(x, node.setting("alpha", 0.01))


@operator("PRelu")
def prelu(_node: Node, x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """Multiply negative values by slopes."""
    aligned = slope.shape if slope.ndim == x.ndim else (1,) * (x.ndim - slope.ndim) + slope.shape
    if slope.numel() == 1 or (x.ndim > 1 and slope.numel() == aligned[1] == x.shape[1]):
        return functional.prelu(x, slope.reshape(-1))
    return torch.where(x < 0, slope * x, x)


@operator("Elu")
def elu(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Let negative values approach a bound."""
    return functional.elu(x, node.setting("alpha", 1.0))


@operator("Selu")
def selu(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Let negative values approach a bound, and scale all."""
    alpha, gamma = node.setting("alpha", SELU[0]), node.setting("gamma", SELU[1])
    return functional.selu(x) if (alpha, gamma) == SELU else gamma * functional.elu(x, alpha)


@operator("Celu")
def celu(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Let negative values approach a bound, smoothly at zero."""
    return functional.celu(x, node.setting("alpha", 1.0))


@operator("ThresholdedRelu")
def thresholded_relu(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Keep values above a threshold."""
    return functional.threshold(x, node.setting("alpha", 1.0), 0.0)


@operator("Shrink")
def shrink(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Move values towards zero, those near it to zero."""
    bias, bound = node.setting("bias", 0.0), node.setting("lambd", 0.5)
    if bias == 0:
        return functional.hardshrink(x, bound)
    if bias == bound:
        return functional.softshrink(x, bound)
    return torch.where(x.abs() > bound, x - bias * torch.sign(x), torch.zeros_like(x))


@operator("HardSigmoid")
def hard_sigmoid(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Scale and shift, and bound to between 0 and 1."""
    alpha, beta = node.setting("alpha", 0.2), node.setting("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return functional.hardsigmoid(x)
    return torch.clamp(torch.add(torch.mul(x, alpha), beta), 0, 1)


@operator("Gelu")
def gelu(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Multiply by the normal distribution's function of the value, or by an approximation of it."""
    return functional.gelu(x, approximate=node.setting("approximate", "none"))


@operator("Swish")
def swish(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Multiply by the sigmoid of the (scaled) value."""
    alpha = node.setting("alpha", 1.0)
    return functional.silu(x) if alpha == 1 else torch.mul(x, torch.sigmoid(torch.mul(x, alpha)))


@operator("Clip")
def clip(
    _node: Node, x: torch.Tensor, low: torch.Tensor | None = None, high: torch.Tensor | None = None
) -> torch.Tensor:
    """Bound values."""
    return x if low is None and high is None else torch.clamp(x, low, high)


@operator("Min")
def minimum(_node: Node, *inputs: torch.Tensor) -> torch.Tensor:
    """Return the smallest of several values."""
    return reduce(torch.minimum, inputs)


@operator("Max")
def maximum(_node: Node, *inputs: torch.Tensor) -> torch.Tensor:
    """Return the largest of several values."""
    return reduce(torch.maximum, inputs)


@operator("Sum")
def total(_node: Node, *inputs: torch.Tensor) -> torch.Tensor:
    """Add several values."""
    return reduce(torch.add, inputs)


@operator("Mean")
def mean(_node: Node, *inputs: torch.Tensor) -> torch.Tensor:
    """Return the mean of several values."""
    return torch.div(reduce(torch.add, inputs), len(inputs))


@operator("IsInf")
def infinite(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Tell which values are infinite, of one sign or either."""
    positive, negative = node.setting("detect_positive", 1), node.setting("detect_negative", 1)
    return torch.isposinf(x) * bool(positive) + torch.isneginf(x) * bool(negative)


@operator("Cast")
def cast(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Change the number type."""
    wanted = node.setting("to")
    if wanted not in TYPES:
        raise Uncovered(f"Cast to {TensorProto.DataType.Name(wanted)}")
    return x.to(TYPES[wanted])


@operator("CastLike")
def cast_like(_node: Node, x: torch.Tensor, example: torch.Tensor) -> torch.Tensor:
    """Change the number type to that of an example."""
    return x.to(example.dtype)


@operator("Identity")
def identity(_node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return values as they are."""
    return x
