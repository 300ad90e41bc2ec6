"""From instances to syntax, by counting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cislens.derivation import Derivation, DeriveContext
from cislens.errors import CislensError
from cislens.report import TABLES, MotifReport
from cislens.settings import setting
from cislens.syntax.evidence import Counted, Evidence
from cislens.syntax.logic import LEAST, logic_of
from cislens.syntax.sites import ARRANGEMENTS, Sites, arrangements

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
UNEVEN = 0.001  # p-value of a half, below which order or orientation of a pair is told
COLUMNS = (*TABLES["syntax"], "count", "expected", "p_value", "q_value", "evidence", "logic_from")


@dataclass(frozen=True)
class CountedSyntax(Derivation):
    """Count how motifs stand to each other in the sequences, and compare with chance.

    Of every two motifs, also of a motif with itself, three things are tested: whether they share sequences more often
    than if each chose its sequences alone (hypergeometric; of one motif binomial); whether pairs of them keep to a run
    of spacings in one order and orientation (binomial, both against pairs across different sequences and against any
    place, times the number of runs looked at; see `spacing_counts` and `enriched_runs`); and, where there are
    predictions, whether both do more or less together than the sum of each alone (normal, by the means of sequences
    that hold both, either one and none). q-values are Benjamini-Hochberg over all tests of all pairs.

    A pair that keeps to runs gets a row for each spacing in them at which it stands; else one that shares sequences or
    interacts gets a row without spacing, with order and orientation where they are uneven. The logic is named by
    predictions where they tell it (`logic_of`), else by co-occurrence: "and" where the motifs share sequences too
    often, "beside" where not. That is a weak word: what is found together need not be needed together.

    The p-values take pairs for independent, which several instances of a motif in one sequence are not quite.

    References
    ----------
    Kulldorff 1997, 10.1080/03610929708831995; Benjamini & Hochberg 1995, 10.1111/j.2517-6161.1995.tb02031.x.
    """

    name: ClassVar[str] = "syntax"
    takes: ClassVar[tuple[str, ...]] = ("instances",)
    gives: ClassVar[tuple[str, ...]] = ("syntax",)
    references: ClassVar[tuple[str, ...]] = ("10.1080/03610929708831995", "10.1111/j.2517-6161.1995.tb02031.x")

    most: int = setting(150, "bp between two motifs, up to which their spacing is looked at")
    overlap: int = setting(0, "bp by which two instances may overlap and still count as a pair")
    q_value: float = setting(0.05, "what is kept has at most this q-value")
    target: str = setting("", "target whose predictions name the logic; the first by default")

    def __post_init__(self) -> None:
        if self.most < 0 or self.overlap < 0 or not 0 < self.q_value <= 1:
            raise CislensError(
                "syntax needs a largest spacing and an overlap of 0 bp at least and a q-value above 0 and up to 1, got "
                f"most={self.most}, overlap={self.overlap}, q_value={self.q_value}"
            )

    def run(self, report: MotifReport, context: DeriveContext) -> MotifReport:
        """Return the report with its table of syntax."""
        import pandas as pd

        counted = self.counted(report)
        evidence = list(self._evidence(counted, context))
        q_values = _q_values(evidence)
        rows = [
            row for found, q in zip(evidence, q_values, strict=True) for row in _Kept(self, counted, found, q).rows()
        ]
        table = pd.DataFrame(rows, columns=list(COLUMNS))
        table = table.astype({name: float for name in ("spacing", "support", "expected", "p_value", "q_value")})
        warnings = self._warnings(counted, evidence, table, report)
        return replace(report, syntax=table, validity=report.validity.warned(*warnings))

    def counted(self, report: MotifReport) -> Counted:
        """Return the instances of a report by sequence, and their pairs.

        Raises
        ------
        CislensError
            If the report has no target of the name that is set.
        """
        sites = Sites.of(report)
        spacings = np.arange(-self.overlap, self.most + 1)
        return Counted(sites, sites.counts(), sites.pairs(self.overlap), spacings, self._predictions(report))

    def _predictions(self, report: MotifReport) -> Array | None:
        if self.target and self.target not in report.targets:
            raise CislensError(
                f"the target of syntax must be one of the report's ({', '.join(report.targets) or 'it names none'}), "
                f"got {self.target!r}"
            )
        if report.predictions is None or not len(report.predictions):
            return None
        place = report.targets.index(self.target) if self.target else 0
        return np.asarray(report.predictions[place], float)

    def _evidence(self, counted: Counted, context: DeriveContext) -> Iterator[Evidence]:
        present = np.flatnonzero(counted.held.any(0)).tolist()
        pairs = [(one, two) for i, one in enumerate(present) for two in present[i:]]
        for done, (one, two) in enumerate(pairs, 1):
            yield counted.evidence(one, two, self.q_value)
            context.progress(done, len(pairs))

    def _warnings(
        self, counted: Counted, evidence: Sequence[Evidence], table: pd.DataFrame, report: MotifReport
    ) -> Iterator[str]:
        if not len(table):
            smallest = min((p for found in evidence for p in found.p_values), default=1.0)
            yield (
                f"syntax: none found. {len(evidence)} pairs of motifs were tested over {len(counted.sites.motif):,} "
                f"instances in {counted.sites.n:,} sequences, up to {self.most} bp apart; none has a q-value of "
                f"{self.q_value:g} or less (the smallest p-value is {smallest:.2g})"
            )
            return
        named = table.groupby("logic_from")[["motif_1", "motif_2"]].apply(lambda rows: len(rows.drop_duplicates()))
        if many := int(named.get("predictions", 0)):
            target = self.target or next(iter(report.targets), "the first target")
            yield (
                f"syntax: the logic of {many} pair{'s' * (many > 1)} is named by the mean prediction ({target}) of the "
                "sequences that hold both motifs, either one, or none; that is an association, and global_importance "
                "tells by intervention"
            )
        if many := int(named.get("co-occurrence", 0)):
            yield (
                f"syntax: the logic of {many} pair{'s' * (many > 1)} is named by co-occurrence alone ('and' where two "
                "motifs share sequences more often than by chance, else 'beside'), which does not say what the model "
                f"needs; predictions of at least {LEAST} sequences each with both, with one and with none would"
            )


def _q_values(evidence: Sequence[Evidence]) -> list[Array]:
    """Return the q-values of each pair's tests, over all tests of all pairs."""
    from scipy.stats import false_discovery_control  # type: ignore[import-untyped]

    p_values = [np.asarray(found.p_values) for found in evidence]
    if not p_values:
        return []
    q_values = false_discovery_control(np.concatenate(p_values))
    return np.split(q_values, np.cumsum([len(part) for part in p_values])[:-1])


