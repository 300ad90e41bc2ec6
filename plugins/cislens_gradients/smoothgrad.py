"""SmoothGrad: the gradient averaged over noisy copies of the sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from cislens import Attributions, CislensError, Context, Explainer, MotifReport, Sequences, Targeted, Validity, setting
from cislens_gradients.gradients import CORRECTION_HELP, corrected, gauge_of, mean_gradient

FEWEST_SAMPLES = 8


@dataclass(frozen=True)
class SmoothGrad(Explainer):
    """Average the gradient over copies of the sequence with Gaussian noise on its one-hot rows.

    What the average shows is the gradient of a smoothed model; the noise floor in the validity block is the standard
    error that the number of copies leaves, averaged over the map.

    References
    ----------
    Smilkov et al. 2017, arXiv:1706.03825. The correction: Majdandzic et al. 2023, 10.1186/s13059-023-02956-3.
    """

    name: ClassVar[str] = "smoothgrad"
    needs: ClassVar[frozenset[str]] = frozenset({"predict", "linearize"})
    references: ClassVar[tuple[str, ...]] = ("10.48550/arXiv.1706.03825", "10.1186/s13059-023-02956-3")
    many_targets: ClassVar[bool] = True

    samples: int = setting(50, "noisy copies of each sequence")
    noise: float = setting(0.1, "standard deviation of the noise; one-hot values are 0 and 1")
    correct: bool = setting(True, CORRECTION_HELP)

    def __post_init__(self) -> None:
        if self.samples < 2 or not 0 < self.noise < float("inf"):
            raise CislensError(
                f"smoothgrad needs at least 2 samples and noise above 0, got {self.samples} and {self.noise}"
            )

    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Explain the sequences one by one."""
        t, (n, length, _) = len(oracle.targets), sequences.onehot.shape
        values = np.zeros((t, n, length, 4), oracle.dtype)
        floor = np.zeros((t, n))
        for i, x in enumerate(sequences.onehot):
            noise = context.rng(i).normal(0, self.noise, (self.samples, length, 4))
            gradient, error = mean_gradient(oracle, (x + noise * x.any(-1, keepdims=True)).astype(oracle.dtype))
            values[:, i] = corrected(gradient) if self.correct else gradient
            floor[:, i] = error.mean((1, 2))
            context.progress(i + 1, n)
        return MotifReport(
            sequences,
            attributions=Attributions(values, gauge=gauge_of(self.correct), unit="target per base"),
            validity=Validity({"noise floor": floor}),
        )

    def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
        """Return one prediction a sample, and one pullback a sample and target."""
        return n * self.samples, n * self.samples * targets

    def within(self, predictions: int) -> Self | None:
        """Take fewer samples, at least 8."""
        samples = predictions // 2
        return replace(self, samples=min(samples, self.samples)) if samples >= FEWEST_SAMPLES else None
