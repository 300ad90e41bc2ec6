"""Registers the derivations that need nothing but the core's own dependencies."""

from __future__ import annotations

from cislens.derivation import Derivation
from cislens.plugins import hookimpl


@hookimpl
def register_derivations() -> list[type[Derivation]]:
    """Add `motifs` and `instances`."""
    from cislens.discovery import Instances, Motifs

    return [Motifs, Instances]
