"""What is known of sequences whose making is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.report.report import TABLES
from cislens.sequences import Sequences
from cislens.spans import cover
from cislens.truth.logic import Rule, smallest

if TYPE_CHECKING:
    import pandas as pd

Meaning = Literal["sufficient", "necessary"]


@dataclass(frozen=True, eq=False)
class Truth:
    """Hold the right answer for a set of sequences: what is in them, and why each is positive or not.

    Simulated sets and toys give one; truth metrics compare a report with it.

    Parameters
    ----------
    sequences
        The n sequences.
    labels : (n,)
        Whether each is positive.
    instances
        Table of the motif instances that were planted: motif (id), sequence (id), start and end (0-based, half-open),
        strand (+ or -) and score, in the order of the sequences.
    motifs
        The motifs that they are instances of.
    rules
        What makes a sequence positive, by name; one that holds is enough. Their names are ids of motifs, and names of
        arrangements.
    arrangements : n names
        Which way of planting motifs each sequence came from; "" where there is but one.
    syntax
        Table with the columns of a report's: how pairs of motifs stand to each other, as they read on the strand on
        which motif_1 reads forward. order is "1-2" (motif_1 comes first), "2-1" or "any"; orientation "++" or "+-", or
        "any"; spacing the bp between them, NaN where any will do. logic: "and" (a rule needs both), "or" (either one
        is enough), "and not" (motif_2 takes away what motif_1 gives) or "beside" (planted together, though no rule asks
        for it). support is the share of the positives, for "and not" of the negatives, in which they stand so.

    Raises
    ------
    CislensError
        If the parts do not fit together.
    """

    sequences: Sequences
    labels: npt.NDArray[np.bool_]
    instances: pd.DataFrame
    motifs: tuple[Motif, ...]
    rules: Mapping[str, Rule] = field(default_factory=dict)
    arrangements: tuple[str, ...] = ()
    syntax: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        n = len(self.sequences)
        object.__setattr__(self, "arrangements", tuple(self.arrangements) or ("",) * n)
        if self.labels.shape != (n,) or len(self.arrangements) != n:
            raise CislensError(
                f"a truth must say a label and an arrangement of each of its {n} sequences, got "
                f"{self.labels.shape} labels and {len(self.arrangements)} arrangements"
            )
        if not set(TABLES["instances"]) <= set(self.instances.columns):
            raise CislensError(
                f"instances must have the columns {', '.join(TABLES['instances'])}, got "
                f"{', '.join(map(str, self.instances.columns))}"
            )
        strangers = sorted(set(self.instances["motif"]) - {motif.id for motif in self.motifs})
        if strangers:
            raise CislensError(f"instances must be of the truth's motifs, got the motif {strangers[0]!r}")

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def relevant(self) -> tuple[str, ...]:
        """Ids of the motifs that a rule speaks of, by themselves or through an arrangement that holds them."""
        named = {name for rule in self.rules.values() for name in rule.names}
        held = {
            motif
            for i, arrangement in enumerate(self.arrangements)
            if arrangement in named
            for motif in self.instances_of(i)["motif"]
        }
        return tuple(motif.id for motif in self.motifs if motif.id in named | held)

    def rule(self, i: int) -> str:
        """Return the name of the first rule that holds for sequence `i`, "" where none does."""
        start, end = self._bounds[i]
        present = self._present(i, frozenset(range(end - start)))
        return next((name for name, rule in self.rules.items() if rule.holds(present)), "")

    def instances_of(self, i: int) -> pd.DataFrame:
        """Return the instances in sequence `i`."""
        start, end = self._bounds[i]
        return self.instances.iloc[start:end]

    def explanations(self, i: int, meaning: Meaning) -> tuple[frozenset[int], ...]:
        """Return the smallest sets of instances that explain the label of sequence `i`, as rows of `instances_of(i)`.

        "sufficient": with these alone its label is the same. "necessary": without these it is the other one; there is
        none where removing instances cannot turn the label. Of "a or b" where both are present either one is
        sufficient, and only both together are necessary; of "a and b" it is the other way round.
        """
        start, end = self._bounds[i]
        held = end - start
        everything = frozenset(range(held))
        if meaning == "sufficient":
            return smallest(held, lambda kept: self._positive(i, kept) == bool(self.labels[i]))
        return smallest(held, lambda gone: self._positive(i, everything - gone) != bool(self.labels[i]))

    def masks(self, i: int, meaning: Meaning) -> npt.NDArray[np.bool_]:
        """Return the positions of each of `explanations(i, meaning)`, (alternatives, length)."""
        first, _ = self._bounds[i]
        alternatives = self.explanations(i, meaning)
        masks = np.zeros((len(alternatives), self.sequences.length), bool)
        for mask, chosen in zip(masks, alternatives, strict=True):
            for row in chosen:
                start, end = self._spans[first + row]
                mask[start:end] = True
        return masks

    def covered(self) -> npt.NDArray[np.bool_]:
        """Return which positions an instance covers, (n, length)."""
        covered = np.zeros((len(self), self.sequences.length), bool)
        held = [last - first for first, last in self._bounds]
        spans = self.instances[["start", "end"]].to_numpy(int)
        cover(covered, np.repeat(np.arange(len(self)), held), spans[:, 0], spans[:, 1])
        return covered

    def take(self, index: Any) -> Truth:
        """Return the truth of the sequences at these positions (slice, integers or boolean mask), in that order."""
        rows = np.arange(len(self))[index]
        bounds = [self._bounds[i] for i in rows]
        kept = np.concatenate([np.arange(*pair) for pair in bounds]) if bounds else np.empty(0, int)
        return replace(
            self,
            sequences=self.sequences.take(rows),
            labels=self.labels[rows],
            arrangements=tuple(self.arrangements[i] for i in rows),
            instances=self.instances.iloc[kept].reset_index(drop=True),
        )

    # ---- the rules ----------------------------------------------------------------------------------------

    def _positive(self, i: int, kept: frozenset[int]) -> bool:
        present = self._present(i, kept)
        return any(rule.holds(present) for rule in self.rules.values())

    def _present(self, i: int, kept: frozenset[int]) -> set[str]:
        first, last = self._bounds[i]
        present = {self._motifs[first + row] for row in kept}
        return present | {self.arrangements[i]} if len(kept) == last - first else present

    # ---- the table of instances ---------------------------------------------------------------------------

    @cached_property
    def _bounds(self) -> list[tuple[int, int]]:
        """Where each sequence's instances start and end in the table."""
        place = {name: i for i, name in enumerate(self.sequences.ids)}
        strangers = set(self.instances["sequence"]) - set(place)
        if strangers:
            raise CislensError(f"instances must lie in the truth's sequences, got one in {sorted(strangers)[0]!r}")
        owner = self.instances["sequence"].map(place).to_numpy(int)
        if (np.diff(owner) < 0).any():
            raise CislensError("instances must be in the order of the sequences: sort them first")
        ends = np.searchsorted(owner, np.arange(len(self)), side="right")
        starts = np.searchsorted(owner, np.arange(len(self)), side="left")
        return list(zip(starts.tolist(), ends.tolist(), strict=True))

    @cached_property
    def _motifs(self) -> list[str]:
        return list(self.instances["motif"])

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        spans = self.instances[["start", "end"]].to_numpy(int)
        return [(int(start), int(end)) for start, end in spans]
