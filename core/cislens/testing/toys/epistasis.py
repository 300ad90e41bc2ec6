"""An oracle of additive and pairwise terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from cislens.errors import CislensError
from cislens.oracle.base import Array, Outputs, Pullback
from cislens.oracle.head import Head
from cislens.sequences import Sequences
from cislens.testing.toys.toy import Toy, random_onehot, substitutions_only


class PairwiseToy(Toy):
    """Answer with constant + sum over i of theta[i, x_i] + sum over i < j of J[i, x_i, j, x_j].

    Any gauge is taken; `constant`, `additive` and `pairwise` are kept in the zero-sum gauge, in which each position's
    additive terms and each pair's terms sum to zero over either base, and in which the answer to every sequence
    without N is the same. There each term is what its bases add to all that fewer of them say, which makes it the
    known answer for interactions. The answer is linear in each position, so that the gradient gives the exact effect
    of each single substitution.

    Parameters
    ----------
    additive : (length, 4)
        theta.
    pairwise : (length, 4, length, 4)
        J: J[i, a, j, b] equals J[j, b, i, a], and J[i, a, i, b] is zero.
    constant
        The constant.

    Raises
    ------
    CislensError
        If J is not symmetric, or has terms within a position.

    References
    ----------
    Posfai et al., Gauge fixing for sequence-function relationships, 2025, 10.1371/journal.pcbi.1012818.
    """

    def __init__(self, additive: Array, pairwise: Array, constant: float = 0.0) -> None:
        theta, terms = np.asarray(additive, np.float64), np.asarray(pairwise, np.float64)
        length = len(theta)
        itself = np.arange(length)
        if terms.shape != (length, 4, length, 4) or not np.array_equal(terms, terms.transpose(2, 3, 0, 1)):
            raise CislensError(
                f"pairwise terms must be symmetric, of shape ({length}, 4, {length}, 4), got {terms.shape} that are "
                "not: add their transpose (2, 3, 0, 1) and halve"
            )
        if terms[itself, :, itself].any():
            raise CislensError("pairwise terms must be zero within a position, got others: move them to the additive")
        means = terms.mean(3, keepdims=True)  # over the other position's base
        overall = means.mean(1, keepdims=True)
        self.pairwise = terms - means - means.transpose(2, 3, 0, 1) + overall
        moved = theta + (means - overall).sum((2, 3))
        self.additive = moved - moved.mean(1, keepdims=True)
        self.constant = float(constant + moved.mean(1).sum() + overall.sum() / 2)
        super().__init__("pairwise toy", [Head("value", (), (), scale="linear")], length)

    def _arrays(self) -> Iterable[Array]:
        return [self.additive, self.pairwise, np.array(self.constant)]

    def _slopes(self, x: Array) -> Array:
        return np.asarray(self.additive + np.tensordot(x, self.pairwise, 2))

    def _predict(self, x: Array) -> Outputs:
        return {"value": self.constant + (x * (self.additive + self._slopes(x))).sum((1, 2)) / 2}

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        slopes = self._slopes(x)

        def pullback(cotangent: Mapping[str, Array]) -> Array:
            return np.asarray(cotangent.get("value", np.zeros(len(x)))[:, None, None] * slopes)

        return self._predict(x), pullback

    def examples(self, n: int, rng: np.random.Generator) -> Sequences:
        """Return random sequences: it responds to all."""
        assert self.length is not None
        return Sequences.from_onehot(random_onehot(n, self.length, rng))

    def attribution(self, sequences: Sequences) -> Array:
        """Return the exact effect of every substitution, (1, n, length, 4), in closed form."""
        slopes = self._slopes(sequences.onehot.astype(np.float64))
        own = (slopes * sequences.onehot).sum(-1, keepdims=True)
        return substitutions_only(slopes - own, sequences)[None]
