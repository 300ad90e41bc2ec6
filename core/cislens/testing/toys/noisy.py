"""A toy with noise on its answers that is the same whenever the same sequence is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from cislens.oracle.base import Array, Outputs, Pullback
from cislens.sequences import Sequences
from cislens.testing.toys.toy import Toy


class NoisyToy(Toy):
    """Add noise of known standard deviation to another toy's answers.

    The noise of a sequence is normal, and drawn by a hash of its bases and the seed, so that the answer is reproducible
    and neighbouring sequences are as independent as any two: what a measurement's noise does to methods that compare
    answers. Rows between bases get none, and gradients are those of the toy beneath. Its `truth` is that of the toy
    beneath; its `attribution` is what its own answers give, noise and all, and `toy.attribution` what lies beneath.

    Parameters
    ----------
    toy
        The toy beneath.
    deviation
        Standard deviation of the noise, in the unit of the answers.
    seed
        Another seed, other noise.
    """

    def __init__(self, toy: Toy, deviation: float, seed: int = 0) -> None:
        self.toy, self.deviation, self.seed = toy, deviation, seed
        self.knowledge = toy.knowledge
        # What noise was added to is no probability, count or log any more.
        heads = [replace(head, scale="linear") for head in toy.heads]
        super().__init__(f"noisy {toy.name}", heads, toy.length)

    def _arrays(self) -> Iterable[Array]:
        return [*self.toy._arrays(), np.array([self.deviation, self.seed])]

    def noise(self, x: Array) -> Outputs:
        """Return what is added to the answers to sequences (n, length, 4): for each head (n, *shape)."""
        bases = (x == 1).astype(np.uint8)
        between = (bases != x).any((1, 2))
        added = {}
        for head in self.heads:
            sizes = [size for size in head.shape if size is not None]
            key, length = f"{self.seed} {head.name}".encode(), 16 * int(np.prod(sizes))
            digests = b"".join(hashlib.shake_128(key + row.tobytes()).digest(length) for row in bases)
            drawn = normal(np.frombuffer(digests, "<u8").reshape(len(x), *sizes, 2))
            drawn[between] = 0
            added[head.name] = self.deviation * drawn
        return added

    def _with_noise(self, x: Array, answers: Outputs) -> Outputs:
        return {name: answers[name] + added for name, added in self.noise(x).items()}

    def _predict(self, x: Array) -> Outputs:
        return self._with_noise(x, self.toy._predict(x))

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        answers, pullback = self.toy._linearize(x)
        return self._with_noise(x, answers), pullback

    def examples(self, n: int, rng: np.random.Generator) -> Sequences:
        """Return examples of the toy beneath."""
        return self.toy.examples(n, rng)


def normal(integers: Array) -> Array:
    """Return normal numbers from pairs of random 64-bit integers in the last axis (Box and Muller 1958)."""
    radius, angle = np.moveaxis((integers.astype(np.float64) + 1) / 2.0**64, -1, 0)  # above 0, as the log needs
    return np.asarray(np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle))
