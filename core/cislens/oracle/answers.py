"""What goes into an oracle and what comes out of it, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.errors import OracleError, SequenceError
from cislens.oracle.head import Head

if TYPE_CHECKING:
    from cislens.oracle.base import Oracle

Array = npt.NDArray[Any]
Outputs = dict[str, Array]


def checked_input(x: Any, name: str, length: int | None) -> Array:
    """Return sequences as an array (n, length, 4) of finite numbers.

    Raises
    ------
    SequenceError
        If the shape, the length or the values are others.
    """
    array = np.asarray(getattr(x, "onehot", x))
    if array.ndim != 3 or array.shape[2] != 4:
        hint = ": transpose with x.swapaxes(1, 2)" if array.ndim == 3 and array.shape[1] == 4 else ""
        raise SequenceError(f"sequences must have shape (n, {length or 'length'}, 4), got {array.shape}{hint}")
    if length is not None and array.shape[1] != length and len(array):
        raise SequenceError(
            f"{name} takes sequences of {length} bp, got {array.shape[1]}: choose --length crop-center, "
            "crop-left, crop-right or pad-n when reading them, or give sequences of that length"
        )
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise SequenceError("sequences must be finite, got NaN or infinity: check what made them")
    elif array.dtype.kind not in "biu":
        raise SequenceError(f"sequences must be numbers, got {array.dtype}: encode them as one-hot first")
    return array


def checked_outputs(outputs: Outputs, rows: slice, oracle: Oracle) -> Outputs:
    """Return the answers to a batch, which stands at `rows` among all, if they are as declared and finite.

    Raises
    ------
    OracleError
        If a head is missing, of another shape, or not finite; the sequence is named.
    """
    n = rows.stop - rows.start
    for head in oracle.heads:
        if head.name not in outputs:
            raise OracleError(f"{oracle.name} must answer with head {head.name!r}, got {', '.join(outputs)}")
        values = outputs[head.name]
        if values.shape[0] != n or not head.fits(values.shape[1:]):
            raise OracleError(f"head {head.name!r} must answer with shape ({n}, {head.form}), got {values.shape}")
        if not np.isfinite(values).all():
            bad = rows.start + int(np.argmin(np.isfinite(values).reshape(n, -1).all(1)))
            raise OracleError(
                f"head {head.name!r} must be finite, got NaN or infinity for sequence {bad} (counted from 0): "
                "check its weights and that sequence"
            )
    return outputs


def check_cotangent(cotangent: Mapping[str, Array], heads: Sequence[Head], n: int) -> None:
    """Raise `OracleError` unless a cotangent names heads and has n rows for each."""
    known = {head.name: head for head in heads}
    for name, array in cotangent.items():
        if name not in known:
            raise OracleError(f"a cotangent must name one of the heads {', '.join(known)}, got {name!r}")
        if array.shape[0] != n:
            raise OracleError(f"the cotangent of {name!r} must have {n} rows, got {array.shape[0]}")


def concatenate(parts: Sequence[Outputs], heads: Sequence[Head]) -> Outputs:
    """Join the answers of consecutive batches; with none, give empty arrays of the heads' shapes."""
    if not parts:
        return {head.name: np.empty((0, *(size or 0 for size in head.shape)), np.float32) for head in heads}
    if len(parts) == 1:
        return parts[0]
    return {head.name: np.concatenate([part[head.name] for part in parts]) for head in heads}
