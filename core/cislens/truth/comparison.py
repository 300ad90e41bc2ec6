"""A report beside the truth of the same sequences, each comparison made once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cislens.errors import CislensError
from cislens.report import TABLES, MotifReport
from cislens.truth.instance_recovery import InstanceRecovery, instance_recovery
from cislens.truth.mask_overlap import CALLED_FROM, MaskOverlap, map_overlap, mask_overlap
from cislens.truth.motif_recovery import THRESHOLD, Match, MotifRecovery, motif_recovery
from cislens.truth.motif_similarity import symmetric
from cislens.truth.syntax_recovery import SyntaxRecovery, syntax_recovery
from cislens.truth.truth import Truth

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Comparison:
    """Compare a report with a truth.

    The sequences compared are the report's. Motifs that were planted though no rule speaks of them may bear on the
    label all the same, or not: they, their instances and positions are neither missed nor wrong, and do not count. A
    table that a report does not hold is read as one without rows.

    Parameters
    ----------
    report
        What is compared.
    truth
        Of the report's sequences, and perhaps more.
    relevant
        Ids of the motifs that are to be found; by default those that the truth's rules speak of, or all of them where
        it has no rules. ARGMINN's paper asks for all that were planted.
    similarity
        From which a found motif is matched to a relevant one: see `motif_recovery`.
    minimum_overlap
        bp that a called and a true instance must share.
    same_motif
        Demand that a called instance is of the same motif, through the match of motifs.
    mask_threshold
        From which a mask's positions are called.

    Raises
    ------
    CislensError
        If a sequence of the report is not in the truth, or is another one there, or a relevant motif is none of it.
    """

    report: MotifReport
    truth: Truth
    relevant: tuple[str, ...] = ()
    similarity: float = THRESHOLD
    minimum_overlap: int = 1
    same_motif: bool = False
    mask_threshold: float = CALLED_FROM

    def __post_init__(self) -> None:
        known = tuple(motif.id for motif in self.truth.motifs)
        object.__setattr__(self, "relevant", tuple(self.relevant) or self.truth.relevant or known)
        if not set(self.relevant) <= set(known):
            raise CislensError(f"relevant motifs must be among {', '.join(known)}, got {', '.join(self.relevant)}")
        strangers = set(self.report.sequences.ids) - set(self.truth.sequences.ids)
        if strangers:
            raise CislensError(
                f"the truth must know each sequence of the report, got {min(strangers)!r}, which it does not: "
                "compare a report with the truth of what was explained"
            )
        ours, theirs = self.report.sequences.onehot, self._truth.sequences.onehot
        if ours.shape != theirs.shape or not np.array_equal(ours, theirs):
            raise CislensError("sequences of one id must be the same in report and truth, got others: check the seed")

    @cached_property
    def motifs(self) -> MotifRecovery:
        """Which relevant motifs were found."""
        asked = [motif for motif in self.truth.motifs if motif.id in self.relevant]
        beside = [motif for motif in self.truth.motifs if motif.id in self._beside]
        return motif_recovery(self.report.motifs, asked, beside, threshold=self.similarity)

    @cached_property
    def instances(self) -> InstanceRecovery:
        """How called and true instances agree."""
        called = self._table("instances")
        if self.same_motif:
            read = {name: match.motif for name, match in self.matches.items()}
            called = called.assign(motif=[read.get(name, f"no match: {name}") for name in called["motif"]])
        return instance_recovery(
            called,
            self._truth.instances,
            self.report.sequences.ids,
            self._beside,
            minimum_overlap=self.minimum_overlap,
            same_motif=self.same_motif,
        )

    @cached_property
    def masks(self) -> MaskOverlap:
        """How masks agree with the explanations of the labels."""
        if self.report.masks is None:
            raise CislensError("the report must hold masks, got one without: run an explainer that gives masks")
        found = self.report.masks
        return mask_overlap(found.values, self._truth, found.meaning, self._beside, threshold=self.mask_threshold)

    @cached_property
    def maps(self) -> MaskOverlap:
        """How the largest contributions agree with what can turn the labels; maps are read in the uniform gauge."""
        if self.report.attributions is None:
            raise CislensError("the report must hold attributions, got one without: run an explainer that gives them")
        return map_overlap(self.report.contributions(), self._truth, self._beside)

    @cached_property
    def syntax(self) -> SyntaxRecovery:
        """How what was said of pairs of motifs agrees with the truth."""
        true = self.truth.syntax if self.truth.syntax is not None else _empty("syntax")
        palindromes = {motif.id for motif in self.truth.motifs if symmetric(motif, self.similarity)}
        return syntax_recovery(self._table("syntax"), true, self.matches, palindromes)

    @cached_property
    def matches(self) -> Mapping[str, Match]:
        """What each motif found is, by id; an id of the truth that the report holds no motif for is that motif."""
        found = {motif.id for motif in self.report.motifs}
        given = {motif.id: Match(motif.id, False, 0, 0) for motif in self.truth.motifs if motif.id not in found}
        return given | self.motifs.matches

    @cached_property
    def _truth(self) -> Truth:
        """The truth of the report's sequences, in their order."""
        place = {name: i for i, name in enumerate(self.truth.sequences.ids)}
        return self.truth.take(np.array([place[name] for name in self.report.sequences.ids], int))

    @property
    def _beside(self) -> tuple[str, ...]:
        return tuple(motif.id for motif in self.truth.motifs if motif.id not in self.relevant)

    def _table(self, name: str) -> pd.DataFrame:
        table: pd.DataFrame | None = getattr(self.report, name)
        return table if table is not None else _empty(name)


def _empty(name: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({column: [] for column in TABLES[name]})
