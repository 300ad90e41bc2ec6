"""Contributions of sequences against their references, by tangermeme."""

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


def explain_pairs(scalar: Scalar, device: str, x: Array, references: Array, batch: int) -> list[Explained]:
    """Return what the references tell of each sequence.

    Sequences that are asked together save what a call costs. Where the references of one fit a batch, each has a batch
    of its own, so that no neighbour changes how its numbers are rounded.

    Parameters
    ----------
    scalar, device
        What is explained, and where it computes.
    x : (n, length, 4)
        The sequences, one-hot.
    references : (n, k, length, 4)
        References of each, one-hot.
    batch
        Pairs that are computed together.
    """
    n, k = references.shape[:2]
    if k > batch and n > 1:
        return [explain_pairs(scalar, device, x[i : i + 1], references[i : i + 1], batch)[0] for i in range(n)]
    scalar.answered.clear()
    with warnings.catch_warnings(), evaluating(scalar, frozen=True):
        # N and convergence are our own business: the one is no error, the other is measured by the explainer.
        warnings.filterwarnings("ignore", module="tangermeme")
        multipliers = deep_lift_shap(
            scalar,
            _channels_first(x),
            references=_channels_first(references),
            batch_size=min(k, batch),
            additional_nonlinear_ops=scalar.rules,
            raw_outputs=True,
            only_warn=True,
            device=device,
        )
    assert isinstance(multipliers, torch.Tensor)
    answers = torch.cat([torch.stack(y.chunk(2)) for y in scalar.answered], 1).cpu().double().numpy()
    slopes = multipliers.transpose(2, 3).numpy()
    return [
        _averaged(slopes[i], x[i], references[i], pair)
        for i, pair in enumerate(answers.reshape(2, n, k).swapaxes(0, 1))
    ]


def _averaged(slopes: Array, x: Array, references: Array, answers: Array) -> Explained:
    """Average over references what slopes (k, length, 4) and answers (2, k), at sequence and references, tell."""
    slopes = slopes.astype(np.float64)
    baseline = (slopes * references).sum(-1, keepdims=True)
    contributions = (slopes - baseline).mean(0)
    value = float(answers[0, 0])
    difference = value - float(answers[1].mean())
    return Explained(contributions, value, difference, float((contributions * x).sum()) - difference)


def _channels_first(onehot: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(onehot.swapaxes(-1, -2), np.float32))
