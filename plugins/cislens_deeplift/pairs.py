"""Contributions of one sequence against its references, by tangermeme."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tangermeme.deep_lift_shap import deep_lift_shap

from cislens_deeplift.scalar import Scalar
from cislens_torch.tensors import evaluating

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Explained:
    """What one sequence's references tell of it.

    Parameters
    ----------
    contributions : (length, 4)
        Hypothetical, averaged over the references, in the scalar's unit; those at observed bases add up to
        `difference`.
    value
        The scalar at the sequence.
    difference
        From its mean at the references.
    delta
        What the contributions add up to, less `difference`.
    """

    contributions: Array
    value: float
    difference: float
    delta: float


def explain_pairs(scalar: Scalar, device: str, x: Array, references: Array, batch: int) -> Explained:
    """Return what the references tell of a sequence.

    Parameters
    ----------
    scalar, device
        What is explained, and where it computes.
    x : (length, 4)
        The sequence, one-hot.
    references : (k, length, 4)
        Its references, one-hot.
    batch
        Pairs that are computed together.
    """
    scalar.answered.clear()
    with warnings.catch_warnings(), evaluating(scalar, frozen=True):
        # N and convergence are our own business: the one is no error, the other is measured by the explainer.
        warnings.filterwarnings("ignore", module="tangermeme")
        multipliers = deep_lift_shap(
            scalar,
            _channels_first(x[None]),
            references=_channels_first(references)[None],
            batch_size=batch,
            additional_nonlinear_ops=scalar.rules,
            raw_outputs=True,
            only_warn=True,
            device=device,
        )
    assert isinstance(multipliers, torch.Tensor)
    slopes = multipliers[0].transpose(1, 2).numpy().astype(np.float64)
    baseline = (slopes * references).sum(-1, keepdims=True)
    contributions = (slopes - baseline).mean(0)
    at_sequence, at_references = torch.cat([torch.stack(y.chunk(2)) for y in scalar.answered], 1).cpu().double()
    value = float(at_sequence[0])
    difference = value - float(at_references.mean())
    return Explained(contributions, value, difference, float((contributions * x).sum()) - difference)


def _channels_first(onehot: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(onehot.swapaxes(-1, -2), np.float32))
