"""Databases of known motifs, and motifs compared with them and scanned for."""

from __future__ import annotations

from cislens.databases.comparing import Comparison, compared
from cislens.databases.database import BUNDLED, Database, family_of, load
from cislens.databases.finding import found
from cislens.databases.matches import Matches
from cislens.databases.scan import Scan, scanned

__all__ = [
    "BUNDLED",
    "Comparison",
    "Database",
    "Matches",
    "Scan",
    "compared",
    "family_of",
    "found",
    "load",
    "scanned",
]
