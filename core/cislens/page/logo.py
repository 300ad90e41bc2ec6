"""Sequence logos as sharp SVG, letter by letter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.sequences.container import BASES

Array = npt.NDArray[Any]

# Letters as outlines that fill a box of 100 x 100, y downwards; counters are cut by the even-odd rule.
GLYPHS = {
    "A": "M0 100L37 0H63L100 100H79L71.5 77H28.5L21 100ZM34 60H66L50 14Z",
    "C": (
        "M100 34C95 12 77 0 53 0C20 0 0 20 0 50C0 80 20 100 53 100C77 100 95 88 100 66"
        "L79 62C76 75 67 82 53 82C33 82 22 71 22 50C22 29 33 18 53 18C67 18 76 25 79 38Z"
    ),
    "G": (
        "M99 31C93 11 77 0 53 0C20 0 0 20 0 50C0 80 20 100 53 100C72 100 89 94 100 84"
        "V46H52V63H79V75C72 80 64 82 54 82C33 82 22 70 22 50C22 30 33 18 53 18C66 18 75 24 78 35Z"
    ),
    "T": "M0 0H100V19H61V100H39V19H0Z",
}
COLOURS = {"A": "#128a46", "C": "#1f5fa8", "G": "#f0a30a", "T": "#d3222a"}
LEAST_HEIGHT = 0.2  # px; a letter below is left out


class Segment(NamedTuple):
    """One letter of a logo: its position, its base (0 to 3 for ACGT), and where it lies on the y axis."""

    position: int
    base: int
    low: float
    high: float
    negative: bool


@dataclass(frozen=True)
class Frame:
    """Say where a logo lies inside its picture.

    Parameters
    ----------
    width, height
        Size of the picture in px.
    left, right, top, bottom
        Margins in px, for axes and labels.
    low, high
        Ends of the y axis, in the unit of the values.
    positions
        How many positions share the width.
    """

    width: float
    height: float
    low: float
    high: float
    positions: int
    left: float = 58.0
    right: float = 8.0
    top: float = 8.0
    bottom: float = 24.0

    @property
    def step(self) -> float:
        """Width of one position in px."""
        return (self.width - self.left - self.right) / max(self.positions, 1)

    @property
    def scale(self) -> float:
        """Pixels for one unit of y."""
        return (self.height - self.top - self.bottom) / (self.high - self.low)

    def x(self, position: float) -> float:
        """Return the left edge of a position."""
        return self.left + position * self.step

    def y(self, value: float) -> float:
        """Return where a value lies."""
        return self.top + (self.high - value) * self.scale


def svg_logo(
    matrix: Array, width: float = 600, height: float = 140, *, start: int = 0, unit: str = "", title: str = ""
) -> str:
    """Draw a logo with its axes.

    At each position the letters are stacked away from the axis by the size of their values, the largest outermost;
    what is negative hangs below the axis upside down. Letters keep sharp at any zoom, and their heights are the
    values themselves.

    Parameters
    ----------
    matrix
        (length, 4), bases ACGT: height of each letter.
    width, height
        Size in px; the picture scales with its place on a page.
    start
        What the first position is called on the axis.
    unit
        What the y axis counts.
    title
        What a screen reader says.

    Returns
    -------
    str
        An `<svg>` element.

    Raises
    ------
    ReportError
        If the matrix is not of that shape, or not finite.
    """
    matrix = np.asarray(matrix, float)
    if matrix.ndim != 2 or matrix.shape[1] != 4:
        raise ReportError(f"a logo must be drawn of a matrix (length, 4), got {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ReportError("a logo must be drawn of finite values, got NaN or infinity: replace them first")
    low, high = y_range(matrix)
    frame = Frame(width, height, low, high, len(matrix))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="logo" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" aria-label="{escape(title or "sequence logo")}">',
        *_axes(frame, start, unit),
        *(_letter(frame, segment) for segment in segments(matrix)),
        "</svg>",
    ]
    return "".join(parts)


def with_shared_glyphs(svg: str) -> str:
    """Return a logo whose letters refer to outlines that its page holds once, as #glyph-A and so on."""
    for letter in GLYPHS:
        svg = svg.replace(_outline(letter), f'<use class="base-{letter}" href="#glyph-{letter}"')
    return svg


