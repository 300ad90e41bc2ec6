"""What an explainer says of each base: additive maps and masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError

Array = npt.NDArray[Any]
MaskMeaning = Literal["sufficient", "necessary"]


@dataclass(frozen=True, eq=False)
class Attributions:
    """Hold additive maps.

    Parameters
    ----------
    values
        (t, n, length, 4): for each target and sequence, what each base at each position contributes. Positive
        raises the target.
    hypothetical
        True where `values` speaks of all four bases (what a base would contribute if it stood there); False where
        only the share of the sequence itself is given, spread over the four.
    gauge
        What was fixed of the freedom to move a constant between positions: "uniform" (each position's mean over the
        four bases is zero), "wild-type" (zero at the observed base), "reference" (zero on average over a
        reference), "empirical", or "none".
    unit
        What the numbers are in, such as "target" or "target per base".
    """

    values: Array
    hypothetical: bool = True
    gauge: str = "none"
    unit: str = "target"

    def __post_init__(self) -> None:
        if self.values.ndim != 4 or self.values.shape[-1] != 4:
            raise ReportError(f"attributions must have shape (t, n, length, 4), got {self.values.shape}")

    def projected(self, onehot: Array) -> Array:
        """Return what the sequences' own bases contribute, (t, n, length); N contributes nothing.

        Parameters
        ----------
        onehot
            (n, length, 4), the sequences explained.
        """
        if self.hypothetical:
            return np.asarray((self.values * onehot).sum(-1))
        return np.asarray(self.values.sum(-1))

    def take(self, index: Any) -> Attributions:
        """Return the maps of some sequences."""
        return replace(self, values=self.values[:, index])


@dataclass(frozen=True, eq=False)
class Masks:
    """Hold masks: which positions matter.

    Parameters
    ----------
    values
        (t, n, length) in [0, 1].
    meaning
        "sufficient": what is kept alone upholds the prediction; "necessary": without it the prediction falls.
    """

    values: Array
    meaning: MaskMeaning

    def __post_init__(self) -> None:
        if self.values.ndim != 3:
            raise ReportError(f"masks must have shape (t, n, length), got {self.values.shape}")
        if self.values.size and not (self.values.min() >= 0 and self.values.max() <= 1):
            raise ReportError("masks must lie between 0 and 1, got values outside: squash them first")
        if self.meaning not in ("sufficient", "necessary"):
            raise ReportError(f"a mask means 'sufficient' or 'necessary', got {self.meaning!r}")

    def take(self, index: Any) -> Masks:
        """Return the masks of some sequences."""
        return replace(self, values=self.values[:, index])
