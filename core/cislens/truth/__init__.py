"""Cases where the answer is known, and how well a report agrees with it."""

from cislens.truth.logic import Rule
from cislens.truth.truth import Truth

__all__ = ["Rule", "Truth"]
