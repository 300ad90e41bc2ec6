"""Gauges of additive and pairwise maps: the parameters of one surrogate, read against different references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens_squid.genotype import LinearMap
from cislens_squid.mutagenesis import changed

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Parameters:
    """Hold a map over all four bases.

    A variant scores the constant, plus the single terms of its bases, plus the pair terms of its pairs of bases.

    Parameters
    ----------
    constant
        Score that is nobody's own.
    singles : (width, 4)
        What each base contributes.
    pairs : (pairs, 4, 4)
        What each two bases contribute together, in the order of `LinearMap.pair_sites`.
    """

    constant: float
    singles: Array
    pairs: Array


def expanded(genotype: LinearMap, theta: Array, wild: Array) -> Parameters:
    """Return parameters (size,) that are relative to a wild type (width,) as a map over all four bases.

    It is in the wild-type gauge: every term that holds a base of the wild type is zero.
    """
    singles = np.zeros((genotype.width, 4))
    bases = changed(wild[:, None], np.arange(3))
    np.put_along_axis(singles, bases, theta[: genotype.singles].reshape(-1, 3), 1)
    pairs = np.zeros((genotype.pairs, 4, 4))
    if genotype.pairs:
        first, second = genotype.pair_sites()
        number = np.arange(genotype.pairs)[:, None, None]
        pairs[number, bases[first][:, :, None], bases[second][:, None, :]] = theta[genotype.singles :].reshape(-1, 3, 3)
    return Parameters(0.0, singles, pairs)


def fixed(genotype: LinearMap, parameters: Parameters, frequencies: Array) -> Parameters:
    """Return the same map in the hierarchical gauge of some base frequencies; every variant scores as before.

    Each single term is zero on average over the bases of its site, and each pair term on average over those of either
    site, so that as much as can be is said by the constant, then by single terms. Frequencies of one quarter give the
    uniform gauge, those of a library the empirical gauge, and the wild type's own (ones and zeros) the wild-type gauge.

    Parameters
    ----------
    genotype
        The map.
    parameters
        In any gauge.
    frequencies : (width, 4)
        Of the bases at each site; each row sums to 1.

    References
    ----------
    Posfai et al., Gauge fixing for sequence-function relationships, 2025, 10.1371/journal.pcbi.1012818.
    """
    constant, singles, pairs = parameters.constant, parameters.singles.copy(), parameters.pairs
    if len(pairs):
        first, second = genotype.pair_sites()
        over_first = np.einsum("pab,pa->pb", pairs, frequencies[first])
        over_second = np.einsum("pab,pb->pa", pairs, frequencies[second])
        over_both = np.einsum("pb,pb->p", over_first, frequencies[second])
        pairs = pairs - over_first[:, None, :] - over_second[:, :, None] + over_both[:, None, None]
        np.add.at(singles, first, over_second - over_both[:, None])
        np.add.at(singles, second, over_first - over_both[:, None])
        constant += float(over_both.sum())
    means = (singles * frequencies).sum(1)
    return Parameters(constant + float(means.sum()), singles - means[:, None], pairs)


def single_terms(genotype: LinearMap, wild: Array, frequencies: Array) -> Array:
    """Return the matrix (4 x width, size) that turns parameters into the single terms of a gauge.

    It carries covariances from the one to the other. What is left of a pair term in a gauge sums to zero over either
    base, so that each of its single terms gets as much as there is of the other's base.
    """
    width = genotype.width
    whole = np.zeros((width, 4, width, 3))
    sites = np.arange(width)
    for change in range(3):
        base = changed(wild, change)
        whole[sites, base, sites, change] += 1
        whole[sites, :, sites, change] -= frequencies[sites, base][:, None]
    alone = whole.reshape(4 * width, 3 * width)
    if not genotype.pairs:
        return alone
    first, second = genotype.pair_sites()
    own = np.take_along_axis(frequencies, changed(wild[:, None], np.arange(3)), 1)
    of_first = alone.reshape(-1, width, 3)[:, first, :, None] * own[second][:, None, :]
    of_second = alone.reshape(-1, width, 3)[:, second, None, :] * own[first][:, :, None]
    return np.concatenate([alone, (of_first + of_second).reshape(4 * width, -1)], 1)
