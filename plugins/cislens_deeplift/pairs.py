"""Contributions of one sequence against its references, by tangermeme."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tangermeme.deep_lift_shap import deep_lift_shap

from cislens_deeplift.rules import further_rules
from cislens_deeplift.scalar import Scalar
from cislens_torch.tensors import evaluating

Array = npt.NDArray[Any]


def explain_pairs(scalar: Scalar, device: str, x: Array, references: Array, batch: int) -> tuple[Array, Array]:
    """Return hypothetical contributions averaged over references, and the scalar's values at the references.

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

    Returns
    -------
    contributions : (length, 4)
        In the scalar's unit; those at observed bases add up to f(x) minus the mean of f(reference).
    values : (k,)
        Of the references.
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
            additional_nonlinear_ops=further_rules(),
            raw_outputs=True,
            only_warn=True,
            device=device,
        )
    assert isinstance(multipliers, torch.Tensor)
    slopes = multipliers[0].transpose(1, 2).numpy().astype(np.float64)
    baseline = (slopes * references).sum(-1, keepdims=True)
    at_references = torch.cat([values.chunk(2)[1] for values in scalar.answered])
    return (slopes - baseline).mean(0), at_references.cpu().numpy().astype(np.float64)


def _channels_first(onehot: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(onehot.swapaxes(-1, -2), np.float32))
