"""Registers the metrics that need a truth."""

from __future__ import annotations

from cislens.metric import Metric
from cislens.plugins import hookimpl


@hookimpl
def register_metrics() -> list[Metric]:
    """Return the metrics that measure a report against a truth."""
    from cislens.truth.truth_metrics import TRUTH_METRICS

    return list(TRUTH_METRICS)
