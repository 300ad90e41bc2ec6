"""Seqlets that look alike, brought together and laid on one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.discovery.windows import Sites, align, features, unit, windows
from cislens.motif import Motif
from cislens.truth.motif_similarity import similarities

Array = npt.NDArray[Any]
TREE_SIZE = 3000  # seqlets that are clustered by a tree, whose memory and time grow with their square; others join it
MOST = 100  # clusters that are followed, the largest
LEAST = 3  # sites of a cluster; fewer have no mean to speak of
ROUNDS = 5  # of assignment to means; members rarely change after the third


@dataclass(frozen=True, eq=False)
class Clustering:
    """Cluster sites of one set of sequences.

    Parameters
    ----------
    onehot : (n, length, 4)
        The sequences.
    values : (n, length)
        What their bases contribute.
    background
        Frequencies of ACGT.
    width
        Of the windows compared, in bp.
    reach
        How far, in bp, windows are shifted against one another.
    similarity
        Cosine from which windows are of one cluster.
    alike
        Similarity of motifs from which two clusters are one.
    """

    onehot: Array
    values: Array
    background: tuple[float, float, float, float]
    width: int
    reach: int
    similarity: float
    alike: float

    def clusters(self, sites: Sites) -> list[Sites]:
        """Return the clusters of sites, the largest first, each site once and in the cluster's frame."""
        if not len(sites):
            return []
        groups = self._tree(sites.take(slice(TREE_SIZE)))
        found = self._features(sites)
        for _ in range(ROUNDS):
            groups = self._distinct(groups)
            if not groups:
                break
            groups = self._assigned(sites, found, np.stack([self._mean(group) for group in groups]))
        return self._distinct(groups)

    def motif(self, name: str, sites: Sites) -> Motif:
        """Return the counts of the sites' windows."""
        return Motif.from_windows(name, windows(self.onehot, sites, self.width), self.background)

    # ---- the steps ----------------------------------------------------------------------------------------

    def _tree(self, sites: Sites) -> list[Sites]:
        """Return the branches of the average-linkage tree of sites, each laid on its most central member."""
        from scipy.cluster.hierarchy import fcluster, linkage  # type: ignore[import-untyped]
        from scipy.spatial.distance import squareform  # type: ignore[import-untyped]

        if len(sites) == 1:
            return [sites]
        found = self._features(sites)
        alignment = align(found, found, self.reach)
        likeness = (alignment.similarity + alignment.similarity.T) / 2
        distance = squareform(np.clip(1 - likeness, 0, None), checks=False)
        labels = fcluster(linkage(distance, "average"), 1 - self.similarity, "distance")
        groups = []
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            central = members[likeness[np.ix_(members, members)].sum(0).argmax()]
            turned = sites.take(members).turned(alignment.reverse[members, central])
            groups.append(turned.moved(alignment.shift[members, central].astype(int)))
        return groups

    def _assigned(self, sites: Sites, found: Array, means: Array) -> list[Sites]:
        """Return the sites that are like a mean, each with the mean that it is most like, in the frame of that."""
        alignment = align(found, means, self.reach)
        closest = alignment.similarity.argmax(1)
        taken = np.arange(len(closest)), closest
        near = alignment.similarity[taken] >= self.similarity
        placed = sites.turned(alignment.reverse[taken]).moved(alignment.shift[taken].astype(int))
        groups = [placed.take(near & (closest == k)) for k in range(len(means))]
        return [_once(self._centred(group)) for group in groups if len(group)]

    def _centred(self, sites: Sites) -> Sites:
        """Return sites moved so that what they contribute lies in the middle of their windows."""
        weight = (self._mean(sites) ** 2).sum(1)
        middle = int(np.rint(weight @ np.arange(self.width) / weight.sum())) if weight.sum() > 0 else self.width // 2
        return sites.moved(np.full(len(sites), middle - self.width // 2))

    def _mean(self, sites: Sites) -> Array:
        return np.asarray(unit(self._features(sites).mean(0)[None])[0])

    def _features(self, sites: Sites) -> Array:
        return features(self.onehot, self.values, sites, self.width)

    def _distinct(self, groups: Sequence[Sites]) -> list[Sites]:
        """Return the clusters without those that look like a larger one, whose sites can join that; the largest first.

        They look alike where both their motifs and their mean windows do: a motif that is a part of another one is
        like it, but does not contribute like it.
        """
        groups = sorted((g for g in groups if len(g) >= LEAST), key=lambda g: -len(g))[:MOST]
        if not groups:
            return []
        motifs = [self.motif(str(k), group) for k, group in enumerate(groups)]
        means = np.stack([self._mean(group) for group in groups])
        same = similarities(motifs, motifs).correlation >= self.alike
        same &= align(means, means, self.reach).similarity >= self.similarity
        kept: list[int] = []
        for k in range(len(groups)):
            if not same[k, kept].any():
                kept.append(k)
        return [groups[k] for k in kept]


def _once(sites: Sites) -> Sites:
    """Return the sites without those that stand where an earlier one, which is a larger seqlet, does."""
    places = np.stack([sites.row, sites.centre], axis=1)
    return sites.take(np.sort(np.unique(places, axis=0, return_index=True)[1]))
