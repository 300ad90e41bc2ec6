"""What tells whether to believe an explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Validity:
    """Hold measures of trust and plain-language warnings.

    Parameters
    ----------
    measures
        By name, one number for each target and sequence, (t, n): a convergence delta, a noise floor, ...
    summary
        By name, one number for the whole: a held-out R2, a share of dead units, ...
    warnings
        Sentences for the reader.
    """

    measures: Mapping[str, Array] = field(default_factory=dict)
    summary: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, values in self.measures.items():
            if np.ndim(values) != 2:
                raise ReportError(f"measure {name!r} must have shape (t, n), got {np.shape(values)}")

    def warned(self, *sentences: str) -> Validity:
        """Return the same with further warnings, none twice."""
        known = (*self.warnings, *sentences)
        return Validity(self.measures, self.summary, tuple(dict.fromkeys(known)))

    def take(self, index: Any) -> Validity:
        """Return the measures of some sequences; what speaks of the whole is kept."""
        return Validity({name: values[:, index] for name, values in self.measures.items()}, self.summary, self.warnings)
