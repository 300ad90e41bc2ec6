"""Everything that a truth says of a report, in one summary."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cislens.metric import mean
from cislens.truth.comparison import Comparison
from cislens.truth.truth_metrics import TRUTH_METRICS, TruthMetric

if TYPE_CHECKING:
    from cislens.report import MotifReport
    from cislens.truth.truth import Truth


@dataclass(frozen=True, eq=False)
class Recovery:
    """Hold what of a truth a report recovered.

    `print` shows it, and `json` writes it.

    Parameters
    ----------
    measures
        By the name of each metric that was measured, its number; of one that gives a number a sequence, the mean over
        those that have one.
    skipped
        By the name of each other metric, why.
    counts
        How much was compared: sequences, motifs, calls, instances; sequences whose label nothing planted explains
        are left out of masks and maps.
    comparison
        The tables and arrays behind it.
    """

    measures: Mapping[str, float]
    skipped: Mapping[str, str]
    counts: Mapping[str, int]
    comparison: Comparison

    def __str__(self) -> str:
        width = max(map(len, (*self.measures, *self.skipped)))
        lines = [
            f"{metric.name:{width}}  {_number(self.measures[metric.name], metric.unit):>7}  {metric.unit}, "
            f"{metric.direction} is better"
            for metric in TRUTH_METRICS
            if metric.name in self.measures
        ]
        lines += [f"{name:{width}}  {'-':>7}  {reason}" for name, reason in self.skipped.items()]
        return "\n".join([", ".join(f"{count:,} {what}" for what, count in self.counts.items()), *lines])

    def json(self) -> str:
        """Return measures, skipped metrics and counts as JSON."""
        document = {"measures": dict(self.measures), "skipped": dict(self.skipped), "counts": dict(self.counts)}
        return json.dumps(document, indent=1, allow_nan=False)


def recovery(report: MotifReport, truth: Truth, *, expected: Collection[str] = (), **settings: Any) -> Recovery:
    """Measure a report by every truth metric whose parts it holds, and say which were skipped and why.

    Parameters
    ----------
    report, truth
        What is compared.
    expected
        Parts that are measured even where the report holds nothing of them, such as an explainer's `emits`: no motif
        found is then a motif missed, not a measure left out.
    **settings
        Of `Comparison`: relevant, similarity, minimum_overlap, same_motif, mask_threshold.

    Raises
    ------
    CislensError
        If the truth is of other sequences.

    Examples
    --------
    >>> print(recovery(report, truth))  # doctest: +SKIP
    """
    comparison = Comparison(report, truth, **settings)
    measures, skipped = {}, {}
    for metric in TRUTH_METRICS:
        lacking = _lacking(metric, report, expected)
        value = math.nan if lacking else mean(metric.read(comparison))
        if math.isnan(value):
            skipped[metric.name] = lacking or "there is nothing to measure it on"
        else:
            measures[metric.name] = value
    return Recovery(measures, skipped, _counts(comparison), comparison)


def _lacking(metric: TruthMetric, report: MotifReport, expected: Collection[str]) -> str:
    """Return why a report cannot be measured, "" where it can: of motifs and tables none may be an answer."""
    for part in metric.needs:
        held = bool(report.motifs) if part == "motifs" else getattr(report, part) is not None
        if not held and (part not in expected or part in ("masks", "attributions")):
            return f"the report holds no {part}"
    return ""


def _counts(comparison: Comparison) -> dict[str, int]:
    """Return how much was compared."""
    report = comparison.report
    counts = {"sequences": len(report.sequences), "relevant motifs": len(comparison.relevant)}
    if report.motifs:
        counts["motifs found"] = len(report.motifs)
    if report.instances is not None:
        counts |= {"calls": comparison.instances.calls, "instances to be found": comparison.instances.instances}
    if report.masks is not None:
        counts["sequences left out of masks"] = comparison.masks.left_out
    if report.attributions is not None:
        counts["sequences left out of maps"] = comparison.maps.left_out
    return counts


def _number(value: float, unit: str) -> str:
    return f"{value:.0f}" if unit == "motifs" else f"{value:.3f}"