def segments(matrix: Array) -> Iterator[Segment]:
    """Yield the letters of a logo (length, 4), at each position from the axis outwards."""
    for position, row in enumerate(matrix):
        above = below = 0.0
        for base in np.argsort(np.abs(row), kind="stable"):
            value = float(row[base])
            if value > 0:
                yield Segment(position, int(base), above, above + value, False)
                above += value
            elif value < 0:
                yield Segment(position, int(base), below + value, below, True)
                below += value


def y_range(matrix: Array) -> tuple[float, float]:
    """Return the ends of a y axis that holds all stacks and zero."""
    low = float(np.minimum(matrix, 0).sum(-1).min(initial=0.0))
    high = float(np.maximum(matrix, 0).sum(-1).max(initial=0.0))
    return (low, high) if high > low else (-1.0, 1.0)


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return round numbers between two values, about `count` of them."""
    step = tick_step(low, high, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def tick_step(low: float, high: float, count: int) -> float:
    """Return the round number that divides what lies between two values into about `count` steps."""
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(f * power for f in (1, 2, 5, 10) if f * power >= rough * (1 - 1e-9))


def text_of(value: float, figures: int = 4) -> str:
    """Return a number for a reader: so many significant figures, a true minus sign."""
    return f"{value:.{figures}g}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else "\N{EN DASH}"


def _letter(frame: Frame, segment: Segment) -> str:
    height = (segment.high - segment.low) * frame.scale
    if height < LEAST_HEIGHT:
        return ""
    letter = BASES[segment.base]
    inset = 0.04 * frame.step
    scale_x = (frame.step - 2 * inset) / 100
    scale_y = height / 100
    top = frame.y(segment.high)
    if segment.negative:  # upside down, so the box is drawn upwards from its lower edge
        top, scale_y = frame.y(segment.low), -scale_y
    transform = f"translate({frame.x(segment.position) + inset:.3f} {top:.3f}) scale({scale_x:.5f} {scale_y:.5f})"
    return f'{_outline(letter)} transform="{transform}"/>'


def _outline(letter: str) -> str:
    return f'<path class="base-{letter}" fill="{COLOURS[letter]}" fill-rule="evenodd" d="{GLYPHS[letter]}"'


def _axes(frame: Frame, start: int, unit: str) -> Iterator[str]:
    style = 'font-family="system-ui,sans-serif" font-size="11"'
    left, right, zero = frame.left, frame.width - frame.right, frame.y(0)
    base = frame.height - frame.bottom
    yield f'<g class="axis" {style} stroke="none" fill="#555">'
    for value in ticks(frame.low, frame.high):
        y = frame.y(value)
        yield f'<path d="M{left - 4:.1f} {y:.2f}H{left:.1f}" stroke="#999" fill="none"/>'
        yield f'<text x="{left - 7:.1f}" y="{y + 3.5:.2f}" text-anchor="end">{text_of(value)}</text>'
    lines = f"M{left:.1f} {frame.top:.1f}V{base:.1f}M{left:.1f} {zero:.2f}H{right:.1f}"
    yield f'<path d="{lines}" stroke="#999" fill="none"/>'
    for position in _position_ticks(frame.positions, start, right - left):
        x = frame.x(position - start + 0.5)
        yield f'<path d="M{x:.2f} {base:.1f}v4" stroke="#999" fill="none"/>'
        yield f'<text x="{x:.2f}" y="{base + 16:.1f}" text-anchor="middle">{position}</text>'
    if unit:
        middle = (frame.top + base) / 2
        yield f'<text transform="translate(12 {middle:.1f}) rotate(-90)" text-anchor="middle">{escape(unit)}</text>'
    yield "</g>"


def _position_ticks(positions: int, start: int, pixels: float) -> list[int]:
    if not positions:
        return []
    if positions < 2:
        return [start]
    found = ticks(
        start,
        start + positions - 1,
        max(2, min(int(pixels / 24) if positions <= 30 else int(pixels / 60), positions - 1)),
    )
    return sorted({round(value) for value in found if float(value).is_integer()})
