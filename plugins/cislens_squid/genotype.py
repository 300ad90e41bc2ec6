"""Genotype-phenotype maps that are linear in their parameters: from substitutions to a latent phenotype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from cislens_squid.library import Library
from cislens_squid.mutagenesis import Substitutions

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

Array = npt.NDArray[Any]
Order = Literal["additive", "neighbour", "pairwise"]
SHARE_OF_PAIRS = 0.03  # of the variance of a latent phenotype, before anything is known
DAMPING = 0.1  # of least squares at the start, against the square root of the number of variants


class Design(Protocol):
    """Score a set of variants."""

    def score(self, theta: Array) -> Array:
        """Return the latent phenotypes (n,) that parameters (size,) give."""
        ...

    def pull(self, theta: Array, cotangent: Array) -> Array:
        """Return what a cotangent of the latent phenotypes (n,) is of the parameters (size,), at theta."""
        ...

    def take(self, rows: Array) -> Self:
        """Return what scores some of the variants."""
        ...

    def narrowed(self, size: int) -> Self:
        """Return what scores the variants by the first parameters alone."""
        ...


@dataclass(frozen=True, eq=False)
class SparseDesign:
    """Score variants by a sparse matrix (n, size)."""

    matrix: csr_matrix

    def __len__(self) -> int:
        return int(self.matrix.get_shape()[0])

    def score(self, theta: Array) -> Array:
        """Return the latent phenotypes (n,)."""
        return np.asarray(self.matrix @ theta)

    def pull(self, theta: Array, cotangent: Array) -> Array:
        """Return the cotangent of the parameters (size,), which is the same at any theta."""
        return np.asarray(self.matrix.T @ cotangent)

    def take(self, rows: Array) -> SparseDesign:
        """Return what scores some of the variants."""
        return SparseDesign(self.matrix[rows])

    def narrowed(self, size: int) -> SparseDesign:
        """Return what scores the variants by the first parameters alone."""
        return SparseDesign(self.matrix[:, :size])


class GenotypeMap(Protocol):
    """From variants to a latent phenotype."""

    @property
    def size(self) -> int:
        """How many parameters there are."""
        ...

    def design(self, library: Library) -> Design:
        """Return what scores the variants of a library."""
        ...

    def start(self, design: Any, y: Array) -> Array:
        """Return parameters (size,) to begin with, for answers y (n,) of mean 0 and spread 1.

        Where the prior costs anything, they make the latent phenotype vary by one.
        """
        ...

    def prior(self, design: Any) -> Array:
        """Return what each squared parameter costs, (size,), in nats, if the latent phenotype is to vary by one."""
        ...

    def simpler(self) -> GenotypeMap | None:
        """Return a map whose parameters are this one's first, the others zero; it is fitted first."""
        ...


