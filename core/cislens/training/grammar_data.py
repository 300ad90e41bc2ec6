"""A grammar as training data: every batch is drawn anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cislens.context import stream
from cislens.sequences import Sequences
from cislens.sequences.codes import onehot_of
from cislens.simulation.draw import Draw
from cislens.simulation.grammar import Grammar
from cislens.simulation.simulator import Simulator
from cislens.training.data import Examples, Split, Task, TrainingData

AT_ONCE = 2048  # sequences drawn together, which costs less than batch by batch


@dataclass(frozen=True)
class Sizes:
    """How many sequences an epoch, the validation set and the test set hold."""

    epoch: int = 12_800
    validation: int = 2_560
    test: int = 10_240


class GrammarData(TrainingData):
    """Train on sequences drawn from a grammar, none of them twice.

    Parameters
    ----------
    grammar
        What to draw.
    sizes
        Of an epoch and of the held-out sets. By default those of ARGMINN's supplement C.3 for an epoch (100 batches of
        128), and larger held-out sets.
    source
        Real sequences, where the grammar's background is made of some.
    seed
        Of the held-out sets; training batches come from the trainer's.
    """

    task: Task = "binary"

    def __init__(
        self, grammar: Grammar, sizes: Sizes | None = None, source: Sequences | None = None, seed: int = 0
    ) -> None:
        self.grammar, self.sizes, self.seed = grammar, sizes or Sizes(), seed
        self.name, self.length, self.outputs = grammar.name, grammar.length, ("positive",)
        self._source = source

    @cached_property
    def _simulator(self) -> Simulator:
        return Simulator(self.grammar, self._source)

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[Examples]:
        """Yield the batches of one epoch; `rng` draws the sequences."""
        left = self.steps(size)
        together = max(AT_ONCE // size, 1)
        while left > 0:
            now = min(together, left)
            examples = self._examples(self._simulator.draw(now * size, rng))
            for start in range(0, now * size, size):
                yield examples.take(slice(start, start + size))
            left -= now

    def steps(self, size: int) -> int:
        """Return how many batches an epoch holds."""
        return self.sizes.epoch // size

    def held_out(self, split: Split) -> Examples:
        """Return the held-out sequences, drawn by the data's own seed."""
        n = self.sizes.validation if split == "validation" else self.sizes.test
        return self._examples(self._simulator.draw(n, stream(self.seed, "held out", self.grammar.name, split)))

    def record(self) -> dict[str, Any]:
        """Return the grammar's name and choices, the sizes and the seed; the fingerprint tells grammars apart."""
        grammar = self.grammar
        return {
            "grammar": grammar.name,
            "length": grammar.length,
            "background": grammar.background,
            "instances": grammar.instances,
            "spurious": grammar.spurious,
            "threshold": grammar.threshold,
            "motifs": {motif.id: len(motif) for motif in grammar.motifs},
            "sizes": vars(self.sizes),
            "seed": self.seed,
            "fingerprint": self._fingerprint,
        }

    @cached_property
    def _fingerprint(self) -> str:
        """Tell grammars of one name apart: by what is planted where, what is positive, and real sequences."""
        grammar = self.grammar
        said = (grammar.variants, grammar.labels, grammar.centre, grammar.both_strands)
        digest = hashlib.blake2b(repr(said).encode(), digest_size=16)
        arrays = [motif.probabilities() for motif in grammar.motifs]
        for array in (*arrays, *([] if self._source is None else [self._source.onehot])):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _examples(self, drawn: Draw) -> Examples:
        labels = self._simulator.labels(drawn)
        return Examples(onehot_of(drawn.codes), labels[:, None].astype(np.float32))
