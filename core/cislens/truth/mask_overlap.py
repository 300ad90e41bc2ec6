"""How well masks and maps cover what explains each label."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens.truth.truth import Meaning, Truth

Array = npt.NDArray[np.float64]

CALLED_FROM = 0.5


@dataclass(frozen=True, eq=False)
class MaskOverlap:
    """Hold how the positions that were called agree with those that explain the label, for each target and sequence.

    Sequences whose label nothing planted explains, such as negatives without a motif, hold NaN.

    Parameters
    ----------
    iou : (t, n)
        Called and explaining positions over called or explaining ones.
    precision : (t, n)
        Share of the called positions that explain; NaN where none is called.
    recall : (t, n)
        Share of the explaining positions that are called.
    left_out
        How many sequences have no explanation.
    """

    iou: Array
    precision: Array
    recall: Array
    left_out: int


def mask_overlap(
    masks: npt.NDArray[Any],
    truth: Truth,
    meaning: Meaning,
    beside: Collection[str] = (),
    *,
    threshold: float = CALLED_FROM,
) -> MaskOverlap:
    """Compare masks with the explanation that each is closest to.

    Where a label has several explanations (of "a or b" either motif is sufficient), the one with the largest IoU
    counts: a mask need give but one.

    Parameters
    ----------
    masks : (t, n, length)
        Values of at least `threshold` are called.
    truth
        Of the same n sequences.
    meaning
        What the masks claim to be.
    beside
        Motifs whose instances need not be called: positions of these alone do not count.
    threshold
        0 to 1.

    Raises
    ------
    CislensError
        If the shape is another.
    """
    _require_shape(masks, truth)
    called = (masks >= threshold) & _counted(truth, beside)
    rows = np.full((3, *masks.shape[:2]), np.nan)
    left_out = 0
    for i in range(len(truth)):
        alternatives = _explaining(truth, i, meaning)
        if not len(alternatives):
            left_out += 1
            continue
        shared = (called[:, i, None] & alternatives).sum(-1)
        agreement = _agreement(shared, called[:, i].sum(-1)[:, None], alternatives.sum(-1))
        best = np.expand_dims(agreement[0].argmax(1), (0, 2))
        rows[:, :, i] = np.take_along_axis(agreement, best, 2)[..., 0]
    return MaskOverlap(rows[0], rows[1], rows[2], left_out)


def map_overlap(contributions: npt.NDArray[Any], truth: Truth, beside: Collection[str] = ()) -> MaskOverlap:
    """Compare the largest contributions of a map with all positions whose loss can turn the label.

    A map, unlike a mask, claims no smallest set: it is to show every motif that matters, whatever its sign. So the
    explaining positions are those of all necessary sets together, and of each sequence as many positions are called as
    there are of these, the largest in absolute value first (of equal ones the leftmost; zeros never). Precision and
    recall are then the same but for maps with zeros.

    Parameters
    ----------
    contributions : (t, n, length)
        What the sequences' own bases contribute.
    truth
        Of the same n sequences.
    beside
        As in `mask_overlap`.

    Raises
    ------
    CislensError
        If the shape is another.
    """
    _require_shape(contributions, truth)
    size = np.abs(contributions) * _counted(truth, beside)
    rows = np.full((3, *size.shape[:2]), np.nan)
    left_out = 0
    for i in range(len(truth)):
        explaining = np.asarray(_explaining(truth, i, "necessary").any(axis=0))
        if not explaining.any():
            left_out += 1
            continue
        largest = np.argsort(-size[:, i], axis=1, kind="stable")[:, : explaining.sum()]
        nonzero = np.take_along_axis(size[:, i], largest, 1) > 0
        rows[:, :, i] = _agreement((explaining[largest] & nonzero).sum(1), nonzero.sum(1), explaining.sum())
    return MaskOverlap(rows[0], rows[1], rows[2], left_out)


def _counted(truth: Truth, beside: Collection[str]) -> npt.NDArray[np.bool_]:
    """Return the positions that are not covered by instances of these motifs alone, (n, length)."""
    of_these = truth.instances["motif"].isin(list(beside))
    theirs, others = (replace(truth, instances=truth.instances[held]).covered() for held in (of_these, ~of_these))
    return ~theirs | others


def _explaining(truth: Truth, i: int, meaning: Meaning) -> npt.NDArray[np.bool_]:
    """Return the explanations of a label that hold a position, (alternatives, length)."""
    masks = truth.masks(i, meaning)
    return masks[masks.any(1)]


def _agreement(shared: npt.NDArray[Any], called: npt.NDArray[Any], explaining: npt.NDArray[Any]) -> Array:
    """Return IoU, precision and recall from numbers of positions."""
    precision = np.divide(shared, called, out=np.full(shared.shape, np.nan), where=called > 0)
    return np.stack([shared / (called + explaining - shared), precision, shared / explaining])


def _require_shape(values: npt.NDArray[Any], truth: Truth) -> None:
    expected = (len(truth), truth.sequences.length)
    if values.ndim != 3 or values.shape[1:] != expected:
        raise CislensError(
            f"masks and maps must have shape (t, {', '.join(map(str, expected))}) as the truth's sequences, "
            f"got {values.shape}"
        )
