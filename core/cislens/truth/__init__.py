"""Cases where the answer is known, and how well a report agrees with it."""

from cislens.truth.comparison import Comparison
from cislens.truth.logic import Rule
from cislens.truth.summary import Recovery, recovery
from cislens.truth.truth import Truth

__all__ = ["Comparison", "Recovery", "Rule", "Truth", "recovery"]