class _Kept:
    """The rows that one pair of motifs gets."""

    def __init__(self, settings: CountedSyntax, counted: Counted, evidence: Evidence, q_values: Array) -> None:
        self.counted, self.evidence = counted, evidence
        self.together, *others = q_values
        self.interaction = 1.0 if evidence.effects is None else others.pop(0)
        self.run_q_values = others
        self.bound = settings.q_value
        effects = evidence.effects
        self.from_predictions = effects is not None
        if effects is not None:
            self.logic, self.turned = logic_of(effects)
        else:
            self.logic, self.turned = ("and" if self.together <= self.bound else "beside"), False

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield a row for each spacing of the runs that are kept, else those of the pair at any spacing."""
        runs = [pair for pair in zip(self.evidence.runs, self.run_q_values, strict=True) if pair[1] <= self.bound]
        found = self.evidence.spacings
        for run, q_value in runs:
            for place in range(run.first, run.last + 1):
                cell = (run.arrangement, place)
                if found.count[cell]:
                    support = found.sequences[cell] / self.counted.sites.n
                    numbers = (support, int(found.count[cell]), found.expected[cell], run.p_value, q_value)
                    spacing = float(found.spacings[place])
                    yield self._row(*self._read(run.arrangement), spacing, numbers, "spacing")
        if not runs:
            yield from self._whole()

    def _whole(self) -> Iterator[tuple[Any, ...]]:
        together = self.evidence.together
        # Of one motif "or" says but that one site is enough.
        trivial = ("beside", "or") if self.evidence.motif_1 == self.evidence.motif_2 else ("beside",)
        if self.logic not in trivial and self.interaction <= self.bound:
            why, tested = "interaction", (self.evidence.interaction_p_value, self.interaction)
        elif self.together <= self.bound:
            why, tested = "co-occurrence", (together.p_value, self.together)
        else:
            return
        shares = self._uneven()
        for (order, orientation), share in shares.items():
            support = share * together.both / self.counted.sites.n
            expected = together.expected / len(shares)
            numbers = (support, round(share * together.both), expected, *tested)
            yield self._row(order, orientation, float("nan"), numbers, why)

    def _uneven(self) -> dict[tuple[str, str], float]:
        """Return the shares of order and orientation over all pairs, "any" where chance could have made them uneven."""
        from scipy.stats import binomtest

        sites, pair = self.counted.sites, (self.evidence.motif_1, self.evidence.motif_2)
        left, right = self.counted.pairs.of(*pair)
        kinds = arrangements(sites.motif[left], sites.motif[right], sites.reverse[left], sites.reverse[right])
        if not len(kinds):
            return {("any", "any"): 1.0}
        uneven = [binomtest(int(aspect.sum()), len(kinds)).pvalue <= UNEVEN for aspect in (kinds % 2 == 1, kinds > 1)]
        uneven[0] &= pair[0] != pair[1]  # the first of two that are alike is motif_1 by convention
        shares: dict[tuple[str, str], float] = {}
        for kind in kinds.tolist():
            read = tuple(name if told else "any" for name, told in zip(self._read(kind), uneven, strict=True))
            shares[read[0], read[1]] = shares.get((read[0], read[1]), 0) + 1 / len(kinds)
        return shares

    def _read(self, arrangement: int) -> tuple[str, str]:
        """Return order and orientation; of the pair the other way round where its logic asks for that."""
        return ARRANGEMENTS[1 - arrangement if self.turned and arrangement < 2 else arrangement]

    def _row(
        self, order: str, orientation: str, spacing: float, numbers: tuple[Any, ...], evidence: str
    ) -> tuple[Any, ...]:
        found = self.evidence.spacings
        pair = (found.motif_2, found.motif_1) if self.turned else (found.motif_1, found.motif_2)
        support, *rest = numbers
        source = "predictions" if self.from_predictions else "co-occurrence"
        return (*pair, order, orientation, spacing, self.logic, support, *rest, evidence, source)
