"""What explainers return, and how it is kept."""

from cislens.report.attributions import Attributions, Masks
from cislens.report.provenance import Cost, Provenance
from cislens.report.report import TABLES, MotifReport, join, stack
from cislens.report.validity import Validity

__all__ = ["TABLES", "Attributions", "Cost", "Masks", "MotifReport", "Provenance", "Validity", "join", "stack"]
