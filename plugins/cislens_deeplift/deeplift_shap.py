"""DeepLIFT/SHAP: differences from references, handed down through every nonlinearity."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from cislens import Attributions, CislensError, Context, Explainer, MotifReport, Sequences, Targeted, Validity, setting
from cislens.backgrounds import parse_background

if TYPE_CHECKING:
    from cislens_deeplift.admission import Admitted

Array = npt.NDArray[Any]
FEWEST = 5  # references
TOGETHER, HELD_AT_ONCE = 8, 1 << 20  # sequences, or bp of their references, that are asked in one call
TOLERATED = 0.01  # convergence delta over the difference to be explained, above which the reader is warned
ROUNDING = 1e-5  # of float32 in an answer and its contributions, over the larger of 1 and that
ESTRANGED = 1e-4  # difference of what was explained from the model's answer, over the larger of 1 and that


@dataclass(frozen=True)
class DeepLiftShap(Explainer):
    """Hand the difference from shuffled references down, layer by layer.

    A nonlinearity passes on to its inputs what it changed between reference and sequence (the rescale rule), so that a
    sigmoid that is saturated still gives credit where a gradient gives none. The value of a base b at a position is
    what it would contribute in place of the reference r there, m_b - sum_c r_c m_c with m the multipliers, averaged
    over the references; values at observed bases add up to f(x) minus the mean of f(r). How far they miss is the
    convergence delta in the validity block. Where the sequence holds N, so do the references.

    For one reference the map is zero at that reference's bases; an average over references whose multipliers differ
    has its zero at no base in particular. This is what the gauge "reference" says.

    The model's own torch module is asked where the rules cover all that it does; else a torch twin, translated from
    the layers of whatever framework and admitted only where it answers random sequences as the model does, within
    1e-5. Which of the two it was is in the validity block. What neither covers is refused by name.

    References
    ----------
    Shrikumar et al. 2017, arXiv:1704.02685; the average over references: Lundberg and Lee 2017, arXiv:1705.07874. The
    rules are those of tangermeme (github.com/jmschrei/tangermeme). We draw the references from the run's seed and the
    sequence's own bases, and measure the convergence delta ourselves.
    """

    name: ClassVar[str] = "deeplift_shap"
    needs: ClassVar[frozenset[str]] = frozenset({"predict", "layers", "activations", "weights"})
    references: ClassVar[tuple[str, ...]] = ("10.48550/arXiv.1704.02685", "10.48550/arXiv.1705.07874")

    shuffles: int = setting(20, "how many references a sequence has: shuffles of it, or what the background draws")
    background: str = setting(
        "dinucleotide", "where references come from: dinucleotide, uniform, frequencies, kmer:ORDER"
    )
    hypothetical: bool = setting(True, "give a value to each of the four bases, not only to the observed one")
    batch: int = setting(32, "pairs of a sequence and a reference that are computed together")
    preflight: Literal["refuse", "warn"] = setting(
        "refuse", "what to do about nonlinearities that no rule covers: refuse, or warn and take them as linear"
    )

    def __post_init__(self) -> None:
        if self.shuffles < 1 or self.batch < 1:
            raise CislensError(
                f"deeplift_shap needs shuffles and a batch of at least 1, got {self.shuffles} and {self.batch}"
            )
        if self.preflight not in ("refuse", "warn"):
            raise CislensError(f"the preflight of deeplift_shap must be refuse or warn, got {self.preflight!r}")
        parse_background(self.background)

    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Explain the sequences, some at a time."""
        try:
            from cislens_deeplift.pairs import explain_pairs
        except ModuleNotFoundError as error:
            raise CislensError(
                f"deeplift_shap needs {error.name}, which is not installed: pip install 'cislens[deeplift]'"
            ) from error
        background = parse_background(self.background)
        chosen = self._chosen(oracle, sequences.length)
        n = len(sequences)
        values = np.zeros((1, n, sequences.length, 4), oracle.dtype)
        deltas, differences, answers = np.zeros((1, n)), np.zeros((1, n)), np.zeros(n)
        together = max(1, min(TOGETHER, HELD_AT_ONCE // max(1, self.shuffles * sequences.length)))
        for first in range(0, n, together):
            x = sequences.onehot[first : first + together]
            drawn = [background.sample(x[i : i + 1], self.shuffles, context.rng(first + i))[0] for i in range(len(x))]
            found = explain_pairs(chosen.scalar, chosen.device, x, np.stack(drawn), self.batch)
            for i, one in enumerate(found, first):
                values[0, i] = one.contributions if self.hypothetical else one.contributions * sequences.onehot[i]
                deltas[0, i], differences[0, i], answers[i] = one.delta, one.difference, one.value
            oracle.counts.predictions += 2 * self.shuffles * len(x)
            oracle.counts.pullbacks += 2 * self.shuffles * len(x)
            context.progress(first + len(x), n)
        told = (
            *chosen.warnings,
            *_warnings(deltas, differences, answers),
            *_estranged(answers, context.predictions[:, 0]),
        )
        return MotifReport(
            sequences,
            attributions=Attributions(values, hypothetical=self.hypothetical, gauge="reference", unit="target"),
            validity=Validity({"convergence delta": deltas}, {"torch twin": float(chosen.is_twin)}, told),
        )

    def _chosen(self, oracle: Targeted, length: int) -> Admitted:
        from cislens_deeplift.admission import admitted

        known = self._admitted.setdefault(oracle, {})
        if length not in known:
            known[length] = admitted(oracle, length, self.preflight)
        return known[length]

    @cached_property
    def _admitted(self) -> MutableMapping[Targeted, dict[int, Admitted]]:
        """What was admitted of a target, by length: a run asks for each of its blocks, with the same target."""
        return WeakKeyDictionary()

    def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
        """Return two passes each way a reference: the sequence goes with each."""
        return 2 * n * self.shuffles * targets, 2 * n * self.shuffles * targets

    def within(self, predictions: int) -> Self | None:
        """Take fewer references, at least 5."""
        shuffles = predictions // 4
        return replace(self, shuffles=min(shuffles, self.shuffles)) if shuffles >= FEWEST else None


def _warnings(deltas: Array, differences: Array, answers: Array) -> tuple[str, ...]:
    rounding = ROUNDING * np.maximum(1, np.abs(answers))  # where f(x) is as the references are, all that may be left
    off = np.abs(deltas) > np.maximum(TOLERATED * np.abs(differences), rounding)
    if not off.any():
        return ()
    return (
        f"for some sequences the contributions miss f(x) - mean f(reference) by more than {TOLERATED:.0%} of it (see "
        "the convergence delta): the model does something that no rule covers",
    )


def _estranged(answers: Array, predictions: Array) -> tuple[str, ...]:
    off = np.abs(answers - predictions) / np.maximum(1, np.abs(predictions))
    if not (off > ESTRANGED).any():
        return ()
    return (
        f"what was explained answers some sequences otherwise than the model, by up to {off.max():.1e}, although it "
        "agreed on random ones: compare with another explainer",
    )
