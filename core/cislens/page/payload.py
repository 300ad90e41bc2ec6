"""The numbers that the page draws, rounded and small enough to live in it."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.page.gathering import CENTRING, Gathered, Track
from cislens.page.instance_bands import Band
from cislens.page.logo import GLYPHS
from cislens.sequences import Region

Array = npt.NDArray[Any]

BUDGET = 3_200_000  # characters for maps and sequences, so that the whole page stays under 5 MB
ROW = 400  # characters that a sequence takes in the page's own tables
MOST_SEQUENCES = 2_000
ERROR_BITS = 8  # of a standard error
FEWEST_SEQUENCES = 10  # to hold so many, targets are left out before sequences are


@dataclass(frozen=True)
class Plan:
    """Say what of the maps the page holds, so that it stays small.

    Parameters
    ----------
    bits
        Of one number: 16 or 8.
    observed
        Whether only the observed bases' values are held.
    sequences, targets
        How many, from the first.
    """

    bits: int
    observed: bool
    sequences: int
    targets: int


def plan(gathered: Gathered, budget: int = BUDGET) -> Plan:
    """Return the finest rounding that fits the budget; past the coarsest, fewer targets, then fewer sequences."""
    n, t = min(len(gathered.sequences), MOST_SEQUENCES), len(gathered.targets)
    for bits, observed in ((16, False), (8, False), (8, True)):
        if n * _cost(gathered, Plan(bits, observed, 1, t)) <= budget:
            return Plan(bits, observed, n, t)
    wanted = min(n, FEWEST_SEQUENCES)
    while t > 1 and wanted * _cost(gathered, Plan(8, True, 1, t)) > budget:
        t = max(1, t * 3 // 4)
    return Plan(8, True, max(1, min(n, budget // _cost(gathered, Plan(8, True, 1, t)))), t)


def _cost(gathered: Gathered, held: Plan) -> int:
    length = gathered.sequences.length
    bits = sum(
        _channels(track, held) * (held.bits + (ERROR_BITS if track.errors is not None else 0))
        for track in gathered.tracks
        if track.target < held.targets
    )
    return ROW + length + 4 * math.ceil(bits * length / 8 / 3)


def _channels(track: Track, held: Plan) -> int:
    return 4 if track.hypothetical and not held.observed else 1


def build_payload(gathered: Gathered, held: Plan, bands: Iterable[Band]) -> dict[str, Any]:
    """Return what the page's script reads, as JSON values."""
    sequences = gathered.sequences.take(slice(0, held.sequences))
    return {
        "glyphs": GLYPHS,
        "centring": CENTRING,
        "bits": held.bits,
        "length": sequences.length,
        "targets": list(gathered.targets[: held.targets]),
        "sequences": [
            {"id": name, "bases": bases, "region": _place(region, sequences.length)}
            for name, bases, region in zip(sequences.ids, sequences.strings(), sequences.regions, strict=True)
        ],
        "bands": [{"label": band.label, "motifs": band.motifs, "rows": band.rows} for band in bands],
        "tracks": [_track(gathered, track, held) for track in gathered.tracks if track.target < held.targets],
    }


def _place(region: Region | None, length: int) -> list[Any] | None:
    # A padded or cropped sequence does not lie base by base on its region, so no coordinates are drawn for it.
    return list(region) if region is not None and region.end - region.start == length else None


def _track(gathered: Gathered, track: Track, held: Plan) -> dict[str, Any]:
    channels = _channels(track, held)
    scales: list[float] = []
    data: list[str | None] = []
    for i in range(held.sequences):
        values = track.at(i)
        if values is not None and values.shape[1] > channels:
            observed = track.observed(i, gathered.sequences.onehot[i])
            values = None if observed is None else observed[:, None]
        scale, encoded = (0.0, None) if values is None else encode(values, held.bits)
        scales.append(scale)
        data.append(encoded)
    errors = [_errors(gathered, track, i, channels) for i in range(held.sequences)]
    return {
        "label": track.label,
        "target": track.target,
        "kind": track.kind,
        "unit": track.unit,
        "note": track.note,
        "channels": channels,
        "centred": track.centred and channels == 4,
        "scales": scales,
        "data": data,
        "errors": errors if any(errors) else None,
    }


def _errors(gathered: Gathered, track: Track, i: int, channels: int) -> list[Any] | None:
    """Return the step and the rounded standard errors of a sequence, -1 step or less where one is not known."""
    errors = track.errors_at(i)
    if errors is None or not np.isfinite(errors).any():
        return None
    if errors.shape[1] > channels:
        if track.centred:  # what is drawn is a difference, whose error is another
            return None
        errors = np.where(gathered.sequences.onehot[i], errors, 0.0).sum(1, keepdims=True)
    return list(encode(np.where(np.isfinite(errors), errors, -np.nanmax(errors)), ERROR_BITS))


def packed(whole: Array) -> str:
    """Return whole numbers as little-endian base64."""
    return base64.b64encode(whole.astype(whole.dtype.newbyteorder("<")).tobytes()).decode("ascii")


def encode(values: Array, bits: int) -> tuple[float, str]:
    """Round an array to whole steps of its largest absolute value.

    Returns
    -------
    scale, text
        The step, and the whole numbers as little-endian base64; value = number x step, within half a step.
    """
    most = (1 << (bits - 1)) - 1
    peak = float(np.abs(values).max(initial=0.0))
    scale = peak / most
    if scale == 0:  # all zero, or too small to be told from it
        return 0.0, packed(np.zeros(values.shape, f"i{bits // 8}"))
    return scale, packed(np.clip(np.rint(values / scale), -most, most).astype(f"i{bits // 8}"))


def decode(scale: float, text: str, bits: int, channels: int) -> Array:
    """Return what `encode` rounded, (length, channels)."""
    whole = np.frombuffer(base64.b64decode(text), f"<i{bits // 8}")
    return whole.reshape(-1, channels) * scale


def embed(values: Any) -> str:
    """Return JSON that is safe inside a script element, whatever the ids hold."""
    text = json.dumps(values, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
