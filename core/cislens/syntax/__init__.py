"""How motifs stand to each other: counted from their instances, with what chance would give."""

from cislens.syntax.counting import CountedSyntax
from cislens.syntax.logic import Effects, logic_of
from cislens.syntax.patterns import patterns
from cislens.syntax.spacing import SpacingCounts, spacing_counts

__all__ = ["CountedSyntax", "Effects", "SpacingCounts", "logic_of", "patterns", "spacing_counts"]
