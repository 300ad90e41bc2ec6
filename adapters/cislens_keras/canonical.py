"""The weights of Keras layers under the names and in the order of axes that `Oracle.weights` promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.oracle.encoding import Encoding
from cislens_keras.layers import Axes, channel_axis, inner

Array = npt.NDArray[Any]


def canonical_weights(operation: Any, axes: Axes, encoding: Encoding | None) -> dict[str, Array]:
    """Return a layer's arrays by name.

    Parameters
    ----------
    operation
        The layer.
    axes
        What the axes of its input count.
    encoding
        The model's form of DNA where the layer reads the sequence, else None.
    """
    layer = inner(operation)
    if not getattr(layer, "weights", None):
        return {}
    kind = type(layer).__name__
    if kind in ("Conv1D", "Conv2D"):
        kernel = _in_acgt(_convolution(np.asarray(layer.kernel), axes, channel_axis(layer, axes)), encoding)
    elif kind == "Dense":
        kernel = np.asarray(layer.kernel).T
        if "position" in axes[:-1]:
            kernel = _in_acgt(kernel[:, None, :], encoding)
    elif kind in ("BatchNormalization", "LayerNormalization"):
        return _normalisation(layer)
    else:
        return _as_they_are(layer)
    bias = np.asarray(layer.bias) if layer.bias is not None else np.zeros(len(kernel), kernel.dtype)
    return {"kernel": np.ascontiguousarray(kernel), "bias": bias}


def _convolution(kernel: Array, axes: Axes, channels: int) -> Array:
    """Return a kernel (*window, channels, units) as (units, width, channels), bases counted as channels."""
    if "position" not in axes or axes[channels] == "position":
        return np.moveaxis(kernel, -1, 0).reshape(kernel.shape[-1], 1, -1)
    spatial = [i for i in range(len(axes)) if i != channels]
    moved = np.moveaxis(kernel, spatial.index(axes.index("position")), 0)
    return np.moveaxis(moved, -1, 0).reshape(kernel.shape[-1], moved.shape[0], -1)


def _in_acgt(kernel: Array, encoding: Encoding | None) -> Array:
    if encoding is None or encoding.is_plain or kernel.shape[-1] != 4:
        return kernel
    return np.asarray(kernel[..., np.argsort(encoding.order)])


def _normalisation(layer: Any) -> dict[str, Array]:
    keys = {"scale": "gamma", "offset": "beta", "mean": "moving_mean", "variance": "moving_variance"}
    held = {name: getattr(layer, key, None) for name, key in keys.items()}
    arrays = {name: np.asarray(array) for name, array in held.items() if array is not None}
    if "mean" in arrays:  # a batch normalisation may be without scale or offset
        arrays.setdefault("scale", np.ones_like(arrays["mean"]))
        arrays.setdefault("offset", np.zeros_like(arrays["mean"]))
    return arrays


def _as_they_are(layer: Any) -> dict[str, Array]:
    names = [str(variable.path).split("/", 1)[-1] for variable in layer.weights]
    if len(set(names)) < len(names):
        names = [f"{name}_{i}" for i, name in enumerate(names)]
    return {name: np.asarray(variable) for name, variable in zip(names, layer.weights, strict=True)}
