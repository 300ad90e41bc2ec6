"""Filters to motifs: what the sequence looks like where a filter answers most."""

from cislens import Explainer, hookimpl
from cislens_filters.filters import Filters, FittedFilters
from cislens_filters.nullification import nullified

__all__ = ["Filters", "FittedFilters", "nullified"]


@hookimpl
def register_explainers() -> list[type[Explainer]]:
    """Add `filters`."""
    return [Filters]
