"""Registers the derivation of syntax from instances."""

from __future__ import annotations

from cislens.derivation import Derivation
from cislens.plugins import hookimpl


@hookimpl
def register_derivations() -> list[type[Derivation]]:
    """Add `syntax`."""
    from cislens.syntax.counting import CountedSyntax

    return [CountedSyntax]
