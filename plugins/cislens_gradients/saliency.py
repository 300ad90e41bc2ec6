"""Saliency: the gradient itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cislens import Attributions, Context, Explainer, MotifReport, Sequences, Targeted, setting
from cislens_gradients.gradients import CORRECTION_HELP, corrected, gauge_of


@dataclass(frozen=True)
class Saliency(Explainer):
    """Take the gradient of the target with respect to the one-hot sequence.

    The value of a base at a position is how steeply the target rises towards it; the sign is kept (Simonyan et al.
    take the absolute value). Where the model saturates, the gradient vanishes though the base matters.

    References
    ----------
    Simonyan et al. 2013, arXiv:1312.6034. The correction: Majdandzic et al. 2023, 10.1186/s13059-023-02956-3.
    """

    name: ClassVar[str] = "saliency"
    needs: ClassVar[frozenset[str]] = frozenset({"predict", "linearize"})
    references: ClassVar[tuple[str, ...]] = ("10.48550/arXiv.1312.6034", "10.1186/s13059-023-02956-3")
    many_targets: ClassVar[bool] = True

    correct: bool = setting(True, CORRECTION_HELP)

    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Explain the sequences with one forward pass, and one backward pass a target."""
        _, gradient = oracle.gradient(sequences.onehot)
        values = corrected(gradient) if self.correct else gradient
        context.progress(1, 1)
        return MotifReport(
            sequences, attributions=Attributions(values, gauge=gauge_of(self.correct), unit="target per base")
        )

    def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
        """Return one prediction a sequence, and one pullback a target."""
        return n, n * targets
