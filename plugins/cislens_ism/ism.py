"""In silico mutagenesis, exact, for any oracle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cislens import Attributions, Context, Explainer, MotifReport, Sequences, Targeted

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Ism(Explainer):
    """Predict every single substitution and take the difference to the sequence itself.

    The value at position i and base b is f(x with b at i) - f(x), exact for the model; it is zero at the sequence's
    own base (the wild-type gauge), and positive where the substitution raises the target. It speaks of one change at
    a time: of two redundant motifs it shows neither. Positions that hold N are left at zero.

    References
    ----------
    Zhou & Troyanskaya 2015, 10.1038/nmeth.3547; Alipanahi et al. 2015, 10.1038/nbt.3300.
    """

    name: ClassVar[str] = "ism"
    references: ClassVar[tuple[str, ...]] = ("10.1038/nmeth.3547", "10.1038/nbt.3300")
    many_targets: ClassVar[bool] = True

    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Explain the sequences with 3 predictions a position."""
        onehot = sequences.onehot
        sites = substitutions(onehot)
        effects = np.zeros((len(oracle.targets), *onehot.shape), oracle.dtype)
        for rows, values in oracle.substitutions(onehot, sites):
            index, position, base = sites[rows].T
            effects[:, index, position, base] = (values - context.predictions[index]).T
            context.progress(rows.stop, len(sites))
        return MotifReport(
            sequences, attributions=Attributions(effects, gauge="wild-type", unit="change of the target")
        )

    def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
        """Return three predictions a position, however many targets."""
        return 3 * n * length, 0


def substitutions(onehot: Array) -> Array:
    """List every substitution of sequences (n, length, 4) as rows (sequence, position, new base); none at N."""
    known = onehot.any(-1, keepdims=True)
    return np.argwhere(known & (onehot == 0))
