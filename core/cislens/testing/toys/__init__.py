"""Oracles whose answers are known in closed form, in numpy and float64."""

from __future__ import annotations

import numpy as np

from cislens.testing.toys.conv_pool import ConvPoolToy
from cislens.testing.toys.deep import dead_unit, planted_motif, soft_spacing, synonymous_mixture
from cislens.testing.toys.epistasis import PairwiseToy
from cislens.testing.toys.linear import LinearToy
from cislens.testing.toys.logic import LogicToy
from cislens.testing.toys.motif import MotifToy, SymmetricToy
from cislens.testing.toys.noisy import NoisyToy
from cislens.testing.toys.spacing import SpacingToy
from cislens.testing.toys.toy import Toy

__all__ = [
    "ConvPoolToy",
    "LinearToy",
    "LogicToy",
    "MotifToy",
    "NoisyToy",
    "PairwiseToy",
    "SpacingToy",
    "SymmetricToy",
    "Toy",
    "bundled_linear",
    "bundled_motif",
    "bundled_pairwise",
    "bundled_toys",
    "dead_unit",
    "planted_motif",
    "soft_spacing",
    "synonymous_mixture",
]

# log2 odds of a motif that reads TGACTCAG; no two bases of a position score the same, so that no windows tie.
MOTIF = np.array(
    [
        [-1.9, -1.6, -1.8, 1.7],
        [-1.4, -1.7, 1.6, -1.5],
        [1.8, -1.8, -1.3, -1.9],
        [-1.2, 1.5, -0.9, -1.6],
        [-1.7, -1.4, -1.9, 1.8],
        [-1.6, 1.7, -1.5, -1.3],
        [1.6, -1.3, -1.7, -1.8],
        [-0.8, -1.5, 1.4, -1.1],
    ]
)
# log2 odds of a motif that reads GGAAGTGA, unlike the other and unlike its own reverse complement.
PARTNER = np.array(
    [
        [-1.5, -1.7, 1.6, -1.3],
        [-1.8, -1.9, 1.8, -1.6],
        [1.7, -1.4, -1.2, -1.8],
        [1.8, -1.6, -1.7, -1.9],
        [-1.3, -1.1, 1.5, -1.4],
        [-1.6, -0.9, -1.8, 1.6],
        [-1.2, -1.8, 1.7, -1.5],
        [1.4, -1.7, -1.1, -1.6],
    ]
)


def bundled_linear(length: int = 40) -> LinearToy:
    """Return a linear toy whose weights have mean zero at each position, a best base near 1 and a worst near -1."""
    rng = np.random.default_rng(11)
    levels = np.array([1.0, 0.2, -0.2, -1.0]) + rng.uniform(-0.1, 0.1, (length, 4))
    weights = rng.permuted(levels, axis=1)
    return LinearToy(weights - weights.mean(1, keepdims=True))


def bundled_motif(length: int = 40) -> MotifToy:
    """Return a motif toy in which the best site alone counts, through a sigmoid that a full site half saturates."""
    return MotifToy(MOTIF, length, pool="max", response="sigmoid", midpoint=8.0, slope=0.3)


def bundled_pairwise(length: int = 40) -> PairwiseToy:
    """Return a toy of random additive terms, and of random pairwise terms between neighbours up to three bp apart."""
    rng = np.random.default_rng(12)
    terms = rng.normal(size=(length, 4, length, 4))
    apart = np.arange(length) - np.arange(length)[:, None]
    terms *= ((apart > 0) & (apart <= 3))[:, None, :, None]
    return PairwiseToy(rng.normal(size=(length, 4)), terms + terms.transpose(2, 3, 0, 1))


def bundled_toys() -> tuple[Toy, ...]:
    """Return one toy of each kind, small enough for any explainer."""
    return (
        bundled_linear(),
        bundled_motif(),
        MotifToy(MOTIF, 40, pool="sum", response="tanh", midpoint=8.0, slope=0.2),
        SymmetricToy(PARTNER, 40, pool="sum", midpoint=8.0, slope=0.3),
        LogicToy((MOTIF, PARTNER), 40, "and"),
        LogicToy((MOTIF, PARTNER), 40, "or"),
        LogicToy((MOTIF, PARTNER), 40, "and not"),
        SpacingToy((MOTIF, PARTNER), 40),
        bundled_pairwise(),
        NoisyToy(bundled_motif(), deviation=0.01),
        ConvPoolToy(40),
        planted_motif(),
        soft_spacing(),
        synonymous_mixture(),
        dead_unit(),
    )
