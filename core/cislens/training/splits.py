"""Which examples are trained on, and which are held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens.sequences.container import OneHot, Region, hash_bases

Index = npt.NDArray[np.intp]
LISTED = 8  # chromosomes named in an error


class Parts(NamedTuple):
    """The places of the examples of each part; every example is in one part."""

    train: Index
    validation: Index
    test: Index

    def sizes(self) -> dict[str, int]:
        """Return the number of examples by part."""
        return {name: len(index) for name, index in self._asdict().items()}


def twins(onehot: OneHot) -> Index:
    """Give sequences (n, length, 4) numbers, equal ones and reverse complements the same."""
    seen: dict[str, int] = {}
    # Turning both axes around complements as well, since the bases stand in the order ACGT.
    names = (min(hash_bases(row), hash_bases(row[::-1, ::-1])) for row in onehot)
    return np.array([seen.setdefault(name, len(seen)) for name in names], np.intp)


def kin(onehot: OneHot, parents: Index | None) -> Index:
    """Give sequences numbers, the same to those that may not be on two sides of a split.

    These are twins, as `twins` has them, and a sequence with what was made from it: a shuffle holds its parent's
    dinucleotides exactly, so that a model which learned the parent by heart by its composition has seen the answer for
    the shuffle too.

    Parameters
    ----------
    onehot : (n, length, 4)
        The sequences.
    parents : (n,)
        The place of the sequence that each was made from, its own where it was not made; None where none was.
    """
    group = twins(onehot)
    if parents is None:
        return group
    # Twins of different families join these: the lowest number spreads until nothing changes.
    while True:
        lowest = np.full(len(group), len(group), np.intp)
        np.minimum.at(lowest, group, group[parents])
        np.minimum.at(lowest, group[parents], group)
        spread = np.minimum(lowest[group], group)
        if np.array_equal(spread, group):
            return group
        group = spread


def split_at_random(groups: Index, validation: float, test: float, rng: np.random.Generator) -> Parts:
    """Split at random, whole groups to a side.

    A part ends with the group that brings it nearest to its fraction of the examples. Overlapping intervals of a
    genome are no group; where there are many, split by chromosome.

    Parameters
    ----------
    groups : (n,)
        A number for each example; those with the same number stay together.
    validation, test
        Fractions of the examples.
    rng
        Where chance comes from.

    Raises
    ------
    CislensError
        If a part comes out empty.
    """
    place = _places(groups, rng)
    held = place < validation + test
    parts = Parts(*map(np.flatnonzero, (~held, place < validation, held & (place >= validation))))
    return _whole(parts, "take larger fractions, or more sequences that differ")


def split_by_chromosome(regions: Sequence[Region | None], validation: tuple[str, ...], test: tuple[str, ...]) -> Parts:
    """Hold out the examples of named chromosomes, and train on all others.

    Raises
    ------
    CislensError
        If an example has no coordinates, a chromosome has no example, or nothing is left for training.
    """
    unplaced = sum(region is None for region in regions)
    if unplaced:
        raise CislensError(
            f"a split by chromosome needs the coordinates of every sequence, but {unplaced:,} of {len(regions):,} have "
            "none: give BED, or FASTA with names such as chr1:100-200, or split at random, as with --validation 0.1 "
            "--test 0.1"
        )
    chromosomes = np.array([region.chrom for region in regions if region is not None])
    counts = Counter(chromosomes.tolist())
    absent = [name for name in (*validation, *test) if name not in counts]
    if absent:
        listed = ", ".join(name for name, _ in counts.most_common(LISTED))
        raise CislensError(
            f"there must be sequences on the chromosomes held out, but there are none on {', '.join(absent)}: those of "
            f"these data are {listed}{' ...' if len(counts) > LISTED else ''}"
        )
    held = np.isin(chromosomes, validation), np.isin(chromosomes, test)
    parts = Parts(*map(np.flatnonzero, (~held[0] & ~held[1], *held)))
    return _whole(parts, "hold out fewer chromosomes")


def split_the_rest(parts: Parts, groups: Index, fractions: tuple[float, float], rng: np.random.Generator) -> Parts:
    """Draw what a file's own split lacks, validation or test, from its training part.

    Parameters
    ----------
    parts
        Where validation or test are empty, they are drawn; the others stay.
    groups : (n,)
        As for `split_at_random`.
    fractions
        Of the training part, for validation and test.
    rng
        Where chance comes from.

    Raises
    ------
    CislensError
        If a part comes out empty.
    """
    for name, fraction in zip(("validation", "test"), fractions, strict=True):
        if not len(getattr(parts, name)):
            held = _places(groups[parts.train], rng) < fraction
            parts = parts._replace(**{name: parts.train[held], "train": parts.train[~held]})
    return _whole(parts, "take larger fractions, or more sequences that differ")


def leaks(parts: Parts, groups: Index) -> int:
    """Return how many held-out examples have one of their group in the training part."""
    held = groups[np.concatenate([parts.validation, parts.test])]
    return int(np.isin(held, groups[parts.train]).sum())


def _places(groups: Index, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Lay the groups side by side in random order, and return for each example the middle of its group, 0 to 1."""
    _, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    middle = np.empty(len(sizes))
    middle[order] = sizes[order].cumsum() - sizes[order] / 2
    return np.asarray(middle[number] / len(groups))


def _whole(parts: Parts, advice: str) -> Parts:
    empty = [name for name, size in parts.sizes().items() if not size]
    if empty:
        raise CislensError(
            f"every part of a split must hold examples, but {' and '.join(empty)} would be empty "
            f"({sum(parts.sizes().values()):,} examples in all): {advice}"
        )
    return parts
