"""The global epistasis nonlinearity: from the latent phenotype to the most probable answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]
Kind = Literal["tanh", "linear"]
KNOTS = 1024  # of the table from which the curve is read where there are more variants than that
BINS = 400  # of latent phenotypes, to which the curve is fitted at the start
STEEPNESS = 0.5  # width of a node at the start, in standard deviations of the latent phenotype
NARROWEST = 1e-12  # distance of two knots, where all latent phenotypes are alike
SMALLEST = 1e-3  # height of a node at the start, where the fit would give it none


@dataclass(frozen=True)
class Nonlinearity:
    """Give the most probable answer g(phi) = a + sum over nodes of b tanh(c phi + d), or g(phi) = a + b phi.

    Latent phenotypes and answers are in units of their standard deviations over the library.

    Parameters
    ----------
    kind
        "tanh" or "linear".
    monotonic
        Whether all b and c are positive, so that the answer never falls where the latent phenotype rises.
    nodes
        How many.

    References
    ----------
    Tareen et al. 2022, 10.1186/s13059-022-02661-7 (MAVE-NN), whose parameters these are.
    """

    kind: Kind = "tanh"
    monotonic: bool = True
    nodes: int = 50

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return 2 if self.kind == "linear" else 1 + 3 * self.nodes

    def start(self, phi: Array, y: Array) -> Array:
        """Return parameters (size,) that fit answers y to latent phenotypes phi (n,) in the least squares sense."""
        if self.kind == "linear":
            slope = float(((phi - phi.mean()) * y).mean() / (phi.var() or 1.0))
            return np.array([y.mean() - slope * phi.mean(), slope])
        from scipy.optimize import nnls  # type: ignore[import-untyped]

        centres = np.quantile(phi, (np.arange(self.nodes) + 0.5) / self.nodes)
        steepness = 1 / (STEEPNESS * (phi.std() or 1.0))
        # Means over bins of the latent phenotype: the curve is all that is sought here.
        bins = np.array_split(np.argsort(phi), min(len(phi), BINS))
        phi, y = (np.array([values[rows].mean() for rows in bins]) for values in (phi, y))
        nodes = np.tanh(steepness * (phi[:, None] - centres))
        design = np.column_stack([np.ones(len(phi)), -np.ones(len(phi)), nodes])
        # A little of each node costs something, so that those that are of no use stay small.
        weight = np.sqrt(1e-3 * len(phi)) * np.eye(design.shape[1])[2:]
        heights = nnls(np.vstack([design, weight]), np.concatenate([y, np.zeros(self.nodes)]))[0]
        b, c = np.maximum(heights[2:], SMALLEST), np.full(self.nodes, steepness)
        if self.monotonic:
            b, c = np.log(b), np.log(c)
        return np.concatenate([[heights[0] - heights[1]], b, c, -steepness * centres])

    def __call__(self, phi: Tensor, parameters: Tensor) -> Tensor:
        """Return the most probable answers (n,), differentiable by both.

        Where there are many variants the curve is read from a table of `KNOTS` values and slopes, between which it
        is a cubic; the table covers all of phi, and is off by less than 1e-6 (a test holds that) unless a node is so
        steep that it is a step; a monotonic curve does not fall there either.
        """
        if self.kind == "linear":
            return parameters[0] + parameters[1] * phi
        if len(phi) <= KNOTS:
            return self.curve(phi, parameters)[0]
        with torch.no_grad():
            low, high = phi.min(), phi.max()
            step = ((high - low) / (KNOTS - 1)).clamp(min=NARROWEST)
            knots = low + step * torch.arange(KNOTS, dtype=phi.dtype)
        values, slopes = self.curve(knots, parameters)
        return _between(values, slopes * step, (phi - low) / step, self.monotonic)

    def curve(self, phi: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Return the most probable answers and their slopes by phi, (n,) each, from the nodes themselves."""
        if self.kind == "linear":
            return self(phi, parameters), parameters[1].expand_as(phi)
        a, (b, c, d) = parameters[0], parameters[1:].reshape(3, self.nodes)
        if self.monotonic:
            b, c = b.exp(), c.exp()
        nodes = torch.tanh(phi[:, None] * c + d)
        return a + nodes @ b, (1 - nodes.square()) @ (b * c)


def _between(values: Tensor, slopes: Tensor, place: Tensor, rising: bool) -> Tensor:
    """Return a cubic Hermite interpolation at places counted in knots from the first, slopes a knot.

    What must never fall has slopes of at most three times the rise beside them (Fritsch and Carlson 1980).
    """
    knot = place.detach().floor().clamp(0, len(values) - 2).long()
    u = place - knot
    left, right = values[knot], values[knot + 1]
    rise, fall, gap = slopes[knot], slopes[knot + 1], right - left
    if rising:
        rise, fall = rise.minimum(3 * gap), fall.minimum(3 * gap)
    return left + u * (rise + u * (3 * gap - 2 * rise - fall + u * (rise + fall - 2 * gap)))
