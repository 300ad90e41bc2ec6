"""Occlusion, as a plugin for cislens: what a model loses when a window of the sequence is blanked."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cislens import Attributions, CislensError, Context, Explainer, MotifReport, Sequences, Targeted, hookimpl, setting


@dataclass(frozen=True)
class Occlusion(Explainer):
    """Blank each window of the sequence, and take what the prediction loses.

    A position's value is the mean loss over the windows that cover it, spread over their width; positive where the
    window raised the prediction. It sees what several neighbouring bases do together, at the resolution of the window.

    References
    ----------
    Zeiler & Fergus 2014, 10.1007/978-3-319-10590-1_53.
    """

    name: ClassVar[str] = "occlusion"
    references: ClassVar[tuple[str, ...]] = ("10.1007/978-3-319-10590-1_53",)
    many_targets: ClassVar[bool] = True

    width: int = setting(5, "width of the window in bp")
    fill: float = setting(0.25, "what stands for each base in a blanked window: 0.25 for any, 0 for N")

    def __post_init__(self) -> None:
        if self.width < 1 or not 0 <= self.fill <= 0.25:
            raise CislensError(
                f"occlusion needs a width above 0 and a fill of 0 to 0.25, got {self.width}, {self.fill}"
            )

    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Explain the sequences one by one, with one prediction a window."""
        n, length = len(sequences), sequences.length
        starts = np.arange(max(length - self.width + 1, 1))
        covers = (np.arange(length) >= starts[:, None]) & (np.arange(length) < starts[:, None] + self.width)
        spread = covers / covers.sum(1, keepdims=True) / covers.sum(0)
        values = np.zeros((len(oracle.targets), n, length, 4))
        for i, x in enumerate(sequences.onehot):
            known = x.any(-1, keepdims=True)
            blanked = np.where(covers[:, :, None] & known, self.fill, x)
            lost = context.predictions[i] - oracle.predict(blanked)  # (windows, targets)
            values[:, i] = (lost.T @ spread)[:, :, None] * x
            context.progress(i + 1, n)
        return MotifReport(sequences, attributions=Attributions(values, hypothetical=False))

    def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
        """Return one prediction a window."""
        return n * max(length - self.width + 1, 1), 0


@hookimpl
def register_explainers() -> list[type[Explainer]]:
    """Add `occlusion`."""
    return [Occlusion]
