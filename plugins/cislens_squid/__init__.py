"""SQUID: surrogate models of any oracle."""

from __future__ import annotations

from cislens import Explainer, hookimpl
from cislens_squid.squid import Squid

__all__ = ["Squid"]


@hookimpl
def register_explainers() -> list[type[Explainer]]:
    """Add `squid`."""
    return [Squid]
