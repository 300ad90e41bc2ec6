"""Standard errors of a surrogate's additive parameters, from the curvature of the likelihood at its top."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cislens_squid.fitting import Fit, Form, gradient
from cislens_squid.genotype import SparseDesign

Array = npt.NDArray[Any]
KNOTS = 12  # of the splines that stand for any curve of the latent phenotype
LARGEST = 3000  # parameters up to which the curvature is worked out
SMALL = 1e-9  # share of the largest curvature below which a direction tells nothing


def covariance(form: Form, fit: Fit, design: SparseDesign, y: Array) -> Array | None:
    """Return the covariance (size, size) of the parameters theta.

    None where the variants do not tell them apart. It takes some matrices of that size: see `LARGEST`.

    The latent phenotype has no scale of its own, so that the errors are those of theta at a fixed spread of the latent
    phenotype over these variants. What the curve and the noise could do instead of theta is taken out of the curvature:
    every smooth curve of the latent phenotype, and every parameter of the noise, is free. The curvature is the sum over
    variants of the squared slopes of the log-likelihood, and that of the penalty: of a parameter that no variant
    speaks of, the error is what the penalty takes for granted.

    Parameters
    ----------
    form, fit
        What was fitted.
    design, y
        The variants it was fitted on, (n, size) and (n,).

    References
    ----------
    The efficient information of a single-index model with an unknown link: Ichimura 1993,
    10.1016/0304-4076(93)90114-K; Tareen et al. 2022, 10.1186/s13059-022-02661-7, give no errors.
    """
    phi, by_phi, by_noise = _slopes(form, fit, design, y)
    if not phi.std() > 0:
        return None
    free = np.column_stack([by_phi[:, None] * _splines(phi, form.nonlinearity.kind), by_noise])
    weighted = design.matrix.multiply(by_phi[:, None]).tocsr()
    information = (weighted.T @ weighted).toarray()
    shared = weighted.T @ free
    information -= shared @ np.linalg.pinv(free.T @ free, rcond=SMALL, hermitian=True) @ shared.T
    information += np.diag(np.broadcast_to(fit.precision, len(fit.theta)))
    values, vectors = np.linalg.eigh(information)
    told = values > SMALL * values[-1]
    if len(told) - told.sum() > 1:  # the scale of theta is not told, nor need it be
        return None
    turned = _at_fixed_spread(fit.theta, design, phi) @ vectors[:, told]
    return np.asarray((turned / values[told]) @ turned.T)


def _slopes(form: Form, fit: Fit, design: SparseDesign, y: Array) -> tuple[Array, Array, Array]:
    """Return the latent phenotypes, and each variant's slopes of its log-likelihood by them and by the noise."""
    phi = torch.from_numpy(design.score(fit.theta)).requires_grad_()
    noise = torch.from_numpy(fit.noise).expand(len(y), -1).clone().requires_grad_()
    mode = form.nonlinearity(phi, torch.from_numpy(fit.curve))
    density = form.noise.log_density(torch.from_numpy(y), mode, noise.T)
    density.sum().backward()  # type: ignore[no-untyped-call]
    return phi.detach().numpy(), gradient(phi), gradient(noise)


def _splines(phi: Array, kind: str) -> Array:
    """Return functions of the latent phenotype (n, k) that stand for whatever a curve may be."""
    from scipy.interpolate import BSpline  # type: ignore[import-untyped]

    if kind == "linear":
        return np.column_stack([np.ones(len(phi)), phi])
    inner = np.unique(np.quantile(phi, np.linspace(0, 1, KNOTS)))
    knots = np.concatenate([np.repeat(inner[0], 3), inner, np.repeat(inner[-1], 3)])
    return np.asarray(BSpline.design_matrix(phi, knots, 3).toarray())


def _at_fixed_spread(theta: Array, design: SparseDesign, phi: Array) -> Array:
    """Return what turns a change of theta into one that leaves the spread of the latent phenotype as it is."""
    slope = design.matrix.T @ (phi - phi.mean()) / (len(phi) * phi.var())  # of log spread by theta
    return np.asarray(np.eye(len(theta)) - np.outer(theta, slope))
