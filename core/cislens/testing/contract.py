"""What a contract is: checks that run one by one, each failing with one sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

TINY = float(np.finfo(np.float32).tiny)
INVARIANCE = 1e-5  # of the largest value: what summing in another order may change in float32


class ContractViolation(AssertionError):
    """A promise that was broken: what was expected and what came, in one sentence."""


@dataclass(frozen=True)
class Check:
    """One promise of a contract, ready to be checked by calling it.

    Parameters
    ----------
    name
        The promise in words.
    subject
        Whose promise it is.
    run
        Raises `ContractViolation` where it is broken.
    """

    name: str
    subject: str
    run: Callable[[], None]

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> None:
        """Check the promise.

        Raises
        ------
        ContractViolation
            If it is broken, or if something failed on the way.
        """
        try:
            self.run()
        except ContractViolation:
            raise
        except Exception as error:
            raise ContractViolation(
                f"{self.subject} was to be checked for this: {self.name}; "
                f"but it failed with {type(error).__name__}: {error}"
            ) from error


class Contract:
    """Promises that a piece of work keeps.

    Call `check()`, or hand `checks()` to `pytest.mark.parametrize` so that each promise is a test of its own.
    """

    @property
    def subject(self) -> str:
        """Whose contract it is, as sentences name it."""
        raise NotImplementedError

    def promises(self) -> list[Callable[[], None]]:
        """Return the checks as methods; the first line of each one's documentation is the promise."""
        raise NotImplementedError

    def checks(self) -> list[Check]:
        """Return the checks, cheapest first."""
        return [Check(promise_of(method), self.subject, method) for method in self.promises()]

    def check(self) -> None:
        """Run all checks.

        Raises
        ------
        ContractViolation
            At the first promise that is broken.
        """
        for check in self.checks():
            check()


def promise_of(method: Callable[[], None]) -> str:
    """Return the promise that a check's documentation states, without its verb and full stop."""
    line = (method.__doc__ or method.__name__).strip().partition("\n")[0]
    return line.removeprefix("Check that ").removesuffix(".")


def require(holds: bool | np.bool_, sentence: str) -> None:
    """Raise `ContractViolation` with a sentence unless something holds."""
    if not holds:
        raise ContractViolation(sentence)


def require_close(came: Array, expected: Array, what: str, tolerance: float = INVARIANCE) -> None:
    """Raise unless two arrays agree to a share of the largest expected value.

    Parameters
    ----------
    came, expected
        Arrays of one shape.
    what
        How the sentence begins: who was expected to give what.
    tolerance
        Share of the largest absolute expected value, or of the smallest normal number where all are zero.
    """
    require(came.shape == expected.shape, f"{what}: expected shape {expected.shape}, got {came.shape}")
    if not expected.size:
        return
    largest = max(float(np.abs(expected).max()), TINY)
    difference = np.abs(np.asarray(came, np.float64) - np.asarray(expected, np.float64))
    worst = float(difference.max())
    if not worst <= tolerance * largest:  # a NaN is a violation, too
        place = tuple(int(i) for i in np.unravel_index(int(difference.argmax()), difference.shape))
        raise ContractViolation(
            f"{what}: expected values within {tolerance:g} of the largest ({largest:.4g}), got {came[place]:.6g} "
            f"in place of {expected[place]:.6g} at {place}"
        )
