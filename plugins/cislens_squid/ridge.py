"""Ridge regression whose penalty is chosen by cross-validation, from sums over the variants alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens_squid.fitting import Examples, Fit, Form
from cislens_squid.genotype import GenotypeMap, SparseDesign
from cislens_squid.noise import Noise
from cislens_squid.nonlinearity import Nonlinearity

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

Array = npt.NDArray[Any]
FOLDS = 5
PENALTIES = tuple(10.0 ** np.arange(-2, 4.5, 0.5))  # against the sum of squared errors
LARGEST = 3_000  # parameters
RIDGE = Form(Nonlinearity("linear"), Noise("gaussian", 0))  # what a ridge fit says, as a surrogate


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over variants of 1, x, y, x x', x y and y y, which are all that a linear fit asks of them."""

    n: float
    x: Array
    y: float
    xx: Array
    xy: Array
    yy: float

    @classmethod
    def of(cls, design: csr_matrix, y: Array) -> _Sums:
        ones = np.asarray(design.sum(0)).ravel()
        return cls(len(y), ones, float(y.sum()), (design.T @ design).toarray(), design.T @ y, float(y @ y))

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(*(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)))

    def __sub__(self, other: _Sums) -> _Sums:
        return _Sums(*(mine - theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)))

    def solutions(self, penalties: tuple[float, ...]) -> list[tuple[float, Array]]:
        """Return the constant and the parameters for each penalty; the constant is not penalised."""
        mean_x, mean_y = self.x / self.n, self.y / self.n
        values, vectors = np.linalg.eigh(self.xx - self.n * np.outer(mean_x, mean_x))
        turned = vectors.T @ (self.xy - self.n * mean_x * mean_y)
        thetas = [vectors @ (turned / (np.maximum(values, 0) + penalty)) for penalty in penalties]
        return [(mean_y - float(mean_x @ theta), theta) for theta in thetas]

    def squared_error(self, constant: float, theta: Array) -> float:
        """Return the sum of squared errors of a fit on these variants."""
        fitted = theta @ self.xx @ theta + 2 * constant * (self.x @ theta) + self.n * constant**2
        return float(self.yy - 2 * (theta @ self.xy + constant * self.y) + fitted)


def fit_by_ridge(genotype: GenotypeMap, form: Form, training: Examples, validation: Examples) -> Fit:
    """Fit by least squares with a penalty on the squared parameters, and say the result as a `Fit` of `RIDGE`.

    The penalty is that of `PENALTIES` with the least error over five folds of training and validation variants, which
    must stand in no order.

    Raises
    ------
    CislensError
        If the map is not linear, or has too many parameters for its sums to be held.
    """
    designs = training.design, validation.design
    if not all(isinstance(design, SparseDesign) for design in designs) or genotype.size > LARGEST:
        raise CislensError(
            f"ridge fits linear maps of up to {LARGEST:,} parameters: ask for nonlinearity=linear and noise=gaussian "
            "instead, or choose a smaller window"
        )
    folds = [
        _Sums.of(cast(SparseDesign, part.design).matrix[start:stop], part.y[start:stop])
        for part, count in ((training, FOLDS - 1), (validation, 1))
        for start, stop in pairwise(np.linspace(0, len(part.y), count + 1).astype(int))
    ]
    whole = sum(folds[1:], folds[0])
    errors = np.zeros(len(PENALTIES))
    for fold in folds:
        errors += [fold.squared_error(*solution) for solution in (whole - fold).solutions(PENALTIES)]
    best = PENALTIES[int(errors.argmin())]
    constant, theta = whole.solutions((best,))[0]
    variance = max(whole.squared_error(constant, theta) / whole.n, 1e-12)
    precision = np.array([best / variance])
    return Fit(theta, np.array([constant, 1.0]), np.array([np.log(variance) / 2]), 1, precision=precision)
