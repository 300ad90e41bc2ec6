"""SQUID: surrogate models of any oracle."""

from __future__ import annotations

from cislens import Explainer, hookimpl
from cislens_squid.squid import Squid
from cislens_squid.squid_global import FittedSquidGlobal, SquidGlobal

__all__ = ["FittedSquidGlobal", "Squid", "SquidGlobal"]


@hookimpl
def register_explainers() -> list[type[Explainer]]:
    """Add `squid` and `squid_global`."""
    return [Squid, SquidGlobal]
