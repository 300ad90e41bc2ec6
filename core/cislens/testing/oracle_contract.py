"""What every oracle promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import numpy as np

from cislens.errors import CapabilityError, SequenceError
from cislens.oracle.base import HOOKS, Array, Oracle, Outputs
from cislens.oracle.substitution import mutants
from cislens.sequences import Sequences
from cislens.testing.contract import INVARIANCE, TINY, Contract, ContractViolation, require, require_close
from cislens.testing.oracle_inside import InsideChecks

BATCH_SIZES = (1, 7, 512)
# Steps of the finite differences, per input value, by number type. Rounding of the answers divided by the step and the
# kinks of ReLU and max pooling that it crosses both disturb them, so the best of several steps counts.
STEPS = {np.dtype(np.float64): (1e-4, 1e-5, 1e-6), np.dtype(np.float32): (1e-2, 3e-3, 1e-3, 3e-4)}
# In float64 rounding leaves about 1e-8 of a derivative. In float32 an answer is known to some 1e-6 of its size, which a
# step of 1e-3 turns into 1e-3 to 1e-2 of a derivative; a wrong sign, order of bases or factor misses by about 1.
DERIVATIVE_TOLERANCE = {np.dtype(np.float64): 1e-4, np.dtype(np.float32): 2e-2}


class OracleContract(Contract):
    """Promises of every oracle, whatever its framework.

    Parameters
    ----------
    oracle
        The oracle to check; it is left as it was.
    examples
        (n, length, 4) one-hot, or `Sequences`: a few sequences of the kind it was made for, without N.
    native
        The model as its framework runs it: takes `examples` as uint8 (n, length, 4) and returns each head's array by
        name, or the only head's array. Without it, parity is not checked.

    Examples
    --------
    >>> import numpy as np
    >>> from cislens.testing import OracleContract, bundled_toys
    >>> toy = bundled_toys()[0]
    >>> OracleContract(toy, toy.examples(4, np.random.default_rng(0))).check()
    """

    def __init__(
        self,
        oracle: Oracle,
        examples: Array | Sequences,
        native: Callable[[Array], Array | Mapping[str, Array]] | None = None,
    ) -> None:
        self.oracle = oracle
        self.examples: Array = np.asarray(getattr(examples, "onehot", examples), np.uint8)
        self.native = native
        require(len(self.examples) >= 2, f"{oracle.name} can be checked on at least 2 examples, got 1 or none")
        self.inside = InsideChecks(oracle, self.examples)

    @property
    def subject(self) -> str:
        """The oracle's name."""
        return self.oracle.name

    def promises(self) -> list[Callable[[], None]]:
        """Return the checks that its capabilities call for."""
        always: list[Callable[[], None]] = [
            self.check_wrong_shapes,
            self.check_capabilities,
            self.check_number_types,
            self.check_relaxed_rows,
            self.check_counts,
            self.check_batch_size,
            self.check_substitutions,
        ]
        if self.native is not None:
            always.insert(0, self.check_parity)
        if "linearize" in self.oracle.capabilities:
            always += [self.check_linearized_answers, self.check_repeated_pullback, self.check_derivatives]
        return [*always, *self.inside.promises(), self.check_left_as_found]

    # ---- answers -----------------------------------------------------------------------------------------

    def check_parity(self) -> None:
        """Check that the answers are the native model's, to 1e-5 x max(1, largest absolute value)."""
        assert self.native is not None
        expected = self.native(self.examples)
        if not isinstance(expected, Mapping):
            expected = {self.oracle.heads[0].name: expected}
        came = self.oracle.predict(self.examples)
        for name, values in came.items():
            require(
                name in expected, f"{self.subject} has a head {name!r}, which the native model does not answer with"
            )
            wanted = np.asarray(expected[name])
            bound = INVARIANCE * max(1.0, float(np.abs(wanted).max()))
            require(
                wanted.shape == values.shape,
                f"{self.subject}: expected head {name!r} of the native shape {wanted.shape}, got {values.shape}",
            )
            worst = float(np.abs(wanted - values).max())
            require(
                worst <= bound, f"{self.subject}: expected head {name!r} within {bound:.3g} of native, got {worst:.3g}"
            )

    def check_batch_size(self) -> None:
        """Check that batch sizes 1, 7 and 512 give the same answers and gradients."""
        with at_batch_size(self.oracle, BATCH_SIZES[-1]):
            expected, slope = self._answers_and_gradient()
        for size in BATCH_SIZES[:-1]:
            with at_batch_size(self.oracle, size):
                came, came_slope = self._answers_and_gradient()
            for name in expected:
                require_close(came[name], expected[name], f"{self.subject}, head {name!r} at batch size {size}")
            require_close(came_slope, slope, f"{self.subject}, gradient at batch size {size}")

    def _answers_and_gradient(self) -> tuple[Outputs, Array]:
        if "linearize" not in self.oracle.capabilities:
            return self.oracle.predict(self.examples), np.zeros(0)
        return self.oracle.vjp(self.examples, self.cotangent())

    def cotangent(self) -> Outputs:
        """Return a fixed random cotangent of the examples' answers, one array a head."""
        rng = np.random.default_rng(0)
        answers = self.oracle.predict(self.examples)
        return {head.name: rng.normal(size=answers[head.name].shape) for head in self.oracle.heads}

    def check_number_types(self) -> None:
        """Check that uint8, boolean and float sequences give the same answers."""
        expected = self.oracle.predict(self.examples)
        for kind in (np.bool_, np.float32, np.float64):
            came = self.oracle.predict(self.examples.astype(kind))
            for name in expected:
                require_close(came[name], expected[name], f"{self.subject}, head {name!r} of {kind.__name__} sequences")

    def check_relaxed_rows(self) -> None:
        """Check that rows between bases are taken, and answered with finite numbers."""
        mixed = (self.examples + np.roll(self.examples, 1, axis=0).astype(np.float64)) / 2
        for name, values in self.oracle.predict(mixed).items():
            require(
                np.isfinite(values).all(),
                f"{self.subject}: expected finite answers to rows between bases, got others for head {name!r}",
            )

    def check_substitutions(self) -> None:
        """Check that single substitutions are answered as their mutants are predicted."""
        x = self.examples[:2]
        sites = np.argwhere(x == 0)[:: max(x.shape[1] // 20, 1)]
        expected = self.oracle.predict(mutants(x, sites))
        parts = [outputs for _, outputs in self.oracle.substitutions(x, sites)]
        for name, values in expected.items():
            came = np.concatenate([part[name] for part in parts])
            require_close(came, values, f"{self.subject}, head {name!r} of single substitutions")

    def check_wrong_shapes(self) -> None:
        """Check that channels-first sequences and those of another length are refused with a sentence."""
        wrong = [("channels first", self.examples.swapaxes(1, 2))]
        if self.oracle.length is not None:
            wrong.append(("one bp too short", self.examples[:, 1:]))
        for what, x in wrong:
            try:
                self.oracle.predict(x)
            except SequenceError:
                continue
            raise ContractViolation(f"{self.subject}: expected a SequenceError for sequences {what}, got an answer")

    def check_counts(self) -> None:
        """Check that every forward and backward pass is counted once."""
        n = len(self.examples)
        cotangent = self.cotangent()
        before = self.oracle.counts.snapshot()
        self.oracle.predict(self.examples)
        expected = (n, 0)
        if "linearize" in self.oracle.capabilities:
            _, pullback = self.oracle.linearize(self.examples)
            pullback(cotangent)
            pullback(cotangent)
            expected = (2 * n, 2 * n)
        spent = self.oracle.counts.since(before)
        came = (spent.predictions, spent.pullbacks)
        require(came == expected, f"{self.subject}: expected {expected} predictions and pullbacks counted, got {came}")

    # ---- gradients ---------------------------------------------------------------------------------------

    def check_linearized_answers(self) -> None:
        """Check that linearize answers as predict does."""
        expected = self.oracle.predict(self.examples)
        came, _ = self.oracle.linearize(self.examples)
        for name in expected:
            require_close(came[name], expected[name], f"{self.subject}, head {name!r} of linearize")

    def check_repeated_pullback(self) -> None:
        """Check that a pullback may be called again, and with some heads only."""
        _, pullback = self.oracle.linearize(self.examples)
        cotangent = self.cotangent()
        first = pullback(cotangent)
        require_close(pullback(cotangent), first, f"{self.subject}, pullback called again")
        parts = sum(pullback({name: part}) for name, part in cotangent.items())
        require_close(np.asarray(parts), first, f"{self.subject}, sum of the heads' pullbacks", 10 * INVARIANCE)

    def check_derivatives(self) -> None:
        """Check that the pullback agrees with finite differences along a random direction."""
        rng = np.random.default_rng(1)
        direction = rng.normal(size=self.examples.shape)
        cotangent = self.cotangent()
        _, gradient = self.oracle.vjp(self.examples, cotangent)
        came = np.einsum("nlb,nlb->n", gradient.astype(np.float64), direction)
        kind = np.dtype(self.oracle.dtype)
        misses = []
        for step in STEPS[kind]:
            expected = self._difference(direction * step, cotangent) / (2 * step)
            scale = max(float(np.sqrt(np.mean(expected**2))), TINY)
            # The median, because a kink that is crossed spoils single sequences.
            misses.append(float(np.median(np.abs(came - expected))) / scale)
        tolerance = DERIVATIVE_TOLERANCE[kind]
        require(
            min(misses) <= tolerance,
            f"{self.subject}: expected a pullback within {tolerance:g} of finite differences, got {min(misses):.3g}",
        )

    def _difference(self, change: Array, cotangent: Outputs) -> Array:
        n = len(self.examples)
        up, down = self.oracle.predict(self.examples + change), self.oracle.predict(self.examples - change)
        total = np.zeros(n)
        for name, part in cotangent.items():
            moved = up[name].astype(np.float64) - down[name].astype(np.float64)
            total += (part * moved).reshape(n, -1).sum(1)
        return total

    # ---- as a whole --------------------------------------------------------------------------------------

    def check_capabilities(self) -> None:
        """Check that what is missing is refused with its reason."""
        for capability in HOOKS:
            if capability in self.oracle.capabilities:
                continue
            reason = self.oracle.why_not(capability)
            require(bool(reason.strip()), f"{self.subject}: expected a reason why {capability!r} is missing, got none")
            try:
                self.inside.ask(capability)
            except CapabilityError as error:
                require(
                    reason in str(error),
                    f"{self.subject}: expected the reason {reason!r} in the refusal of {capability!r}, got {error}",
                )
                continue
            raise ContractViolation(f"{self.subject}: expected a CapabilityError for {capability!r}, got an answer")

    def check_left_as_found(self) -> None:
        """Check that the model is left as it was found, also after an error."""
        fingerprint, answers = self.oracle._fingerprint(), self.oracle.predict(self.examples)
        for capability in sorted(self.oracle.capabilities & set(HOOKS)):
            self.inside.ask(capability)
        with suppress(Exception):  # a length that does not fit: refused, or failed on
            self.oracle.predict(self.examples[:, : self.examples.shape[1] // 2])
        require(
            self.oracle._fingerprint() == fingerprint,
            f"{self.subject}: expected the same weights after it was used, got another fingerprint",
        )
        after = self.oracle.predict(self.examples)
        for name in answers:
            require_close(after[name], answers[name], f"{self.subject}, head {name!r} after it was used")


@contextmanager
def at_batch_size(oracle: Oracle, size: int) -> Iterator[None]:
    """Run an oracle at a batch size for a while."""
    before = oracle.batcher.size
    oracle.batcher.size = size
    try:
        yield
    finally:
        oracle.batcher.size = before
