"""What is known of a toy that responds to motifs: the motifs, and the rule over them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from cislens.motif import Motif
from cislens.oracle.base import Array
from cislens.report.report import TABLES
from cislens.sequences import Sequences
from cislens.testing.toys.scanner import Scanner, reverse_complement
from cislens.truth import Rule, Truth

if TYPE_CHECKING:
    import pandas as pd

SPACED = "spaced"  # the arrangement of sequences that hold a pair of motifs at a spacing that counts


@dataclass(frozen=True, eq=False)
class Sought:
    """Hold a motif that a toy responds to, and what counts as an instance of it.

    Parameters
    ----------
    motif
        The motif.
    weights : (width, 4)
        What a window scores by.
    least
        The score from which a window is an instance.
    """

    motif: Motif
    weights: Array
    least: float

    @classmethod
    def of_pwm(cls, name: str, pwm: Array, least: float) -> Sought:
        """Return a motif whose windows score by its own weights."""
        motif = Motif(name, pwm, "weights")
        return cls(replace(motif, name=motif.consensus()), pwm, least)

    @classmethod
    def of_words(cls, name: str, consensus: str, mismatches: int) -> Sought:
        """Return the motif of all words within some mismatches of a consensus, each word counted once."""
        width = len(consensus)
        matched = np.eye(4)[["ACGT".index(base) for base in consensus]]
        missed = [math.comb(width, j) * 3**j for j in range(mismatches + 1)]
        share = sum(math.comb(width - 1, j) * 3**j for j in range(mismatches + 1)) / sum(missed)
        motif = Motif(name, np.where(matched == 1, share, (1 - share) / 3), name=consensus)
        return cls(motif, matched, width - mismatches - 0.5)


@dataclass(frozen=True, eq=False)
class Pair:
    """Hold what a rule asks of two motifs.

    Parameters
    ----------
    motif_1, motif_2
        Their ids.
    logic
        "and", "or" or "and not".
    distances
        How far the start of motif_2 may lie after that of motif_1, in bins, and what the pair scores for it; empty
        where they may stand anywhere.
    bin_width
        Width of a bin in bp: that of the pooling below a unit that sees the pair, 1 without.
    least
        The score, of both motifs and their distance, above which a pair at a distance counts.
    """

    motif_1: str
    motif_2: str
    logic: str
    distances: Mapping[int, float] = field(default_factory=dict)
    bin_width: int = 1
    least: float = -math.inf

    def score(self, start_1: Array, start_2: Array) -> Array:
        """Return what motifs that start here score for their distance, minus infinity where it does not count."""
        distance = start_2 // self.bin_width - start_1 // self.bin_width
        score = np.full(distance.shape, -np.inf)
        for counted, value in self.distances.items():
            score[distance == counted] = value
        return score

    def spacings(self, width_1: int) -> tuple[float, ...]:
        """Return the bp between the two that can count, all that do in some bins; NaN where any will do."""
        starts = {
            bp
            for distance in self.distances
            for bp in range((distance - 1) * self.bin_width + 1, (distance + 1) * self.bin_width)
            if bp >= width_1
        }
        return tuple(float(start - width_1) for start in sorted(starts)) or (math.nan,)


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Hold what a toy responds to, and find it in sequences.

    Parameters
    ----------
    sought
        The motifs.
    rules
        What makes a sequence positive, over ids of motifs and the arrangement "spaced".
    pairs
        What the rules ask of pairs of motifs.
    both_strands
        Whether instances on the other strand count too.
    """

    sought: tuple[Sought, ...]
    rules: Mapping[str, Rule]
    pairs: tuple[Pair, ...] = ()
    both_strands: bool = False

    def truth(self, sequences: Sequences) -> Truth:
        """Return what is in sequences: every window that is an instance, and whether the rules hold.

        Of a sequence that holds a pair at a spacing that counts, the best such pair is what there is.
        """
        import pandas as pd

        table = self._instances(sequences)
        arrangements = [""] * len(sequences)
        found = dict(iter(table.groupby("sequence", sort=False)))
        parts = []
        for i, name in enumerate(sequences.ids):
            held = found.get(name, table.iloc[:0])
            for pair in self.pairs:
                if pair.distances and (best := _best_pair(held, pair)):
                    held, arrangements[i] = held.loc[best], SPACED
            parts.append(held)
        instances = pd.concat([table.iloc[:0], *(part for part in parts if len(part))], ignore_index=True)
        motifs = tuple(sought.motif for sought in self.sought)
        unread = np.zeros(len(sequences), bool)
        truth = Truth(sequences, unread, instances, motifs, self.rules, tuple(arrangements))
        truth = replace(truth, labels=np.array([bool(truth.rule(i)) for i in range(len(truth))], bool))
        return replace(truth, syntax=self._syntax(truth)) if self.pairs else truth

    def _instances(self, sequences: Sequences) -> pd.DataFrame:
        import pandas as pd

        x = sequences.onehot.astype(np.float64)
        rows = []
        for sought in self.sought:
            width = len(sought.weights)
            for strand in "+-" if self.both_strands else "+":
                weights = sought.weights if strand == "+" else reverse_complement(sought.weights)
                scores = Scanner(weights).windows(x)
                for i, start in np.argwhere(scores >= sought.least):
                    place = (sought.motif.id, sequences.ids[i], int(start), int(start) + width, strand)
                    rows.append((int(i), *place, float(scores[i, start])))
        rows.sort(key=lambda row: (row[0], row[3]))
        return pd.DataFrame([row[1:] for row in rows], columns=list(TABLES["instances"]))

    def _syntax(self, truth: Truth) -> pd.DataFrame:
        """Support is the share of the positives (of "and not" the negatives) that hold both, at that spacing."""
        import pandas as pd

        widths = {sought.motif.id: len(sought.weights) for sought in self.sought}
        orientation = "any" if self.both_strands else "++"
        rows = []
        for pair in self.pairs:
            asked = truth.take(truth.labels != (pair.logic == "and not"))
            order = "1-2" if pair.distances else "any"
            for spacing in pair.spacings(widths[pair.motif_1]):
                holding = [_holds(asked.instances_of(i), pair, spacing) for i in range(len(asked))]
                support = float(np.mean(holding)) if holding else math.nan
                rows.append((pair.motif_1, pair.motif_2, order, orientation, spacing, pair.logic, support))
        return pd.DataFrame(rows, columns=list(TABLES["syntax"]))


def _best_pair(held: pd.DataFrame, pair: Pair) -> list[int]:
    """Return the labels of the rows of the best pair at a spacing that counts, none where there is none."""
    first, second = held[held["motif"] == pair.motif_1], held[held["motif"] == pair.motif_2]
    if not len(first) or not len(second):
        return []
    score = pair.score(first["start"].to_numpy(int)[:, None], second["start"].to_numpy(int)[None])
    score += first["score"].to_numpy(float)[:, None] + second["score"].to_numpy(float)[None]
    one, other = divmod(int(score.argmax()), len(second))
    return [int(first.index[one]), int(second.index[other])] if score[one, other] > pair.least else []


def _holds(held: pd.DataFrame, pair: Pair, spacing: float) -> bool:
    ends = held.loc[held["motif"] == pair.motif_1, "end"].to_numpy(int)
    starts = held.loc[held["motif"] == pair.motif_2, "start"].to_numpy(int)
    if math.isnan(spacing):
        return bool(len(ends) and len(starts))
    return bool((starts - ends[:, None] == spacing).any())
