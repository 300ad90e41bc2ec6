"""Any Python function as an oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import OracleError
from cislens.oracle.base import Oracle, Outputs
from cislens.oracle.encoding import Encoding
from cislens.oracle.options import OracleOptions

Array = npt.NDArray[Any]
PROBE_LENGTHS = (200, 249, 500, 600, 1000, 2114, 131_072)  # lengths of published models, shortest first


class FunctionOracle(Oracle):
    """Ask any Python function that takes a batch of one-hot sequences.

    Parameters
    ----------
    function
        Takes (n, length, 4) of float32 in the options' layout and base order; returns an array (n, ...), a tuple
        of them, or a dictionary of them.
    options
        How the function wants its input and what its outputs are called. Without `length`, the function is
        probed with the lengths of published models; one that takes several is of free length.
    name
        What reports call it; by default its module and name.
    """

    unavailable = "a Python function shows nothing but its answers"

    def __init__(
        self, function: Callable[[Array], Any], options: OracleOptions | None = None, name: str | None = None
    ) -> None:
        options = options or OracleOptions()
        if options.extra_inputs:
            raise OracleError("a Python function takes sequences alone: bind further inputs inside it")
        if options.device not in ("auto", "cpu"):
            raise OracleError(
                f"a Python function runs where it chooses to, got device {options.device!r}: leave it out"
            )
        if options.precision not in ("float32", "float64"):
            raise OracleError(f"a Python function is given float32 or float64, got precision {options.precision!r}")
        layout = "length,4" if options.layout == "auto" else options.layout
        self.function = function
        self.options = options
        self.encoding = Encoding(layout, options.base_order, options.n_value)
        self.dtype = np.dtype(options.precision)
        length, answer = self._probe(options.length)
        found = {key: array.shape[1:] for key, array in answer.items()}
        heads = options.declare(found, {})
        self._names = dict(zip(found, (head.name for head in heads), strict=True))
        super().__init__(name or _name_of(function), heads, length, batch_size=options.batch_size, device="cpu")

    def _probe(self, length: int | None) -> tuple[int | None, dict[str, Array]]:
        errors: list[str] = []
        answers: dict[int, dict[str, Array]] = {}
        for candidate in (length,) if length else PROBE_LENGTHS:
            try:
                answers[candidate] = self._ask(np.zeros((2, candidate, 4), self.dtype))
            except Exception as error:  # whatever the function raises is shown below
                errors.append(f"{candidate} bp: {type(error).__name__}: {error}")
                continue
            if len(answers) == 2:
                return None, next(iter(answers.values()))
        if not answers:
            raise OracleError(
                "the function must take a batch (2, length, 4) of one-hot sequences, but failed at each length tried "
                f"({'; '.join(errors[:2])}): state its length with --input-length, or its layout with --layout"
            )
        found, answer = next(iter(answers.items()))
        return found, answer

    def _ask(self, x: Array) -> dict[str, Array]:
        answer = self.function(self.encoding.apply(x))
        if isinstance(answer, Mapping):
            named = dict(answer)
        elif isinstance(answer, tuple | list):
            named = {f"output{i}": part for i, part in enumerate(answer)}
        else:
            named = {"output": answer}
        arrays = {str(key): np.asarray(part) for key, part in named.items()}
        for key, array in arrays.items():
            if array.ndim == 0 or array.shape[0] != len(x) or array.dtype.kind not in "biuf":
                raise OracleError(
                    f"the function must return one number or array for each of {len(x)} sequences, "
                    f"got shape {array.shape} of {array.dtype} for {key!r}"
                )
        return arrays

    def _predict(self, x: Array) -> Outputs:
        return {self._names[key]: array for key, array in self._ask(x).items()}

    @property
    def native(self) -> Callable[[Array], Any]:
        """The function itself."""
        return self.function


def _name_of(function: Callable[..., Any]) -> str:
    named = getattr(function, "__qualname__", type(function).__name__)
    return f"{getattr(function, '__module__', '?')}:{named}"
