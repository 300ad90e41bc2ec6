"""An oracle that joins two motifs by AND, OR or AND NOT."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from cislens.errors import require_choice
from cislens.oracle.base import Array, Outputs, Pullback
from cislens.oracle.head import Head
from cislens.sequences import Sequences
from cislens.testing.toys.known import Knowledge, Pair, Sought
from cislens.testing.toys.scanner import Scanner
from cislens.testing.toys.toy import Toy, plant, random_onehot, substitutions_only, two_places
from cislens.testing.toys.windows import sigmoid
from cislens.truth import Rule

Logic = Literal["and", "or", "and not"]
# Which motifs examples hold, in turn.
HELD: dict[Logic, tuple[tuple[str, ...], ...]] = {
    "and": (("first", "second"),),
    "or": (("first",), ("second",), ("first", "second")),
    "and not": (("first",), ("first", "second")),
}


class LogicToy(Toy):
    """Answer with the probability that two motifs, each present or not by itself, make the sequence positive.

    The presence of a motif is p = sigmoid(slope (score - midpoint)), its score the log of the sum of e to the score
    over all windows; that of both is independent, so that the answer is p q for AND, p + q - p q for OR and
    p (1 - q) for AND NOT: smooth, with known gradients. One motif's effect is the change of its own presence times
    what the other leaves to be said: of two that are redundant (OR), nothing.

    Parameters
    ----------
    pwms
        Scores of the motifs "first" and "second", each (width, 4).
    length
        Length in bp.
    logic
        "and", "or" or "and not" (the first, but not the second).
    midpoint, slope
        Where and how steeply presence responds to the score. Windows above the midpoint are instances.

    Raises
    ------
    CislensError
        If `logic` is none of the three.
    """

    def __init__(
        self, pwms: tuple[Array, Array], length: int, logic: Logic, midpoint: float = 8.0, slope: float = 1.0
    ) -> None:
        require_choice("the logic of two motifs", logic, Logic)
        self.scanners = tuple(Scanner(np.asarray(pwm, np.float64)) for pwm in pwms)
        self.logic: Logic = logic
        self.midpoint, self.slope = midpoint, slope
        first, second = (scanner.pwm for scanner in self.scanners)
        self.knowledge = Knowledge(
            (Sought.of_pwm("first", first, midpoint), Sought.of_pwm("second", second, midpoint)),
            {logic: Rule(f"first {logic} second")},
            (Pair("first", "second", logic),),
        )
        super().__init__(f"logic toy ({logic})", [Head("value", (), (), scale="probability")], length)

    def _arrays(self) -> Iterable[Array]:
        return [*(scanner.pwm for scanner in self.scanners), np.array([self.midpoint, self.slope])]

    # ---- the rule ----------------------------------------------------------------------------------------

    def presence(self, score: Array) -> Array:
        """Return the probability that a motif of this score is there."""
        return sigmoid(self.slope * (score - self.midpoint))

    def joined(self, first: Array, second: Array) -> Array:
        """Return the answer to two presences."""
        if self.logic == "or":
            return np.asarray(first + second - first * second)
        return np.asarray(first * (second if self.logic == "and" else 1 - second))

    def _joined_slopes(self, first: Array, second: Array) -> tuple[Array, Array]:
        if self.logic == "or":
            return 1 - second, 1 - first
        return (second, first) if self.logic == "and" else (1 - second, -first)

    # ---- the oracle --------------------------------------------------------------------------------------

    def _predict(self, x: Array) -> Outputs:
        first, second = (self.presence(scanner.score(x)) for scanner in self.scanners)
        return {"value": self.joined(first, second)}

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        scores, pulls = zip(*(scanner.linearize(x) for scanner in self.scanners), strict=True)
        held = [self.presence(score) for score in scores]
        slopes = self._joined_slopes(*held)

        def pullback(cotangent: Mapping[str, Array]) -> Array:
            given = cotangent.get("value", np.zeros(len(x)))
            parts = zip(pulls, held, slopes, strict=True)
            return sum((pull(given * slope * self.slope * p * (1 - p)) for pull, p, slope in parts), np.zeros(x.shape))

        return {"value": self.joined(*held)}, pullback

    # ---- what is known -----------------------------------------------------------------------------------

    def examples(self, n: int, rng: np.random.Generator) -> Sequences:
        """Return random sequences with the best sites of both motifs, of OR and AND NOT also of one, in turn."""
        wanted = HELD[self.logic]
        return self.holding([wanted[i % len(wanted)] for i in range(n)], rng)

    def holding(self, motifs: Sequence[Collection[str]], rng: np.random.Generator) -> Sequences:
        """Return random sequences, in each the best sites of the named motifs ("first", "second") at random places."""
        assert self.length is not None
        onehot = random_onehot(len(motifs), self.length, rng)
        for row, held in zip(onehot, motifs, strict=True):
            starts = two_places(self.length, [len(scanner.pwm) for scanner in self.scanners], rng)
            for name, start, scanner in zip(("first", "second"), starts, self.scanners, strict=True):
                if name in held:
                    plant(row[None], np.array([start]), scanner.pwm.argmax(1))
        return Sequences.from_onehot(onehot)

    def attribution(self, sequences: Sequences) -> Array:
        """Return the exact effect of every substitution, (1, n, length, 4), in closed form."""
        x = sequences.onehot.astype(np.float64)
        first, second = (self.presence(scanner.substituted(x)) for scanner in self.scanners)
        effects = self.joined(first, second) - self._predict(x)["value"][:, None, None]
        return substitutions_only(effects, sequences)[None]
