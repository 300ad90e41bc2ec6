"""Noise models: how an oracle's answers scatter around what a surrogate says is most probable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]
Kind = Literal["gaussian", "student", "cauchy", "skewed_t"]
# Which of log scale, log a and log b are polynomials of the mode with coefficients of their own.
FREE = {"gaussian": 1, "cauchy": 1, "student": 2, "skewed_t": 3}
CAUCHY = 0.5  # a = b of a Cauchy distribution
START = math.log(3.0)  # log a and log b at first: tails between Cauchy's and a Gaussian's
WITHIN = 12.0  # logarithms of scale, a and b are kept within; a curve that runs off meets no overflow
TINY = 1e-150  # share of the answers beyond which a quantile is not followed


@dataclass(frozen=True)
class Noise:
    """Give the density of an answer around its mode.

    The skewed t distribution of Jones and Faddy has a scale s and two tails a and b: with a = b it is Student's t of 2a
    degrees of freedom, with a = b = 1/2 Cauchy's. The logarithms of s, a and b are polynomials of the mode, whose order
    is 0 for noise that is everywhere the same. Values and modes are in units of the answers' standard deviation.

    Parameters
    ----------
    kind
        "gaussian", "student", "cauchy" or "skewed_t".
    order
        Of the polynomials.

    References
    ----------
    Jones & Faddy 2003, 10.1111/1467-9868.00378. Tareen et al. 2022, 10.1186/s13059-022-02661-7 (MAVE-NN), whose
    parameters these are.
    """

    kind: Kind = "skewed_t"
    order: int = 2

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return FREE[self.kind] * (self.order + 1)

    def start(self, spread: float) -> Array:
        """Return parameters (size,) of noise of that spread, everywhere the same."""
        table = np.zeros((FREE[self.kind], self.order + 1))
        table[0, 0] = math.log(spread)
        table[1:, 0] = START
        return table.ravel()

    def shape(self, mode: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return log scale, log a and log b at each mode (n,); log a and log b are nothing to a Gaussian.

        Parameters are (size,), or (size, n) where each mode has its own.
        """
        table = parameters.reshape(FREE[self.kind], self.order + 1, *parameters.shape[1:])
        rows = [_polynomial(row, mode) for row in table]
        if self.kind == "cauchy":
            tails = torch.full_like(mode, math.log(CAUCHY))
            return rows[0], tails, tails
        return rows[0], rows[min(1, len(rows) - 1)], rows[-1]

    def log_density(self, y: Tensor, mode: Tensor, parameters: Tensor) -> Tensor:
        """Return the natural logarithm of the density of answers y (n,) given their modes (n,)."""
        log_scale, log_a, log_b = self.shape(mode, parameters)
        distance = (y - mode) * torch.exp(-log_scale)
        if self.kind == "gaussian":
            return -0.5 * distance.square() - log_scale - 0.5 * math.log(2 * math.pi)
        a, b = log_a.exp(), log_b.exp()
        t = distance + most_probable(a, b)
        root = torch.sqrt(a + b + t.square())
        # 1 + t / root and 1 - t / root without the loss of digits where t is far out on one side.
        nearer = (a + b) / (root * (root + t.abs()))
        upper = torch.where(t > 0, 2 - nearer, nearer)
        lower = torch.where(t > 0, nearer, 2 - nearer)
        constant = (1 - a - b) * math.log(2) - 0.5 * torch.log(a + b) + torch.lgamma(a + b)
        tails = (a + 0.5) * torch.log(upper) + (b + 0.5) * torch.log(lower)
        return constant - torch.lgamma(a) - torch.lgamma(b) + tails - log_scale

    def mean(self, mode: Array, parameters: Array) -> Array:
        """Return the mean answer at each mode (n,); NaN where the tails are so heavy that there is none."""
        from scipy.special import gammaln  # type: ignore[import-untyped]

        if self.kind == "gaussian":
            return mode
        scale, a, b = self._arrays(mode, parameters)
        exists = np.minimum(a, b) > 0.5
        a, b = np.where(exists, a, 1.0), np.where(exists, b, 1.0)
        log_ratio = gammaln(a - 0.5) - gammaln(a) + gammaln(b - 0.5) - gammaln(b)
        mean = (a - b) * np.sqrt(a + b) / 2 * np.exp(log_ratio)
        top = most_probable(torch.from_numpy(a), torch.from_numpy(b)).numpy()
        return np.where(exists, mode + scale * (mean - top), np.nan)

    def quantile(self, q: float, mode: Array, parameters: Array) -> Array:
        """Return the answer below which a share q lies, at each mode (n,)."""
        from scipy.special import betaincinv, ndtri

        scale, a, b = self._arrays(mode, parameters)
        if self.kind == "gaussian":
            return np.asarray(mode + scale * ndtri(q))
        # Both shares, since one minus the other is lost where a tail is very heavy.
        below, above = (np.maximum(share, TINY) for share in (betaincinv(a, b, q), betaincinv(b, a, 1 - q)))
        t = np.sqrt(a + b) / 2 * (np.sqrt(below / above) - np.sqrt(above / below))
        return np.asarray(mode + scale * (t - most_probable(torch.from_numpy(a), torch.from_numpy(b)).numpy()))

    def _arrays(self, mode: Array, parameters: Array) -> tuple[Array, Array, Array]:
        shape = self.shape(torch.from_numpy(np.asarray(mode, np.float64)), torch.from_numpy(parameters))
        scale, a, b = (part.exp().numpy() for part in shape)
        return scale, a, b


def most_probable(a: Tensor, b: Tensor) -> Tensor:
    """Return where the standard density has its top."""
    return (a - b) * torch.sqrt(a + b) / torch.sqrt((2 * a + 1) * (2 * b + 1))


def _polynomial(coefficients: Tensor, at: Tensor) -> Tensor:
    value = coefficients[-1].expand_as(at)
    for coefficient in coefficients.flip(0)[1:]:
        value = value * at + coefficient
    return value.clamp(-WITHIN, WITHIN)
