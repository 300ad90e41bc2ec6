"""SQUID: read a surrogate that was fitted to the model's answers around a sequence."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from cislens import CislensError, Context, Explainer, MotifReport, Sequences, Targeted, setting
from cislens_squid.surrogate_settings import FEWEST, SurrogateSettings


@dataclass(frozen=True)
class Squid(SurrogateSettings, Explainer):
    """Fit an interpretable surrogate to the model's answers around each sequence, and read it.

    A library of mutated copies of the sequence is predicted; a surrogate is fitted to the answers by maximum
    likelihood: a map from the bases to a latent phenotype, a nonlinearity from that to the most probable answer
    (global epistasis), and a model of the scatter around it. The map's single terms are the attributions. Because a
    curve takes up what saturates, and because the library reaches many changes away, they are less noisy than the
    effects of single changes; they speak of the neighbourhood of the sequence as far as the surrogate fits, so look at
    the held-out R2 first.

    The latent phenotype is scaled so that it has the mean and the spread of the most probable answers over the
    library: the attributions are in the target's unit. Standard errors come from the curvature of the likelihood.

    References
    ----------
    Seitz et al., Interpreting cis-regulatory mechanisms from genomic deep neural networks using surrogate models, 2024,
    10.1038/s42256-024-00851-5; Tareen et al. 2022, 10.1186/s13059-022-02661-7 (MAVE-NN). Ours maximises the same
    likelihood over all variants at once, starts from least squares, and weighs the parameters by a prior under which
    the latent phenotype varies by one.
    """

    name: ClassVar[str] = "squid"
    references: ClassVar[tuple[str, ...]] = ("10.1038/s42256-024-00851-5", "10.1186/s13059-022-02661-7")
    emits: ClassVar[tuple[str, ...]] = ("attributions", "interactions", "curves")
    at_once: ClassVar[int] = 4
    many_targets: ClassVar[bool] = True

    library: int = setting(20_000, "variants of each sequence, the wild type among them")
    mutagenesis: Literal["poisson", "exactly", "singles", "doubles"] = setting(
        "poisson", "how many bases of a variant change: by chance, exactly so many, or all variants with one or two"
    )
    rate: float = setting(0.1, "share of the bases that change, where mutagenesis is poisson")
    substitutions: int = setting(10, "bases that change, where mutagenesis is exactly")
    window: str | None = setting(None, "the only bp that change, as START-END (from 0, end left out); none: all")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_at_least(library=50, substitutions=1)
        if not 0 < self.rate <= 1:
            raise CislensError(f"squid's rate must lie above 0 and at most at 1, got {self.rate}")
        if self.window is not None and re.fullmatch(r"\d+-\d+", self.window) is None:
            raise CislensError(f"squid's window is written START-END, such as 100-140, got {self.window!r}")
        start, stop = self.span(1)
        if start >= stop:
            raise CislensError(f"squid's window must end after it starts, got {self.window!r}")

    @property
    def fills(self) -> tuple[str, ...]:
        """Pair terms come of maps that have them."""
        return self.emits if self.has_pairs else ("attributions", "curves")

    def span(self, length: int) -> tuple[int, int]:
        """Return where the window begins and ends in a sequence of a length in bp."""
        if self.window is None:
            return 0, length
        start, _, stop = self.window.partition("-")
        return int(start), int(stop)

    def variants(self, width: int) -> int:
        """Return how many variants the library of an element of a width in bp holds."""
        singles, pairs = 3 * width, 9 * width * (width - 1) // 2
        return {"singles": 1 + singles, "doubles": 1 + singles + pairs}.get(self.mutagenesis, self.library)

    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Explain the sequences, with one library each for all targets."""
        self.require_backend()
        from cislens_squid.running import explained

        return explained(self, oracle, sequences, context)

    def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
        """Return the predictions of the library, and of the single mutants with which it is compared."""
        start, stop = self.span(length)
        return n * (self.variants(stop - start) + 3 * (stop - start)), 0

    def within(self, predictions: int) -> Self | None:
        """Return itself with a smaller library; None where it would be below a thousand variants."""
        smaller = min(self.library - 1, predictions)
        if self.mutagenesis in ("singles", "doubles") or smaller < FEWEST:
            return None
        return replace(self, library=smaller)
