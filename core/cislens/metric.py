"""What a metric is: one number, or one a sequence, that says how good an explanation is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError

if TYPE_CHECKING:
    from cislens.report import MotifReport

Values = float | npt.NDArray[np.float64]


@dataclass(frozen=True)
class Metric(ABC):
    """Measure a report.

    A plugin registers instances with the hook `register_metrics`.

    Parameters
    ----------
    name
        snake_case, as in tables and on the command line.
    unit
        What the number is in, such as "share of calls" or "bp".
    direction
        Which is better: "higher" or "lower".
    needs
        The parts of a report that it measures, such as "motifs".
    references
        DOIs.

    Raises
    ------
    CislensError
        If the direction is neither.
    """

    name: str
    unit: str
    direction: Literal["higher", "lower"]
    needs: tuple[str, ...]
    references: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.direction not in ("higher", "lower"):
            raise CislensError(
                f"the direction of metric {self.name!r} must be 'higher' or 'lower', got {self.direction!r}"
            )

    @abstractmethod
    def measure(self, report: MotifReport, against: Any) -> Values:
        """Return one number for the whole, or one for each target and sequence (t, n).

        NaN stands for what there is no number for, such as the precision of no calls.

        Parameters
        ----------
        report
            What is measured.
        against
            What it is measured against: a `Truth`, an oracle, another report.
        """


def mean(values: Values) -> float:
    """Return the mean of what a metric gave, NaNs left out; NaN where there is nothing else."""
    known = np.atleast_1d(np.asarray(values, float))
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else float("nan")
