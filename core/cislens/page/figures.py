"""The pictures that stand in the page without its script: strips, motif logos, the first sequence's maps."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.motif import Motif
from cislens.page.gathering import CENTRING, Gathered
from cislens.page.logo import svg_logo, text_of, ticks, y_range

Array = npt.NDArray[Any]

WHOLE = 300  # bp that are shown at once
WINDOW = 200  # bp shown of what is longer
STATIC_TRACKS = 4
MOTIF_STEP, MOTIF_HEIGHT = 16, 92  # px of a column, and of a logo with its axis
STRIP_WIDTH, STRIP_HEIGHT, STRIP_BASE, STRIP_MARGIN = 520.0, 92.0, 68.0, 14.0


def motif_logo(motif: Motif) -> tuple[str, str]:
    """Return a motif's logo and what its letters' heights mean.

    Counts, probabilities and weights are drawn as information content, each letter its share of it; contributions as
    they are. A column is `MOTIF_STEP` px wide, so that logos can be aligned.
    """
    width, title = 66 + MOTIF_STEP * len(motif), f"logo of motif {motif.name}"  # 66: the margins of `Frame`
    if motif.kind == "contributions":
        heights, unit, meaning = motif.matrix, "contribution", "mean contribution"
    else:
        pseudocount = 1.0 if motif.kind == "counts" else 0.0  # a position that nobody counted is no division by zero
        known = replace(motif, matrix=motif.probabilities(pseudocount), kind="probabilities")
        heights = known.matrix * np.maximum(known.information(), 0)[:, None]
        unit, meaning = "bits", "information content"
    # What is less than a pixel tall is not seen, and would make most of the page's size.
    heights = np.where(np.abs(heights) * (MOTIF_HEIGHT - 32) < np.ptp(y_range(heights)), 0.0, heights)
    return svg_logo(heights, width, MOTIF_HEIGHT, start=1, unit=unit, title=title), meaning


def static_logos(gathered: Gathered) -> list[tuple[str, str]]:
    """Return (caption, SVG) of the first sequence's first tracks, in its most important window."""
    if not len(gathered.sequences):
        return []
    onehot = gathered.sequences.onehot[0]
    shown = [(track, track.observed(0, onehot)) for track in gathered.tracks]
    drawn = [(track, values) for track, values in shown if values is not None][:STATIC_TRACKS]
    if not drawn:
        return []
    start, end = best_window(drawn[0][1])
    found = []
    for track, values in drawn:
        letters = np.maximum(onehot, ~onehot.any(1, keepdims=True) * 0.25) if track.kind == "mask" else onehot
        target = gathered.targets[track.target]
        note = f"{track.note}; {CENTRING}" if track.centred else track.note
        caption = f"{track.label}, {target}: positions {start} to {end} ({note})"
        logo = svg_logo((values[:, None] * letters)[start:end], 1280, 150, start=start, unit=track.unit, title=caption)
        found.append((caption, logo))
    return found


def best_window(values: Array, whole: int = WHOLE, window: int = WINDOW) -> tuple[int, int]:
    """Return the window of a sequence that holds most importance; all of it where it is short."""
    length = len(values)
    if length <= whole:
        return 0, length
    sums = np.convolve(np.abs(values), np.ones(window), mode="valid")
    start = int(sums.argmax())
    return start, start + window


def strip(values: Array, title: str) -> str:
    """Draw the distribution of predictions: a dot for each sequence, or bars where there are too many.

    The picture carries its axis in `data-low` and `data-high`, so that the script can mark one sequence.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return ""
    low, high = float(known.min()), float(known.max())
    if high <= low:
        low, high = low - 0.5, high + 0.5
    bins = 64
    place = np.clip(((known - low) / (high - low) * bins).astype(int), 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    step = (STRIP_WIDTH - 2 * STRIP_MARGIN) / bins
    marks = _dots(counts, step) if counts.max() <= 10 else _bars(counts, step)
    axis = [f'<path class="line" d="M{STRIP_MARGIN} {STRIP_BASE}H{STRIP_WIDTH - STRIP_MARGIN}"/>']
    for value in ticks(low, high, 5):
        x = STRIP_MARGIN + (value - low) / (high - low) * (STRIP_WIDTH - 2 * STRIP_MARGIN)
        axis.append(f'<path class="line" d="M{x:.1f} {STRIP_BASE}v4"/>')
        axis.append(f'<text x="{x:.1f}" y="{STRIP_BASE + 17}" text-anchor="middle">{text_of(value)}</text>')
    return (
        f'<svg class="strip" viewBox="0 0 {STRIP_WIDTH:g} {STRIP_HEIGHT:g}" role="img" aria-label="{escape(title)}" '
        f'data-low="{low!r}" data-high="{high!r}" data-margin="{STRIP_MARGIN:g}">'
        f'{"".join(axis)}<g class="marks">{"".join(marks)}</g>'
        f'<path class="here" d="M0 4V{STRIP_BASE}" visibility="hidden"/></svg>'
    )


def _dots(counts: Array, step: float) -> list[str]:
    size = min(step, (STRIP_BASE - 6) / max(int(counts.max()), 1))
    return [
        f'<circle cx="{STRIP_MARGIN + (i + 0.5) * step:.1f}" cy="{STRIP_BASE - (k + 0.5) * size - 1:.1f}" '
        f'r="{size * 0.42:.2f}"/>'
        for i, count in enumerate(counts)
        for k in range(int(count))
    ]


def _bars(counts: Array, step: float) -> list[str]:
    tall = (STRIP_BASE - 6) / int(counts.max())
    return [
        f'<rect x="{STRIP_MARGIN + i * step + 0.5:.1f}" y="{STRIP_BASE - count * tall:.1f}" width="{step - 1:.1f}" '
        f'height="{count * tall:.1f}"/>'
        for i, count in enumerate(counts)
        if count
    ]
