"""From a head's array to the scalar of a target, in numpy or in any library that offers the same few functions."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cislens.errors import TargetError
from cislens.oracle.head import Head
from cislens.target import Target, output_index

Array = npt.NDArray[Any]
# A probability nearer to 0 or 1 than this is taken as this: float32 cannot tell it from 0 or 1.
SATURATION = 1e-7


class Functions(Protocol):
    """The functions of an array library that reductions need; arrays themselves index, reshape and sum alike."""

    def exp(self, y: Any, /) -> Any:
        """Return e to the y."""

    def log(self, y: Any, /) -> Any:
        """Return the natural logarithm."""

    def largest(self, y: Any, /) -> Any:
        """Return the maximum along the last axis, which is kept with size 1."""

    def constant(self, y: Any, /) -> Any:
        """Return the values as constants, through which no gradient flows."""

    def clip(self, y: Any, low: float, high: float, /) -> Any:
        """Return y between the bounds."""

    def like(self, values: Any, y: Any, /) -> Any:
        """Return a sequence of numbers as an array of the kind, type and device of y."""


class NumpyFunctions:
    """The functions of numpy."""

    exp = staticmethod(np.exp)
    log = staticmethod(np.log)
    clip = staticmethod(np.clip)

    @staticmethod
    def largest(y: Array) -> Array:
        """Return the maximum along the last axis, kept."""
        return np.asarray(y.max(-1, keepdims=True))

    @staticmethod
    def constant(y: Array) -> Array:
        """Return y: numpy tracks no gradients."""
        return y

    @staticmethod
    def like(values: Any, y: Array) -> Array:
        """Return values as an array of y's type."""
        return np.asarray(values, y.dtype)


NUMPY = NumpyFunctions()


def profile(target: Target, head: Head, y: Any) -> Any:
    """Return what a target reads of its head, as (n, strands, positions): output chosen, window cut."""
    axes = ["batch", *head.axes]
    if "output" in axes:
        y = y[(slice(None),) * axes.index("output") + (output_index(target, head),)]
        axes.remove("output")
    n = y.shape[0]
    if axes == ["batch", "position", "strand"]:
        y = y.swapaxes(1, 2)
    elif axes == ["batch", "strand"]:
        y = y.reshape(n, y.shape[1], 1)
    else:
        y = y if "strand" in axes else y.reshape(n, 1, y.shape[1] if len(axes) > 1 else 1)
    if target.window is not None:
        if target.window[1] > y.shape[2]:  # known only now of a profile that grows with the input
            raise TargetError(
                f"target {target} needs {target.window[1]} positions, but head {head.name!r} has {y.shape[2]}"
            )
        y = y[:, :, target.window[0] : target.window[1]]
    return y


def reduce(target: Target, head: Head, y: Any, functions: Functions = NUMPY) -> Any:
    """Return the scalar of a resolved target for each row of its head's array: (n,)."""
    z = profile(target, head, y)
    flat = z.reshape(z.shape[0], z.shape[1] * z.shape[2])
    return _transform(target, head, _reduced(target, head, z, flat, functions), functions)


def _reduced(target: Target, head: Head, z: Any, flat: Any, functions: Functions) -> Any:
    kind = target.reduction
    if kind == "contribution":
        return (functions.constant(_softmax(z, functions)) * z).sum(-1).sum(-1) / z.shape[1]
    if kind == "pc1":
        if target.component is None:
            raise TargetError("the principal component of this target is not fitted: explain fits it, or Target.fitted")
        direction, centre = (functions.like(part, flat) for part in target.component)
        return ((flat - centre) * direction).sum(-1)
    if kind == "max":
        return functions.largest(flat)[:, 0]
    if kind == "counts" and head.scale == "log":
        top = functions.constant(functions.largest(flat))
        return functions.log(functions.exp(flat - top).sum(-1)) + top[:, 0]
    if kind == "mean":
        return flat.sum(-1) / flat.shape[1]
    if kind in ("sum", "counts"):
        return flat.sum(-1)
    if flat.shape[1] != 1:
        raise TargetError(
            f"target {target} leaves {flat.shape[1]} numbers of head {head.name!r}: append :sum, :mean or :max"
        )
    return flat[:, 0]


def _transform(target: Target, head: Head, value: Any, functions: Functions) -> Any:
    if target.transform == "logit" and head.scale == "logit":
        return value
    if target.transform == "logit":
        if bool((value < 0).any()) or bool((value > 1).any()):
            raise TargetError(
                f"the logit of {target} needs probabilities between 0 and 1, got other values: drop :logit"
            )
        p = functions.clip(value, SATURATION, 1 - SATURATION)
        return functions.log(p) - functions.log(1 - p)
    if target.transform == "log":
        if bool((value <= 0).any()):
            raise TargetError(f"the log of {target} needs values above 0, got others: drop :log")
        return functions.log(value)
    return value


def pull(target: Target, head: Head, y: Array, cotangent: Array) -> Array:
    """Return the pullback of `reduce`: (n,) back to the head's shape (n, *shape)."""
    z = profile(target, head, y)
    flat = z.reshape(len(z), z.shape[1] * z.shape[2])
    value = _reduced(target, head, z, flat, NUMPY)
    weight = _weight(target, head, z, flat) * (cotangent * _slope(target, head, value))[:, None]
    back = np.zeros_like(y, dtype=np.result_type(y, np.float32))
    # `profile` cuts and reorders without copying, so writing into its view of `back` places the weights.
    view = profile(target, head, back)
    assert np.shares_memory(view, back) or not back.size
    view[...] = weight.reshape(z.shape)
    return back


def _weight(target: Target, head: Head, z: Array, flat: Array) -> Array:
    kind = target.reduction
    if kind == "contribution":
        return np.asarray(_softmax(z, NUMPY) / z.shape[1]).reshape(flat.shape)
    if kind == "pc1":
        assert target.component is not None
        return np.broadcast_to(np.asarray(target.component[0], flat.dtype), flat.shape)
    if kind == "max":
        return np.asarray(np.arange(flat.shape[1]) == flat.argmax(1)[:, None], flat.dtype)
    if kind == "counts" and head.scale == "log":
        return np.asarray(_softmax(flat, NUMPY))
    if kind == "mean":
        return np.full_like(flat, 1 / flat.shape[1])
    return np.ones_like(flat)


def _slope(target: Target, head: Head, value: Array) -> Array:
    if target.transform == "logit" and head.scale != "logit":
        p = np.clip(value, SATURATION, 1 - SATURATION)
        return np.asarray(np.where(p == value, 1 / (p * (1 - p)), 0))
    if target.transform == "log":
        return np.asarray(1 / value)
    return np.ones_like(value)


def _softmax(y: Any, functions: Functions) -> Any:
    shifted = functions.exp(y - functions.constant(functions.largest(y)))
    return shifted / shifted.sum(-1)[..., None]