@dataclass(frozen=True)
class LinearMap:
    """Score a variant by the sum of the parameters of its substitutions, and of its pairs of substitutions.

    Parameters are relative to the wild type, which scores 0: three for each bp, one for each other base; and nine for
    each pair of bp, all pairs or neighbours alone. Any additive or pairwise map is, up to a constant, exactly one such
    set of parameters; `gauge` turns them into other gauges. So variants that hold few substitutions are short rows.

    Parameters
    ----------
    width
        Of the element, in bp.
    order
        Which pairs there are.
    """

    width: int
    order: Order = "additive"

    @property
    def singles(self) -> int:
        """How many parameters speak of one substitution; they come first, three a bp."""
        return 3 * self.width

    @property
    def pairs(self) -> int:
        """How many pairs of bp have parameters."""
        return {"additive": 0, "neighbour": self.width - 1, "pairwise": self.width * (self.width - 1) // 2}[self.order]

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return self.singles + 9 * self.pairs

    def pair_index(self, first: Array, second: Array) -> Array:
        """Return the number of each pair of bp, first < second; of neighbours it is the first bp."""
        if self.order == "neighbour":
            return first
        return np.asarray(first * (2 * self.width - first - 1) // 2 + second - first - 1)

    def pair_sites(self) -> tuple[Array, Array]:
        """Return the bp of each pair, in the order of `pair_index`."""
        if self.order == "neighbour":
            return np.arange(self.width - 1), np.arange(1, self.width)
        first, second = np.triu_indices(self.width, 1)
        return first, second

    def start(self, design: SparseDesign, y: Array) -> Array:
        """Return the least squares parameters (size,), scaled so that the latent phenotype varies by one."""
        from scipy.sparse.linalg import lsqr  # type: ignore[import-untyped]

        theta = np.asarray(lsqr(design.matrix, y, damp=DAMPING * np.sqrt(len(y)), iter_lim=100)[0])
        return theta / (design.score(theta).std() or 1.0)

    def prior(self, design: SparseDesign) -> Array:
        """Return half the inverse variance of each parameter.

        A variant's latent phenotype sums as many parameters as it holds substitutions, and varies by one if each of
        them varies by one over that many; of pair terms, which correct what single terms say, by `SHARE_OF_PAIRS`.
        """
        singles = design.matrix[:, : self.singles].sum() / len(design) / 2
        pairs = design.matrix[:, self.singles :].sum() / len(design) / 2 / SHARE_OF_PAIRS
        return np.concatenate([np.full(self.singles, singles), np.full(9 * self.pairs, pairs)])

    def simpler(self) -> LinearMap | None:
        """Return the additive map of a map with pair terms."""
        return None if self.order == "additive" else LinearMap(self.width)

    def design(self, library: Library) -> SparseDesign:
        """Return the matrix of zeros and ones that scores the variants."""
        from scipy.sparse import csr_matrix

        substitutions = library.substitutions
        places = 3 * substitutions.sites + substitutions.changes
        counts, offsets = substitutions.counts, substitutions.offsets
        if self.order == "additive":
            matrix = csr_matrix((np.ones(len(places)), places.astype(np.int32), offsets), (len(counts), self.size))
            return SparseDesign(matrix)
        variants, columns = self._pair_columns(substitutions, places)
        extra = np.bincount(variants, minlength=len(counts))
        ends = np.concatenate([[0], np.cumsum(counts + extra)])
        indices = np.empty(ends[-1], np.int32)
        rows = np.repeat(np.arange(len(counts)), counts)
        indices[ends[rows] + np.arange(len(places)) - offsets[rows]] = places
        order = np.argsort(variants, kind="stable")
        within = np.arange(len(variants)) - np.repeat(np.cumsum(extra) - extra, extra)
        indices[ends[variants[order]] + counts[variants[order]] + within] = columns[order]
        return SparseDesign(csr_matrix((np.ones(len(indices)), indices, ends), (len(counts), self.size)))

    def _pair_columns(self, substitutions: Substitutions, places: Array) -> tuple[Array, Array]:
        """Return for each pair of substitutions that has a parameter its variant and its column."""
        counts, offsets = substitutions.counts, substitutions.offsets
        variants, columns = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
        for count in np.unique(counts[counts > 1]):
            # All variants with so many substitutions at once, whose pairs are the same places of their rows.
            held = np.flatnonzero(counts == count)
            rows = offsets[held][:, None] + np.arange(count)
            first, second = np.triu_indices(count, 1)
            one, other = rows[:, first].ravel(), rows[:, second].ravel()
            owner = np.repeat(held, len(first))
            if self.order == "neighbour":
                near = substitutions.sites[other] - substitutions.sites[one] == 1
                one, other, owner = one[near], other[near], owner[near]
            pair = self.pair_index(substitutions.sites[one], substitutions.sites[other])
            change = 3 * substitutions.changes[one].astype(np.int64) + substitutions.changes[other]
            variants.append(owner)
            columns.append((self.singles + 9 * pair + change).astype(np.int32))
        return np.concatenate(variants), np.concatenate(columns)
