"""What a hand-set network is besides its weights, and the network of two motifs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cislens.motif import Motif
from cislens.oracle.base import Array
from cislens.testing.toys.known import Knowledge, Pair, Sought
from cislens.truth import Rule

Weights = Mapping[str, Mapping[str, Array]]
Motifs = tuple[Motif, ...]


@dataclass(frozen=True, eq=False)
class Wiring:
    """Hold how the layers of a network follow each other, and what its units see.

    Parameters
    ----------
    name
        What reports call the network.
    pools
        Width of the max pooling after each convolution but the last, 1 for none.
    outputs
        Names of the outputs.
    unit_motifs
        For each convolution the motifs of each unit: one, several that it fires for, or none of a dead one.
    planted
        Consensus of what examples hold, in turn.
    knowledge
        What makes a sequence positive.
    """

    name: str
    pools: tuple[int, ...]
    outputs: tuple[str, ...]
    unit_motifs: Mapping[str, tuple[Motifs, ...]]
    planted: tuple[str, ...]
    knowledge: Knowledge

    @property
    def graph(self) -> tuple[str, ...]:
        """Names of the layers, each of which reads the one before it."""
        names = ["sequence"]
        for k, width in enumerate((*self.pools, 1), 1):
            names += [f"conv{k}", f"pool{k}"] if width > 1 else [f"conv{k}"]
        return (*names, "top", "output")

    def pool(self, name: str) -> int:
        """Return the width of a pooling layer."""
        return self.pools[int(name.removeprefix("pool")) - 1]


def matching(*consensuses: str) -> Array:
    """Return a kernel (units, width, 4) whose units count the bases that agree with words of one length."""
    return np.stack([np.eye(4)[["ACGT".index(base) for base in word]] for word in consensuses])


# ---- two motifs, together or either ------------------------------------------------------------------------

FIRST, SECOND = "TGACTCA", "GATAAGG"
POOL = 4


def hand_set_weights() -> dict[str, dict[str, Array]]:
    """Return the weights of the network of two motifs.

    Units of `conv1` match TGACTCA and GATAAGG, a mismatch costing 1 of 7 and a base's second choice less; units of
    `conv2` are the first motif, the second, and both within three pooled positions of each other.
    """
    conv1 = matching(FIRST, SECOND)
    conv1 = conv1 + np.linspace(-0.08, 0.08, conv1.size).reshape(conv1.shape)
    conv2 = np.zeros((3, 3, 2))
    conv2[0, :, 0] = (0.4, 1.0, 0.6)
    conv2[1, :, 1] = (0.6, 1.0, 0.4)
    conv2[2] = [[1.0, 0.1], [0.5, 0.5], [0.1, 1.0]]
    return {
        "conv1": {"kernel": conv1, "bias": np.array([-4.0, -4.1])},
        "conv2": {"kernel": conv2, "bias": np.array([-0.3, -0.2, -1.0])},
        "output": {"kernel": np.array([[0.1, -0.2, 1.0], [0.7, 0.5, 0.3]]), "bias": np.array([0.05, -0.1])},
    }


def together_or_either() -> Wiring:
    """Return the wiring of the network of two motifs; its truth is that of the output "either".

    The first motif's unit bears two mismatches, the second's three; nearly full sites, of one at most, are instances.
    """
    first, second = Sought.of_words("first", FIRST, 2).motif, Sought.of_words("second", SECOND, 3).motif
    return Wiring(
        "convolution-pool toy",
        (POOL,),
        ("together", "either"),
        {"conv1": ((first,), (second,)), "conv2": ((first,), (second,), (first, second))},
        (FIRST + SECOND,),
        Knowledge(
            (Sought.of_words("first", FIRST, 1), Sought.of_words("second", SECOND, 1)),
            {"or": Rule("first or second")},
            (Pair("first", "second", "or"),),
        ),
    )
