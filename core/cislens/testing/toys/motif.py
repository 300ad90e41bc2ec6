"""Oracles that respond to one motif, and saturate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from cislens.oracle.base import Array, Oracle, Outputs, Pullback
from cislens.oracle.head import Head, Scale
from cislens.sequences import Sequences
from cislens.testing.toys.known import Knowledge, Sought
from cislens.testing.toys.scanner import BothStrands, Pool, Scanner, reverse_complement
from cislens.testing.toys.toy import Toy, plant, random_onehot, substitutions_only
from cislens.testing.toys.windows import sigmoid
from cislens.truth import Rule

Response = Literal["sigmoid", "tanh", "linear"]
SCALES: dict[Response, Scale] = {"sigmoid": "probability", "tanh": "linear", "linear": "logit"}


class MotifToy(Toy):
    """Scan for a motif, pool its scores to one, and respond to that through a saturating curve.

    Additive within a site, non-additive through the curve: value = response(slope (score - midpoint)). This is global
    epistasis of known shape: `score` gives the additive trait beneath, and `respond` the curve, at any score.
    A sequence is positive where a window scores above the midpoint.

    Parameters
    ----------
    pwm
        (width, 4), scores of the motif.
    length
        Length in bp.
    pool
        "max": the score of the best window counts. "sum": the log of the sum of e to the score over all windows, as
        of sites that are bound one at a time.
    response
        "sigmoid", a probability; "tanh", from -1 to 1; or "linear", what goes into either.
    midpoint, slope
        Where and how steeply it responds.
    """

    kind: ClassVar[str] = "motif toy"
    scans: ClassVar[type[Scanner]] = Scanner

    def __init__(
        self,
        pwm: Array,
        length: int,
        pool: Pool = "max",
        response: Response = "sigmoid",
        midpoint: float = 0.0,
        slope: float = 1.0,
    ) -> None:
        self.pwm = np.asarray(pwm, np.float64)
        self.scanner = self.scans(self.pwm, pool)
        self.pool: Pool = pool
        self.response: Response = response
        self.midpoint, self.slope = midpoint, slope
        sought = (Sought.of_pwm("motif", self.pwm, midpoint),)
        self.knowledge = Knowledge(sought, {"motif": Rule("motif")}, both_strands=self.scans is BothStrands)
        super().__init__(f"{self.kind} ({pool}, {response})", [Head("value", (), (), scale=SCALES[response])], length)

    def _arrays(self) -> Iterable[Array]:
        return [self.pwm, np.array([self.midpoint, self.slope])]

    # ---- the two steps -----------------------------------------------------------------------------------

    def score(self, x: Array) -> Array:
        """Return the pooled score of sequences (n, length, 4), the trait that the curve responds to: (n,)."""
        return self.scanner.score(np.asarray(x, np.float64))

    def respond(self, score: Array) -> Array:
        """Return the value at a pooled score."""
        z = self.slope * (score - self.midpoint)
        if self.response == "linear":
            return np.asarray(z)
        return np.tanh(z) if self.response == "tanh" else sigmoid(z)

    def _response_slope(self, value: Array) -> Array:
        if self.response == "linear":
            return np.full_like(value, self.slope)
        return self.slope * (1 - value**2 if self.response == "tanh" else value * (1 - value))

    # ---- the oracle --------------------------------------------------------------------------------------

    def _predict(self, x: Array) -> Outputs:
        return {"value": self.respond(self.score(x))}

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        score, pull = self.scanner.linearize(x)
        value = self.respond(score)

        def pullback(cotangent: Mapping[str, Array]) -> Array:
            return pull(self._response_slope(value) * cotangent.get("value", np.zeros(len(x))))

        return {"value": value}, pullback

    def _logits(self, heads: Sequence[str]) -> Oracle:
        assert self.length is not None
        return type(self)(self.pwm, self.length, self.pool, "linear", self.midpoint, self.slope)

    def _declined(self) -> dict[str, str]:
        return {} if self.response == "sigmoid" else {"logits": "its answer is no probability"}

    # ---- what is known -----------------------------------------------------------------------------------

    def examples(self, n: int, rng: np.random.Generator) -> Sequences:
        """Return random sequences with the motif's best site planted at a random place."""
        assert self.length is not None
        onehot = random_onehot(n, self.length, rng)
        plant(onehot, rng.integers(0, self.length - len(self.pwm) + 1, n), self.pwm.argmax(1))
        return Sequences.from_onehot(onehot)

    def sites(self, sequences: Sequences) -> Array:
        """Return start and end (n, 2) of each sequence's best window, 0-based and half-open."""
        start = self.scanner.windows(sequences.onehot.astype(np.float64)).argmax(1)
        return np.stack([start, start + len(self.pwm)], axis=1)

    def attribution(self, sequences: Sequences) -> Array:
        """Return the exact effect of every substitution, (1, n, length, 4), in closed form."""
        x = sequences.onehot.astype(np.float64)
        effects = self.respond(self.scanner.substituted(x)) - self.respond(self.score(x))[:, None, None]
        return substitutions_only(effects, sequences)[None]


class SymmetricToy(MotifToy):
    """A motif toy that reads both strands: it answers exactly the same for a sequence and its reverse complement.

    Settings are those of `MotifToy`.
    """

    kind = "symmetric toy"
    scans = BothStrands

    def examples(self, n: int, rng: np.random.Generator) -> Sequences:
        """Return random sequences with the motif's best site planted at a random place, on either strand."""
        onehot = super().examples(n, rng).onehot.copy()
        turned = rng.random(n) < 0.5
        onehot[turned] = reverse_complement(onehot[turned])
        return Sequences.from_onehot(onehot)

    def sites(self, sequences: Sequences) -> Array:
        """Return start and end (n, 2) of each sequence's best window on either strand, 0-based and half-open."""
        x = sequences.onehot.astype(np.float64)
        given = self.scanner.windows(x)
        turned = self.scanner.windows(reverse_complement(x))[:, ::-1]
        start = np.maximum(given, turned).argmax(1)
        return np.stack([start, start + len(self.pwm)], axis=1)
