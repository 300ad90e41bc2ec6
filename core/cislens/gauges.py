"""Gauges of additive maps: which constants are moved between positions, and how to go from one to another."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError, require_choice

Array = npt.NDArray[Any]
Gauge = Literal["uniform", "wild-type", "empirical"]
SUM_TOLERANCE = 1e-3  # of frequencies read from rounded text, such as a JASPAR matrix


def to_gauge(theta: Array, gauge: Gauge, *, reference: Array | None = None) -> tuple[Array, Array]:
    """Return an additive map in a gauge, and the constant that this took out of it.

    An additive map scores a sequence x by a constant plus the sum of theta at its bases. Whatever is added to the four
    bases of one position and taken from the constant leaves all scores alone; a gauge fixes that freedom, so that maps
    can be read and compared. theta' . x + constant equals theta . x for every x without N; an N adds nothing, so that
    a sequence which holds N scores differently in each gauge.

    Parameters
    ----------
    theta : (..., length, 4)
        The map.
    gauge
        "uniform": the mean over the four bases is zero at each position; of a gradient, this is the simplex correction
        of Majdandzic et al. "wild-type": zero at the base of the reference, where it is N the mean over the bases is
        zero. "empirical": zero on average over the frequencies of the reference.
    reference : (..., length, 4)
        For "wild-type" the one-hot sequence, for "empirical" the base frequencies of each position; its leading axes
        fit those of theta by numpy's rules.

    Returns
    -------
    map : (..., length, 4)
        In the gauge, of theta's type.
    constant : (...)
        The sum over positions of what was taken out, float64.

    Raises
    ------
    ReportError
        If the gauge is unknown, or the reference is missing, of another shape, or not what the gauge needs.

    References
    ----------
    Posfai et al., Gauge fixing for sequence-function relationships, 2025, 10.1371/journal.pcbi.1012818; their
    "hierarchical" gauge of an additive model is our "empirical". Majdandzic et al., Correcting gradient-based
    interpretations of deep neural networks for genomics, 2023, 10.1186/s13059-023-02956-3.

    Examples
    --------
    >>> import numpy as np
    >>> to_gauge(np.array([[1.0, 2.0, 3.0, 6.0]]), "uniform")
    (array([[-2., -1.,  0.,  3.]]), array(3.))
    """
    if theta.ndim < 2 or theta.shape[-1] != 4:
        raise ReportError(f"an additive map must have shape (..., length, 4), got {theta.shape}")
    weights = _weights(gauge, reference, theta.shape)
    offsets = (theta * weights).sum(-1, dtype=np.float64)
    fixed = theta - offsets[..., None]
    kept = theta.dtype if np.issubdtype(theta.dtype, np.floating) else np.float64
    return fixed.astype(kept), np.asarray(offsets.sum(-1))


def project(theta: Array, onehot: Array) -> Array:
    """Return the map's value at the observed base, (..., length); zero at N.

    Parameters
    ----------
    theta : (..., length, 4)
        The map.
    onehot : (..., length, 4)
        The sequence, whose leading axes fit those of theta by numpy's rules.

    Raises
    ------
    ReportError
        If the shapes do not fit.
    """
    _require_fit(onehot.shape, theta.shape)
    return np.asarray((theta * onehot).sum(-1))


def _weights(gauge: Gauge, reference: Array | None, shape: tuple[int, ...]) -> Array:
    """Return for each position the weights (..., length, 4) of the mean that the gauge makes zero."""
    require_choice("a gauge", gauge, Gauge, ReportError)
    if gauge == "uniform":
        return np.full(4, 0.25)
    if reference is None:
        what = "the one-hot sequence" if gauge == "wild-type" else "the base frequencies of each position"
        raise ReportError(f"the {gauge} gauge needs {what}: pass reference=")
    _require_fit(reference.shape, shape)
    totals = reference.sum(-1, dtype=np.float64)
    if gauge == "wild-type":
        if not np.isin(reference, (0, 1)).all() or not np.isin(totals, (0, 1)).all():
            raise ReportError("the wild-type gauge needs a one-hot reference, got other values: use gauge 'empirical'")
        return np.where(totals[..., None] == 1, reference, 0.25)
    if not ((reference >= 0).all() and np.allclose(totals, 1, rtol=0, atol=SUM_TOLERANCE)):
        raise ReportError("base frequencies must not be negative and must sum to 1 at each position: divide by the sum")
    return np.asarray(reference / totals[..., None])


def _require_fit(reference: tuple[int, ...], theta: tuple[int, ...]) -> None:
    try:
        fits = len(reference) >= 2 and reference[-2:] == theta[-2:] and np.broadcast_shapes(reference, theta) == theta
    except ValueError:
        fits = False
    if not fits:
        raise ReportError(f"the reference must fit a map of shape {theta}, got shape {reference}")
