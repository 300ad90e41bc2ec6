"""The metrics that need a truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cislens.errors import CislensError
from cislens.metric import Metric, Values
from cislens.truth.comparison import Comparison
from cislens.truth.truth import Truth

if TYPE_CHECKING:
    from cislens.report import MotifReport


@dataclass(frozen=True, kw_only=True)
class TruthMetric(Metric):
    """Measure a report against a truth.

    Parameters
    ----------
    read
        Takes the number, or the array (t, n), out of a comparison.
    """

    read: Callable[[Comparison], Values]

    def measure(self, report: MotifReport, against: Any) -> Values:
        """Return one number, or one for each target and sequence, from a report and a `Truth`."""
        if not isinstance(against, Truth):
            raise CislensError(f"metric {self.name!r} measures against a Truth, got {type(against).__name__}")
        return self.read(Comparison(report, against))


HIGHER: Literal["higher"] = "higher"
LOWER: Literal["lower"] = "lower"
OVERLAP = "overlap of distributions"
MOTIFS, INSTANCES, MASKS, MAPS, SYNTAX = (("motifs",), ("instances",), ("masks",), ("attributions",), ("syntax",))
JACCARD = ("10.1111/j.1469-8137.1912.tb05611.x",)

TRUTH_METRICS = (
    TruthMetric("motif_similarity", "correlation", HIGHER, MOTIFS, read=lambda c: c.motifs.similarity),
    TruthMetric("motifs_found", "motifs", HIGHER, MOTIFS, read=lambda c: len(c.motifs.found)),
    TruthMetric("motifs_missed", "motifs", LOWER, MOTIFS, read=lambda c: len(c.motifs.missed)),
    TruthMetric("motifs_redundant", "motifs", LOWER, MOTIFS, read=lambda c: c.motifs.redundant),
    TruthMetric("motifs_extraneous", "motifs", LOWER, MOTIFS, read=lambda c: len(c.motifs.extraneous)),
    TruthMetric("instance_precision", "share of calls", HIGHER, INSTANCES, read=lambda c: c.instances.precision),
    TruthMetric("instance_recall", "share of instances", HIGHER, INSTANCES, read=lambda c: c.instances.recall),
    TruthMetric(
        "instance_recall_at_top",
        "share of instances, of as many calls as there are instances",
        HIGHER,
        INSTANCES,
        read=lambda c: c.instances.recall_at_top(),
    ),
    TruthMetric("mask_iou", "share of bp", HIGHER, MASKS, JACCARD, read=lambda c: c.masks.iou),
    TruthMetric("mask_precision", "share of bp called", HIGHER, MASKS, read=lambda c: c.masks.precision),
    TruthMetric("mask_recall", "share of bp that explain", HIGHER, MASKS, read=lambda c: c.masks.recall),
    TruthMetric("map_iou", "share of bp", HIGHER, MAPS, JACCARD, read=lambda c: c.maps.iou),
    TruthMetric("map_recall", "share of bp that can turn the label", HIGHER, MAPS, read=lambda c: c.maps.recall),
    TruthMetric("syntax_rule_recall", "share of pairs asked", HIGHER, SYNTAX, read=lambda c: c.syntax.rule_recall),
    TruthMetric(
        "syntax_rule_precision", "share of pairs found", HIGHER, SYNTAX, read=lambda c: c.syntax.rule_precision
    ),
    TruthMetric("syntax_order", OVERLAP, HIGHER, SYNTAX, read=lambda c: c.syntax.overlap("order")),
    TruthMetric("syntax_orientation", OVERLAP, HIGHER, SYNTAX, read=lambda c: c.syntax.overlap("orientation")),
    TruthMetric("syntax_spacing", OVERLAP, HIGHER, SYNTAX, read=lambda c: c.syntax.overlap("spacing")),
    TruthMetric("syntax_arrangement", OVERLAP, HIGHER, SYNTAX, read=lambda c: c.syntax.overlap("arrangement")),
)
