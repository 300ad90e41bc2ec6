"""Windows over positions: convolution, its transpose, and pooling, in numpy."""

from __future__ import annotations

import numpy as np

from cislens.oracle.base import Array


def convolve(value: Array, kernel: Array) -> Array:
    """Return (n, positions - width + 1, units) from (n, positions, channels) and (units, width, channels)."""
    windows = np.lib.stride_tricks.sliding_window_view(value, kernel.shape[1], axis=1)
    return np.asarray(np.einsum("njck,ukc->nju", windows, kernel))


def transposed_convolution(slope: Array, kernel: Array, positions: int) -> Array:
    """Return the pullback of `convolve`: (n, positions, channels) from (n, windows, units)."""
    back = np.zeros((len(slope), positions, kernel.shape[2]))
    for k in range(kernel.shape[1]):
        back[:, k : k + slope.shape[1]] += slope @ kernel[:, k]
    return back


def pool_windows(value: Array, width: int) -> Array:
    """Cut (n, positions, units) into (n, windows, width, units); what is left over at the end is not seen."""
    windows = value.shape[1] // width
    return value[:, : windows * width].reshape(len(value), windows, width, value.shape[2])


def log_sum_exp(values: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """Return the log of the sum of e to the values along axes."""
    top = values.max(axis, keepdims=True)
    return np.asarray((top + np.log(np.exp(values - top).sum(axis, keepdims=True))).squeeze(axis))


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + e^-z)."""
    return np.asarray(0.5 * (1 + np.tanh(z / 2)))
