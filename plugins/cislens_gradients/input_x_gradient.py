"""Input times gradient: the gradient at the bases that are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cislens import Attributions, Context, Explainer, MotifReport, Sequences, Targeted, setting
from cislens_gradients.gradients import CORRECTION_HELP, corrected, gauge_of


@dataclass(frozen=True)
class InputXGradient(Explainer):
    """Multiply the gradient by the one-hot sequence.

    Only observed bases have a value: the first-order effect of the base against the mean of the four (corrected) or
    against nothing at all (uncorrected). The correction acts on the gradient, before the product.

    References
    ----------
    Shrikumar et al. 2016, arXiv:1605.01713. The correction: Majdandzic et al. 2023, 10.1186/s13059-023-02956-3.
    """

    name: ClassVar[str] = "input_x_gradient"
    needs: ClassVar[frozenset[str]] = frozenset({"predict", "linearize"})
    references: ClassVar[tuple[str, ...]] = ("10.48550/arXiv.1605.01713", "10.1186/s13059-023-02956-3")
    many_targets: ClassVar[bool] = True

    correct: bool = setting(True, CORRECTION_HELP)

    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Explain the sequences with one forward pass, and one backward pass a target."""
        _, gradient = oracle.gradient(sequences.onehot)
        values = (corrected(gradient) if self.correct else gradient) * sequences.onehot
        context.progress(1, 1)
        maps = Attributions(values, hypothetical=False, gauge=gauge_of(self.correct), unit="target")
        return MotifReport(sequences, attributions=maps)

    def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
        """Return one prediction a sequence, and one pullback a target."""
        return n, n * targets
