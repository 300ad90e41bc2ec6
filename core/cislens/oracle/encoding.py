"""What a model wants its DNA to look like, and the way there from cislens's one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import OracleError

BASES = "ACGT"
LAYOUTS = (
    "length,4",
    "4,length",
    "1,length,4",
    "1,4,length",
    "length,4,1",
    "4,length,1",
    "length,1,4",
    "4,1,length",
)


@dataclass(frozen=True)
class Encoding:
    """Convert (n, length, 4), ACGT, N as zeros, into a model's own form, and gradients back.

    Parameters
    ----------
    layout
        The model's axes after the batch, one of `LAYOUTS`.
    base_order
        The model's order of the four bases, for example "AGCT" for DeepSEA.
    n_value
        What the model wants in a row of an N: 0, or 0.25 for the mean of the bases. A row counts as N when
        all four of its values are zero.
    """

    layout: str = "length,4"
    base_order: str = BASES
    n_value: float = 0.0

    def __post_init__(self) -> None:
        layout = self.layout.replace(" ", "")
        object.__setattr__(self, "layout", layout)
        if layout not in LAYOUTS:
            raise OracleError(f"the layout must be one of {'; '.join(LAYOUTS)}, got {self.layout!r}")
        if sorted(self.base_order) != sorted(BASES):
            raise OracleError(f"the base order must hold A, C, G and T once each, got {self.base_order!r}")

    @property
    def order(self) -> tuple[int, ...]:
        """For each of the model's channels, which of ACGT it is."""
        return tuple(BASES.index(base) for base in self.base_order)

    @property
    def is_plain(self) -> bool:
        """Whether bases are in the order ACGT."""
        return self.base_order == BASES

    def shape(self, length: int) -> tuple[int, ...]:
        """Return the model's input shape for one sequence."""
        sizes = {"length": length, "4": 4, "1": 1}
        return tuple(sizes[axis] for axis in self.layout.split(","))

    def apply(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return (n, length, 4) in the model's form."""
        if self.n_value:
            x = np.where(x.any(-1, keepdims=True), x, x.dtype.type(self.n_value))
        if not self.is_plain:
            x = x[..., self.order]
        axes = self.layout.split(",")
        if axes.index("4") < axes.index("length"):
            x = x.swapaxes(1, 2)
        if "1" in axes:
            x = np.expand_dims(x, 1 + axes.index("1"))
        return np.ascontiguousarray(x)

    def undo(self, gradient: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a gradient in the model's form as (n, length, 4), ACGT."""
        axes = self.layout.split(",")
        if "1" in axes:
            gradient = np.squeeze(gradient, 1 + axes.index("1"))
        if axes.index("4") < axes.index("length"):
            gradient = gradient.swapaxes(1, 2)
        if not self.is_plain:
            gradient = gradient[..., np.argsort(self.order)]
        return np.ascontiguousarray(gradient)
