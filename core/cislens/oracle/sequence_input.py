"""Which of a model's declared inputs takes the DNA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cislens.errors import OracleError
from cislens.oracle.encoding import LAYOUTS
from cislens.oracle.options import OracleOptions

SHORTEST = 5  # bp; unless stated, a shorter axis is of bases or of units
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class SequenceInput:
    """Name the input that takes the DNA.

    Parameters
    ----------
    index
        Which of the inputs it is.
    layout
        Its axes after the batch, one of `LAYOUTS`.
    length
        Its length in bp, None where any will do.
    """

    index: int
    layout: str
    length: int | None


def find_sequence(names: Sequence[str], shapes: Sequence[Shape], options: OracleOptions) -> SequenceInput:
    """Find the one input that has an axis of the four bases.

    Parameters
    ----------
    names, shapes
        Of each input that the model declares; shapes without the batch, None for a size that is free.
    options
        What the user says of layout, length and further inputs.

    Raises
    ------
    OracleError
        If none or several could take it, or options do not fit.
    """
    if unknown := sorted(set(options.extra_inputs) - set(names)):
        raise OracleError(f"an extra input must be one of the inputs {', '.join(names)}, got {unknown[0]!r}")
    wanted = options.layout.replace(" ", "")
    stated = wanted != "auto"
    candidates: list[tuple[int, str]] = []
    for i, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        fitting = [layout for layout in ((wanted,) if stated else LAYOUTS) if _fits(shape, layout, stated)]
        if fitting and name not in options.extra_inputs:
            candidates.append((i, fitting[0]))
    if not candidates:
        listed = ", ".join(f"{name} {_shown(shape)}" for name, shape in zip(names, shapes, strict=True)) or "no input"
        how = f"the layout {options.layout}" if stated else "an axis of the four bases"
        raise OracleError(f"one input of the model must have {how}, got {listed}: state the layout with --layout")
    if len(candidates) > 1:
        found = ", ".join(str(names[i]) for i, _ in candidates)
        raise OracleError(
            f"one input alone must look like DNA, but {found} all do: declare the others with --extra-input"
        )
    index, layout = candidates[0]
    return SequenceInput(index, layout, _length(shapes[index], layout, options.length))


def _shown(shape: Shape) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"


def _fits(shape: Shape, layout: str, stated: bool) -> bool:
    axes = layout.split(",")
    if len(axes) != len(shape):
        return False
    sizes = dict(zip(axes, shape, strict=True))
    others = all(sizes[axis] == int(axis) for axis in axes if axis != "length")
    length = sizes["length"]
    return others and (stated or length is None or length >= SHORTEST)


def _length(shape: Shape, layout: str, stated: int | None) -> int | None:
    declared = shape[layout.split(",").index("length")]
    if declared is not None and stated is not None and declared != stated:
        raise OracleError(f"the model takes sequences of {declared} bp, so that --input-length cannot be {stated}")
    return declared or stated
