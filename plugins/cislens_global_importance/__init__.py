"""Global importance analysis: what motifs, alone and in pairs, do to any oracle's answer."""

from cislens import Explainer, hookimpl
from cislens_global_importance.global_importance import FittedImportance, GlobalImportance

__all__ = ["FittedImportance", "GlobalImportance"]


@hookimpl
def register_explainers() -> list[type[Explainer]]:
    """Add `global_importance`."""
    return [GlobalImportance]
