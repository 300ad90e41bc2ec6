"""Libraries whose answers come from a latent phenotype, a curve and noise that are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cislens_squid.gauge import Parameters, expanded, fixed
from cislens_squid.genotype import LinearMap, Order
from cislens_squid.library import Library
from cislens_squid.mutagenesis import partial_mutagenesis

SATURATION = 0.5  # where the curve's middle lies below the mean of the latent phenotype, in its deviations


@dataclass(frozen=True)
class Asked:
    """What is simulated: an element of a width in bp, so many variants at a rate, and the noise on their answers."""

    width: int = 20
    variants: int = 3000
    rate: float = 0.15
    order: Order = "additive"
    deviation: float = 0.1
    noise: str = "gaussian"
    seed: int = 0
    pairs: float = 0.3  # deviation of pair terms, where single terms have 1


@dataclass(frozen=True, eq=False)
class Known:
    """A library, the answers, and where they come from."""

    library: Library
    genotype: LinearMap
    theta: np.ndarray
    latent: np.ndarray
    mode: np.ndarray
    y: np.ndarray
    order: np.ndarray

    def curve(self, latent: np.ndarray) -> np.ndarray:
        return curve(latent)

    def uniform(self, theta: np.ndarray) -> Parameters:
        """Parameters in the uniform gauge."""
        frequencies = np.full((self.library.width, 4), 0.25)
        return fixed(self.genotype, expanded(self.genotype, theta, self.library.wild), frequencies)


def curve(latent: np.ndarray) -> np.ndarray:
    return np.tanh(latent + SATURATION)


def linear(latent: np.ndarray) -> np.ndarray:
    return latent


SCATTER: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "gaussian": lambda rng, mode: rng.normal(size=len(mode)),
    "heavy tails": lambda rng, mode: rng.standard_t(4, len(mode)),
    "unequal": lambda rng, mode: rng.normal(size=len(mode)) * (0.3 + np.abs(mode)),
}


def simulated(asked: Asked, respond: Callable[[np.ndarray], np.ndarray] = curve) -> Known:
    """Return a library and its answers; the latent phenotype varies by one over it."""
    rng = np.random.default_rng(asked.seed)
    wild = rng.integers(0, 4, asked.width).astype(np.uint8)
    drawn = partial_mutagenesis(asked.width, asked.variants - 1, asked.rate, rng).after_wild_type()
    library = Library(wild, np.arange(asked.width), wild, drawn)
    genotype = LinearMap(asked.width, asked.order)
    theta = rng.normal(size=genotype.size)
    theta[genotype.singles :] *= asked.pairs
    latent = genotype.design(library).score(theta)
    theta, latent = theta / latent.std(), (latent - latent.mean()) / latent.std()
    mode = respond(latent)
    y = mode + asked.deviation * SCATTER[asked.noise](rng, mode)
    return Known(library, genotype, theta, latent, mode, y, rng.permutation(len(y)))
