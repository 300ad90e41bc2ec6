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
        added = {}
        for head in self.heads:
            sizes = [size for size in head.shape if size is not None]
            drawn = np.stack([self._drawn(f"{self.seed} {head.name}", row, int(np.prod(sizes))) for row in x])
            added[head.name] = self.deviation * drawn.reshape(len(x), *sizes)
        return added

    def _drawn(self, key: str, row: Array, count: int) -> Array:
        if not np.isin(row, (0, 1)).all():
            return np.zeros(count)
        digest = hashlib.shake_128(key.encode() + row.astype(np.uint8).tobytes()).digest(16 * count)
        integers = np.frombuffer(digest, "<u8").astype(np.float64).reshape(2, count)
        # Two uniform numbers above 0 make a normal one (Box and Muller 1958).
        radius, angle = (integers + 1) / 2.0**64
        return np.asarray(np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle))

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
