"""What explainers remark over the blocks of a run, each once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from cislens.variants.alleles import Allele
from cislens.variants.scores import Scores, is_indel

NUMBER = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")


class Remarks:
    """Gather the warnings of blocks.

    Sentences that differ but in their numbers are one: a block speaks of its own sequences.

    Parameters
    ----------
    sources
        What effects come from, the model first.
    """

    def __init__(self, sources: tuple[str, ...]) -> None:
        self._sources = sources
        self._first: dict[str, str] = {}
        self._blocks: Counter[str] = Counter()
        self._substitutions = 0
        self._read = np.zeros(len(sources), bool)

    def add(self, alleles: Sequence[Allele], scores: Scores) -> None:
        """Take a block."""
        for sentence in map(str, scores.warnings):
            key = NUMBER.sub("#", sentence)
            self._first.setdefault(key, sentence)
            self._blocks[key] += 1
        self._substitutions += sum(allele.windows is not None and not is_indel(allele) for allele in alleles)
        self._read |= ~np.isnan(scores.effects).all((1, 2))

    def sentences(self) -> Iterator[str]:
        """Yield each warning, and a sentence for each explainer that gave no map at all."""
        for key, sentence in self._first.items():
            many = self._blocks[key]
            yield sentence if many == 1 else f"{sentence} (so in {many} blocks, with the numbers of the first)"
        for source, read in zip(self._sources[1:], self._read[1:], strict=True):
            if self._substitutions and not read:
                yield f"{source} explained no window of {self._substitutions:,} substitutions: the reasons are listed"
