"""How much an oracle was asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counts:
    """Count the sequences that went forward and backward through a model."""

    predictions: int = 0
    pullbacks: int = 0

    def since(self, earlier: Counts) -> Counts:
        """Return what was added since an earlier snapshot."""
        return Counts(self.predictions - earlier.predictions, self.pullbacks - earlier.pullbacks)

    def snapshot(self) -> Counts:
        """Return a copy that later work does not change."""
        return Counts(self.predictions, self.pullbacks)
