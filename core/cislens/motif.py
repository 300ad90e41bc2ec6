"""A motif: what a binding site looks like, as counts, probabilities, weights or contributions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError

Array = npt.NDArray[Any]
MotifKind = Literal["counts", "probabilities", "weights", "contributions"]
UNIFORM = (0.25, 0.25, 0.25, 0.25)
# The IUPAC letter of each set of bases, the bit of a base its place in ACGT.
IUPAC = "-ACMGRSVTWYHKDBN"


@dataclass(frozen=True, eq=False)
class Motif:
    """Hold one motif, with what its numbers are.

    Parameters
    ----------
    id
        Joins motifs, instances, matches and exports.
    matrix
        (width, 4), bases ACGT.
    kind
        "counts"; "probabilities" (PPM, rows sum to 1); "weights" (PWM, log2 of probability over background);
        "contributions" (CWM, the mean attribution of its instances).
    background
        Frequencies of ACGT.
    name
        What a reader calls it; the id by default.
    sites
        How many instances it was made from, where known.
    """

    id: str
    matrix: Array
    kind: MotifKind = "probabilities"
    background: tuple[float, float, float, float] = UNIFORM
    name: str = ""
    sites: int | None = None

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.matrix.shape[1] != 4 or not len(self.matrix):
            raise ReportError(f"a motif's matrix must have shape (width, 4), got {self.matrix.shape}")
        if self.kind not in get_args(MotifKind):
            raise ReportError(f"a motif holds {', '.join(get_args(MotifKind))}, got {self.kind!r}")
        if self.kind in ("counts", "probabilities") and self.matrix.min() < 0:
            raise ReportError(f"{self.kind} of motif {self.id!r} must not be negative: say kind='weights'")
        if self.kind == "probabilities" and not np.allclose(self.matrix.sum(1), 1, atol=1e-3):
            raise ReportError(f"probabilities of motif {self.id!r} must sum to 1 at each position: say kind='counts'")
        if not (min(self.background) > 0 and abs(sum(self.background) - 1) < 1e-3):
            raise ReportError(
                f"the background of motif {self.id!r} must be four positive frequencies that sum to 1, "
                f"got {self.background}"
            )
        if not self.name:
            object.__setattr__(self, "name", self.id)

    @classmethod
    def from_windows(
        cls, id: str, windows: Array, background: tuple[float, float, float, float] = UNIFORM, name: str = ""
    ) -> Motif:
        """Return the counts of aligned windows; where one holds no base (N), it counts as the background.

        So each position adds up to the number of windows, and none is without counts.

        Parameters
        ----------
        windows : (n, width, 4)
            One-hot sequences, one at least.
        """
        absent = len(windows) - windows.sum((0, 2), dtype=float)
        counts = windows.sum(0, dtype=float) + absent[:, None] * np.asarray(background)
        return cls(id, counts, "counts", background, name, len(windows))

    def __len__(self) -> int:
        return len(self.matrix)

    def probabilities(self, pseudocount: float = 0.0) -> Array:
        """Return the motif as probabilities (width, 4); counts get `pseudocount` spread by the background.

        Raises
        ------
        ReportError
            If it holds contributions, or a position without a count and there is no pseudocount.
        """
        background = np.asarray(self.background)
        if self.kind == "counts":
            padded = self.matrix + pseudocount * background
            if not (padded.sum(1) > 0).all():
                raise ReportError(f"motif {self.id!r} must have counts at every position, one has none: trim it first")
            return np.asarray(padded / padded.sum(1, keepdims=True))
        if self.kind == "probabilities":
            return self.matrix
        if self.kind == "weights":
            odds = background * np.exp2(self.matrix)
            return np.asarray(odds / odds.sum(1, keepdims=True))
        raise ReportError(f"motif {self.id!r} holds contributions, which are no probabilities: average its instances")

    def information(self) -> Array:
        """Return the information content of each position in bits, (width,), against the background.

        It is the relative entropy of the position to the background (Schneider et al. 1986,
        10.1016/0022-2836(86)90165-8), without their small-sample correction.
        """
        p = self.probabilities()
        ratio = np.divide(p, np.asarray(self.background), out=np.ones_like(p, dtype=float), where=p > 0)
        return np.asarray((p * np.log2(ratio)).sum(1))

    def reverse_complement(self) -> Motif:
        """Return the motif as it reads on the other strand."""
        a, c, g, t = self.background
        return replace(self, matrix=self.matrix[::-1, ::-1], background=(t, g, c, a))

    def trimmed(self, bits: float = 0.2) -> Motif:
        """Return the motif without flanks of less than `bits` a position; at least its best position is kept."""
        return self.window(*self.informative(bits))

    def window(self, start: int, end: int) -> Motif:
        """Return the columns from `start` up to `end`, 0-based and half-open.

        Raises
        ------
        ReportError
            If they are not all the motif's.
        """
        if not 0 <= start < end <= len(self):
            raise ReportError(f"columns of motif {self.id!r} must lie in 0 to {len(self)}, got {start} to {end}")
        return replace(self, matrix=self.matrix[start:end])

    def core(self, width: int) -> Motif:
        """Return the window of `width` columns that holds most information; the whole motif if it is no wider.

        Raises
        ------
        ReportError
            If `width` is no width.
        """
        if width < 1:
            raise ReportError(f"the core of motif {self.id!r} must be one column wide at least, got {width}")
        return self.window(*self.informative(0, width))

    def informative(self, bits: float, widest: int | None = None) -> tuple[int, int]:
        """Return the columns that are left without flanks, 0-based and half-open; at least the best one is.

        Parameters
        ----------
        bits
            Information below which a column at an end is left out; 0 keeps all.
        widest
            How many columns at most, those next to each other that hold most information.
        """
        information = self.information()
        kept = np.flatnonzero(information >= bits) if bits > 0 else np.arange(len(self))
        start, end = (int(kept[0]), int(kept[-1]) + 1) if len(kept) else (int(information.argmax()),) * 2
        end = max(end, start + 1)
        if widest is not None and end - start > widest:
            start += int(np.convolve(information[start:end], np.ones(widest), "valid").argmax())
            end = start + widest
        return start, end

    def consensus(self, share: float = 0.5) -> str:
        """Return the motif in IUPAC letters: at each position the bases of at least `share` of the likeliest one."""
        p = self.probabilities()
        held = p >= share * p.max(1, keepdims=True)
        return "".join(IUPAC[int(row @ [1, 2, 4, 8])] for row in held)
