"""Convolution-pool networks whose deep units are of a known kind."""

from __future__ import annotations

import numpy as np

from cislens.oracle.base import Array
from cislens.testing.toys.conv_pool import ConvPoolToy
from cislens.testing.toys.known import SPACED, Knowledge, Pair, Sought
from cislens.testing.toys.wiring import FIRST, POOL, SECOND, Motifs, Wiring, matching
from cislens.truth import Rule

VALUE = ("value",)
LEFT, RIGHT = "TGAC", "TCAG"
BEFORE, AFTER = "TGACTC", "GATAAG"
SPACING_POOL = 6  # the width of the two motifs, so that no spacing is seen at which they overlap
SPARED = 1.5  # what a unit of the first layer is left with by a full site; one mismatch leaves 0.5, two nothing


def planted_motif(length: int = 39) -> ConvPoolToy:
    """Return a network whose deep unit sees TGACTCAG, put together from halves that the first layer sees.

    `conv1` sees TGAC and TCAG, `conv2` the one right after the other, at most one of eight bases off; after pooling
    over 4 bp, `conv3` sees that in any of three pooled positions. Positions that no pool covers are not seen: lengths
    of 7 bp and a multiple of 4 leave none out.
    """
    left, right = (Sought.of_words(name, word, 1).motif for name, word in (("left", LEFT), ("right", RIGHT)))
    whole = Sought.of_words("motif", LEFT + RIGHT, 1)
    conv2 = np.zeros((1, 5, 2))
    conv2[0, 0, 0] = conv2[0, 4, 1] = 1
    weights = {
        "conv1": seeing(LEFT, RIGHT),
        "conv2": {"kernel": conv2, "bias": np.array([-1.6])},
        "conv3": {"kernel": np.array([[[0.4], [1.0], [0.6]]]), "bias": np.array([-0.1])},
        "output": summing(1),
    }
    seen: dict[str, tuple[Motifs, ...]] = {
        "conv1": ((left,), (right,)),
        "conv2": ((whole.motif,),),
        "conv3": ((whole.motif,),),
    }
    knowledge = Knowledge((whole,), {"motif": Rule("motif")})
    wiring = Wiring("network of a planted motif", (1, POOL), VALUE, seen, (LEFT + RIGHT,), knowledge)
    return ConvPoolToy(length, weights, wiring=wiring)


def soft_spacing(length: int = 41) -> ConvPoolToy:
    """Return a network whose deep unit sees TGACTC and, in the next pool of 6 bp, GATAAG.

    Both must be full sites. With none between them they always lie in neighbouring pools, with k bp between in
    (6 - k) of 6 places, and never from 6 bp on. Lengths of 5 bp and a multiple of 6 leave no position out.
    """
    first, second = Sought.of_words("first", BEFORE, 0), Sought.of_words("second", AFTER, 0)
    conv2 = np.zeros((1, 2, 2))
    conv2[0, 0, 0] = conv2[0, 1, 1] = 1
    weights = {
        "conv1": seeing(BEFORE, AFTER),
        "conv2": {"kernel": conv2, "bias": np.array([0.5 - 2 * SPARED])},
        "output": summing(1),
    }
    seen: dict[str, tuple[Motifs, ...]] = {
        "conv1": ((Sought.of_words("first", BEFORE, 1).motif,), (Sought.of_words("second", AFTER, 1).motif,)),
        "conv2": ((first.motif, second.motif),),
    }
    pair = Pair("first", "second", "and", {1: 0.0}, bin_width=SPACING_POOL)
    knowledge = Knowledge((first, second), {SPACED: Rule(SPACED)}, (pair,))
    planted = (BEFORE + AFTER, BEFORE + "A" + AFTER, BEFORE + "CA" + AFTER)
    wiring = Wiring("network of a soft spacing", (SPACING_POOL,), VALUE, seen, planted, knowledge)
    return ConvPoolToy(length, weights, wiring=wiring)


def synonymous_mixture(length: int = 38) -> ConvPoolToy:
    """Return a network whose deep unit fires for either of two motifs, TGACTCA and GATAAGG, at most one base off.

    Lengths of 6 bp and a multiple of 4 leave no position out.
    """
    both = tuple(Sought.of_words(name, word, 1) for name, word in (("first", FIRST), ("second", SECOND)))
    first, second = (sought.motif for sought in both)
    weights = {
        "conv1": seeing(FIRST, SECOND),
        "conv2": {"kernel": np.array([[[0.5, 0.4], [1.0, 0.9], [0.3, 0.6]]]), "bias": np.array([-0.1])},
        "output": summing(1),
    }
    seen: dict[str, tuple[Motifs, ...]] = {"conv1": ((first,), (second,)), "conv2": ((first, second),)}
    knowledge = Knowledge(both, {"or": Rule("first or second")}, (Pair("first", "second", "or"),))
    wiring = Wiring("network of a mixture", (POOL,), VALUE, seen, (FIRST, SECOND), knowledge)
    return ConvPoolToy(length, weights, wiring=wiring)


def dead_unit(length: int = 38) -> ConvPoolToy:
    """Return a network whose second deep unit is dead: it wants more of TGACTCA than three pooled positions can hold.

    The first one lives on the same motif, at most one base off. The dead unit is read too, and adds nothing. Lengths
    of 6 bp and a multiple of 4 leave no position out.
    """
    sought = Sought.of_words("motif", FIRST, 1)
    taps = np.array([0.4, 1.0, 0.6])
    most = SPARED * taps.sum()  # what full sites in all three would give
    weights = {
        "conv1": seeing(FIRST),
        "conv2": {"kernel": np.stack([taps, taps])[..., None], "bias": np.array([-0.1, -most - 0.25])},
        "output": summing(2),
    }
    seen: dict[str, tuple[Motifs, ...]] = {"conv1": ((sought.motif,),), "conv2": ((sought.motif,), ())}
    knowledge = Knowledge((sought,), {"motif": Rule("motif")})
    wiring = Wiring("network with a dead unit", (POOL,), VALUE, seen, (FIRST,), knowledge)
    return ConvPoolToy(length, weights, wiring=wiring)


def seeing(*words: str) -> dict[str, Array]:
    """Return a first layer that sees words, at most one base off."""
    return {"kernel": matching(*words), "bias": np.array([SPARED - len(word) for word in words])}


def summing(units: int) -> dict[str, Array]:
    """Return an output that is the sum of the units' highest values."""
    return {"kernel": np.ones((1, units)), "bias": np.zeros(1)}
