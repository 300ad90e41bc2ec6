"""Integrated gradients: the gradient along the way from a reference to the sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from cislens import Attributions, CislensError, Context, Explainer, MotifReport, Sequences, Targeted, Validity, setting
from cislens.backgrounds import parse_background
from cislens_gradients.gradients import CORRECTION_HELP, corrected, mean_gradient

Array = npt.NDArray[Any]
FEWEST_STEPS = 8
TOLERATED = 0.05  # convergence delta over the difference to be explained, above which the reader is warned


@dataclass(frozen=True)
class IntegratedGradients(Explainer):
    """Average the gradient along the straight way from a reference to the sequence.

    The value of a base b at a position is what it would contribute in place of the reference r there,
    g_b - sum_c r_c g_c with g the mean gradient along the way; at the observed base this is the integrated gradient,
    (x - r) g summed over the bases. References lie on the simplex, so that the values at observed bases add up to
    f(x) - f(r) with or without the correction; how far they miss is the convergence delta in the validity block. Where
    the sequence holds N, so does the reference.

    References
    ----------
    Sundararajan et al. 2017, arXiv:1703.01365; we take the midpoint rule for the integral. The correction:
    Majdandzic et al. 2023, 10.1186/s13059-023-02956-3.
    """

    name: ClassVar[str] = "integrated_gradients"
    needs: ClassVar[frozenset[str]] = frozenset({"predict", "linearize"})
    references: ClassVar[tuple[str, ...]] = ("10.48550/arXiv.1703.01365", "10.1186/s13059-023-02956-3")
    many_targets: ClassVar[bool] = True

    steps: int = setting(50, "points along the way from a reference to the sequence")
    reference: Literal["uniform", "dinucleotide"] = setting(
        "uniform", "where the way starts: 0.25 for each base, or dinucleotide shuffles of the sequence"
    )
    shuffles: int = setting(10, "how many shuffles, each with a way of its own; one reference if uniform")
    correct: bool = setting(True, CORRECTION_HELP)

    def __post_init__(self) -> None:
        if self.steps < 1 or self.shuffles < 1:
            raise CislensError(
                f"integrated_gradients needs steps and shuffles of at least 1, got {self.steps} and {self.shuffles}"
            )
        if self.reference not in ("uniform", "dinucleotide"):
            raise CislensError(
                f"the reference of integrated_gradients must be uniform or dinucleotide, got {self.reference!r}"
            )

    @property
    def ways(self) -> int:
        """How many references a sequence has."""
        return self.shuffles if self.reference == "dinucleotide" else 1

    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Explain the sequences one by one."""
        t, (n, length, _) = len(oracle.targets), sequences.onehot.shape
        values = np.zeros((t, n, length, 4), oracle.dtype)
        deltas = np.zeros((t, n))
        differences = np.zeros((t, n))
        for i, x in enumerate(sequences.onehot):
            starts = self._references(x, context.rng(i))
            at_start = oracle.predict(starts)
            for start, value in zip(starts, at_start, strict=True):
                contributions = self._contributions(oracle, x, start)
                values[:, i] += (contributions / self.ways).astype(oracle.dtype)
                explained = (contributions * (x - start)).sum((1, 2))
                differences[:, i] += (context.predictions[i] - value) / self.ways
                deltas[:, i] += (explained - (context.predictions[i] - value)) / self.ways
            context.progress(i + 1, n)
        return MotifReport(
            sequences,
            attributions=Attributions(values, gauge="reference", unit="target"),
            validity=Validity({"convergence delta": deltas}, warnings=self._warnings(deltas, differences)),
        )

    def _warnings(self, deltas: Array, differences: Array) -> tuple[str, ...]:
        if not (np.abs(deltas) > TOLERATED * np.abs(differences)).any():
            return ()
        return (
            f"for some sequences the values add up to f(x) - f(reference) only within more than {TOLERATED:.0%} of it "
            f"(see the convergence delta): take more steps than {self.steps}",
        )

    def _references(self, x: Array, rng: np.random.Generator) -> Array:
        known = x.any(-1, keepdims=True)
        if self.reference == "uniform":
            return np.where(known, np.full((1, 4), 0.25), 0.0)[None]
        shuffled = parse_background("dinucleotide").sample(x[None], self.shuffles, rng)[0]
        return np.asarray(shuffled, np.float64)

    def _contributions(self, oracle: Targeted, x: Array, start: Array) -> Array:
        share = (np.arange(self.steps) + 0.5) / self.steps
        points = start + share[:, None, None] * (x - start)
        gradient, _ = mean_gradient(oracle, points.astype(oracle.dtype))
        if self.correct:
            gradient = corrected(gradient)
        return np.asarray(gradient - (gradient * start).sum(-1, keepdims=True))

    def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
        """Return one prediction a point and reference, and one pullback a point and target."""
        points = n * self.ways * self.steps
        return points + n * self.ways, points * targets

    def within(self, predictions: int) -> Self | None:
        """Take fewer steps, at least 8."""
        steps = (predictions // self.ways - 1) // 2
        return replace(self, steps=min(steps, self.steps)) if steps >= FEWEST_STEPS else None
