"""Registers the derivations that memelite computes."""

from __future__ import annotations

from cislens.derivation import Derivation
from cislens.plugins import hookimpl


@hookimpl
def register_derivations() -> list[type[Derivation]]:
    """Add `matches` and `scan`."""
    from cislens.databases import Matches, Scan

    return [Matches, Scan]
