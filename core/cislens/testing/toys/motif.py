"""An oracle that responds to one motif, and saturates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from cislens.oracle.base import Array, Oracle, Outputs, Pullback
from cislens.oracle.head import Head, Scale
from cislens.sequences import Sequences
from cislens.testing.toys.toy import Toy, plant, random_onehot

Pool = Literal["max", "sum"]
Response = Literal["sigmoid", "tanh", "linear"]
SCALES: dict[Response, Scale] = {"sigmoid": "probability", "tanh": "linear", "linear": "logit"}


class MotifToy(Toy):
    """Scan for a motif, pool its scores to one, and respond to that through a saturating curve.

    Additive within a site, non-additive through the curve (global epistasis): value = response(slope (score -
    midpoint)). A substitution touches only the windows that cover it, which gives the exact map of all substitutions
    in closed form.

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
        self.pool: Pool = pool
        self.response: Response = response
        self.midpoint, self.slope = midpoint, slope
        super().__init__(f"motif toy ({pool}, {response})", [Head("value", (), (), scale=SCALES[response])], length)

    def _arrays(self) -> Iterable[Array]:
        return [self.pwm, np.array([self.midpoint, self.slope])]

    # ---- the three steps, and their slopes ---------------------------------------------------------------

    def scan(self, x: Array) -> Array:
        """Return the score of each window, (n, length - width + 1)."""
        windows = np.lib.stride_tricks.sliding_window_view(x, len(self.pwm), axis=1)
        return np.asarray(np.einsum("njbk,kb->nj", windows, self.pwm))

    def pooled(self, scores: Array) -> Array:
        """Return the one score of windows along the last axis."""
        top = scores.max(-1)
        return np.asarray(top if self.pool == "max" else top + np.log(np.exp(scores - top[..., None]).sum(-1)))

    def respond(self, score: Array) -> Array:
        """Return the value at a pooled score."""
        z = self.slope * (score - self.midpoint)
        if self.response == "linear":
            return np.asarray(z)
        return np.asarray(np.tanh(z) if self.response == "tanh" else 0.5 * (1 + np.tanh(z / 2)))

    def _pool_slopes(self, scores: Array) -> Array:
        if self.pool == "max":
            return np.asarray(np.arange(scores.shape[1]) == scores.argmax(1)[:, None], np.float64)
        return np.asarray(np.exp(scores - self.pooled(scores)[:, None]))

    def _response_slope(self, value: Array) -> Array:
        if self.response == "linear":
            return np.full_like(value, self.slope)
        return self.slope * (1 - value**2 if self.response == "tanh" else value * (1 - value))

    # ---- the oracle --------------------------------------------------------------------------------------

    def _predict(self, x: Array) -> Outputs:
        return {"value": self.respond(self.pooled(self.scan(x)))}

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        scores = self.scan(x)
        value = self.respond(self.pooled(scores))
        slopes = self._pool_slopes(scores) * self._response_slope(value)[:, None]

        def pullback(cotangent: Mapping[str, Array]) -> Array:
            back = slopes * cotangent.get("value", np.zeros(len(x)))[:, None]
            gradient = np.zeros_like(x)
            for k, row in enumerate(self.pwm):
                gradient[:, k : k + back.shape[1]] += back[:, :, None] * row
            return gradient

        return {"value": value}, pullback

    def _logits(self, heads: Sequence[str]) -> Oracle:
        assert self.length is not None
        return MotifToy(self.pwm, self.length, self.pool, "linear", self.midpoint, self.slope)

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
        start = self.scan(sequences.onehot.astype(np.float64)).argmax(1)
        return np.stack([start, start + len(self.pwm)], axis=1)

    def attribution(self, sequences: Sequences) -> Array:
        """Return the exact effect of every substitution, (1, n, length, 4): zero at the observed base and at N."""
        x = sequences.onehot.astype(np.float64)
        scores = self.scan(x)
        before = self.respond(self.pooled(scores))
        effects = np.zeros_like(x)
        n_windows = scores.shape[1]
        for i in range(x.shape[1]):
            windows = np.arange(max(0, i - len(self.pwm) + 1), min(n_windows, i + 1))
            entries = self.pwm[i - windows]  # (windows, 4)
            changed = np.repeat(scores[:, None], 4, axis=1)  # (n, 4, all windows)
            changed[:, :, windows] += entries.T - (x[:, i] @ entries.T)[:, None]
            effects[:, i] = self.respond(self.pooled(changed)) - before[:, None]
        known = sequences.onehot.any(-1, keepdims=True)
        return np.asarray(np.where(known & (sequences.onehot == 0), effects, 0.0))[None]
