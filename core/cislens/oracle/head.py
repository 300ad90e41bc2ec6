"""What an oracle answers with: its heads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from cislens.errors import OracleError

Scale = Literal["linear", "logit", "probability", "log", "counts", "unknown"]
SCALES: tuple[str, ...] = get_args(Scale)
AXES = ("position", "strand", "output")


@dataclass(frozen=True)
class Head:
    """Describe one output array of an oracle.

    Parameters
    ----------
    name
        How a target names this head.
    shape
        Shape of one prediction, without the batch axis; None for the positions of a profile that grows with the input.
    axes
        What each axis of `shape` counts: "position", "strand" or "output".
    outputs
        Names along the output axis, empty where the model does not name them.
    bin_width
        Width of one position of a profile, in bp of the input.
    offset
        First bp of the input that position 0 covers.
    scale
        What the numbers are; "unknown" where nobody declared it.
    """

    name: str
    shape: tuple[int | None, ...]
    axes: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    bin_width: int = 1
    offset: int = 0
    scale: Scale = "unknown"

    def __post_init__(self) -> None:
        if len(self.axes) != len(self.shape):
            raise OracleError(
                f"head {self.name!r} must name each of its axes, got axes {self.axes} for shape {self.shape}"
            )
        if unknown := set(self.axes) - set(AXES):
            raise OracleError(f"axes of head {self.name!r} must be among {AXES}, got {sorted(unknown)}")
        if self.scale not in SCALES:
            raise OracleError(f"the scale of head {self.name!r} must be one of {SCALES}, got {self.scale!r}")
        if self.outputs and len(self.outputs) != self.width:
            raise OracleError(f"head {self.name!r} has {self.width} outputs, got {len(self.outputs)} names for them")

    @property
    def width(self) -> int:
        """Number of outputs: the size of the output axis, 1 without one."""
        size = self.shape[self.axes.index("output")] if "output" in self.axes else 1
        assert size is not None
        return size

    @property
    def is_profile(self) -> bool:
        """Whether the head answers for each of several positions."""
        return "position" in self.axes and self.positions != 1

    @property
    def positions(self) -> int | None:
        """Number of positions of a profile, None where it grows with the input."""
        return self.shape[self.axes.index("position")] if "position" in self.axes else 1

    @property
    def form(self) -> str:
        """The shape in words, such as "positions, 3"."""
        return ", ".join("positions" if size is None else str(size) for size in self.shape)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Tell whether an answer without its batch axis has this head's shape."""
        same = all(size in (None, other) for size, other in zip(self.shape, shape, strict=False))
        return len(shape) == len(self.shape) and same

    def renamed(self, name: str) -> Head:
        """Return the same head under another name."""
        return replace(self, name=name)


def open_shape(shape: tuple[int, ...], longer: tuple[int, ...]) -> tuple[int | None, ...]:
    """Return a head's shape from those of its answers to sequences of two lengths: None where they differ."""
    if len(shape) != len(longer):
        raise OracleError(f"an output must have as many axes for every input length, got {shape} and {longer}")
    return tuple(a if a == b else None for a, b in zip(shape, longer, strict=True))


def guess_axes(shape: tuple[int | None, ...]) -> tuple[str, ...]:
    """Guess what the axes of a head count, for models that do not say.

    One axis is the outputs, or the positions where it grows with the input. Of two, the longer is the positions, and
    the other the outputs. With three, the longest is the positions, an axis of two the strands, the last one left the
    outputs.

    Raises
    ------
    OracleError
        If no guess is sensible; the sentence names the option that declares axes.
    """
    if len(shape) <= 1:
        return ("position",) if shape == (None,) else ("output",) * len(shape)
    axes = ["output"] * len(shape)
    sizes = [float("inf") if size is None else size for size in shape]
    axes[max(range(len(shape)), key=lambda i: sizes[i])] = "position"
    if len(shape) == 3:
        rest = [i for i, axis in enumerate(axes) if axis == "output"]
        strands = [i for i in rest if shape[i] == 2]
        if strands:
            axes[strands[-1]] = "strand"
    if axes.count("output") > 1:
        raise OracleError(
            f"the axes of an output of shape {shape} cannot be guessed: declare them, "
            "as in --axes head=position,strand,output"
        )
    return tuple(axes)
