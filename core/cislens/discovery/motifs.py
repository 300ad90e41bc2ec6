"""From maps or masks to motifs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cislens.derivation import Derivation, DeriveContext
from cislens.discovery.clustering import Clustering
from cislens.discovery.maps import base_frequencies, maps_of, target_labels
from cislens.discovery.seqlets import call_seqlets
from cislens.discovery.windows import Sites
from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.report import MotifReport
from cislens.settings import setting

Array = npt.NDArray[Any]
SIGNS = {"positive": 1, "negative": -1}
CHANCE = 0.05  # that a column of a flank, whose bases are drawn at random, says more than is taken from it
MARGIN = 1.5  # times the sites of the largest cluster of shuffled bases, whose size differs from one shuffle to another
CERTAIN = 1.5  # bits at which a column is kept however few the sites


@dataclass(frozen=True)
class Motifs(Derivation):
    """Call seqlets where maps or masks are large, and cluster them to motifs.

    Seqlets are places whose contributions are larger than values drawn at random from the same map would make them.
    Windows of contribution-weighted sequence around them are clustered by their best shift and strand, and the
    sequences of a cluster are its motif (counts). A cluster must be larger than any that the same seqlets give once the
    bases are shuffled, so that a map which is smooth, but says nothing, gives no motif. What raises a target and what
    lowers it are kept apart, and motifs that stand side by side are too where each is a seqlet of its own. Two that
    touch at one distance wherever they are found are one motif: neither maps nor bases tell where the one ends.

    It needs nothing but what cislens always has. TF-MoDISco (Shrikumar et al. 2018, 10.48550/arXiv.1811.00416), whose
    idea this is, compares hypothetical contributions too, and refines clusters in more steps.
    """

    name: ClassVar[str] = "motifs"
    takes: ClassVar[tuple[str, ...]] = ("attributions", "masks")
    gives: ClassVar[tuple[str, ...]] = ("motifs",)
    references: ClassVar[tuple[str, ...]] = ("10.48550/arXiv.1811.00416",)

    window: int = setting(15, "Width in bp over which contributions are summed to call a seqlet.")
    flank: int = setting(10, "bp on either side of that window in which a motif may reach.")
    rate: float = setting(
        0.05, "False-discovery rate of seqlets, against the same maps with their positions drawn at random."
    )
    similarity: float = setting(0.7, "Cosine, 0 to 1, from which windows are of one cluster.")
    alike: float = setting(0.8, "Similarity of motifs, 0 to 1, from which two clusters are one.")
    sites: int = setting(5, "Sites that a motif must have; more where shuffled bases give larger clusters.")
    bits: float = setting(0.2, "Information below which a column of a flank is not kept.")
    information: float = setting(6.0, "Bits that a motif must hold in all.")

    def __post_init__(self) -> None:
        if self.window < 1 or self.flank < 0:
            raise CislensError(f"motifs needs a window of 1 bp at least, got {self.window} with flanks of {self.flank}")
        if not (0 < self.rate < 1 and 0 < self.similarity < 1 and 0 < self.alike <= 1):
            raise CislensError(
                "motifs needs rate, similarity and alike between 0 and 1, got "
                f"{self.rate}, {self.similarity} and {self.alike}"
            )

    def run(self, report: MotifReport, context: DeriveContext) -> MotifReport:
        """Return the report with motifs of counts; those of one target and sign by their number of sites.

        Their ids are the target (where there are several), positive or negative, and a number. The summary of the
        validity says for each target and sign how many seqlets were called, from which threshold (in root mean squares
        of the map), and how many clusters were left out.
        """
        values = maps_of(report)
        labels = target_labels(report, len(values))
        signs = SIGNS if (values < 0).any() else {"positive": 1}
        found = []
        for t, label in enumerate(labels):
            for sign, factor in signs.items():
                found.append(self._discover(values[t] * factor, report, f"{label}{sign}", context))
                context.progress(len(found), len(labels) * len(signs))
        summary = dict(report.validity.summary)
        for each in found:
            summary |= each.numbers
        told = [each.left_out for each in found if each.left_out]
        motifs = tuple(motif for each in found for motif in each.motifs)
        if not motifs:
            told.insert(0, self._nothing(found, report))
        validity = replace(report.validity, summary=summary).warned(*told)
        return replace(report, motifs=motifs, validity=validity)

    def _discover(self, values: Array, report: MotifReport, name: str, context: DeriveContext) -> _Found:
        """Return the motifs of one target and sign."""
        onehot, rng = report.sequences.onehot, context.rng(f"motifs {name}")
        seqlets = call_seqlets(values, self.window, self.rate, rng)
        sites = Sites.around(seqlets.row, seqlets.centre, report.sequences.length)
        clustering = self._clustering(onehot, values)
        clusters = clustering.clusters(sites)
        # Of many windows some are alike by chance: what clusters without a motif says how many.
        shuffled = self._clustering(_shuffled(onehot, rng), values).clusters(sites)
        by_chance = max((len(cluster) for cluster in shuffled), default=0)
        least = max(self.sites, math.ceil(MARGIN * by_chance))
        trimmed = [self._trimmed(clustering.motif(name, cluster)) for cluster in clusters if len(cluster) >= least]
        motifs = [motif for motif in trimmed if motif.information().sum() >= self.information]
        named = tuple(replace(motif, id=f"{name}_{k}", name=f"{name}_{k}") for k, motif in enumerate(motifs))
        return _Found(name, named, len(seqlets), seqlets.threshold, len(clusters) - len(trimmed), len(trimmed), least)

    def _clustering(self, onehot: Array, values: Array) -> Clustering:
        return Clustering(
            onehot,
            values,
            base_frequencies(onehot),
            2 * (self.window // 2 + self.flank) + 1,
            (self.window + self.flank) // 2,
            self.similarity,
            self.alike,
        )

    def _trimmed(self, motif: Motif) -> Motif:
        """Return the columns of a motif that hold most, once from each is taken what flanks may say by chance.

        So a gap between two halves is kept, and a chance base far off is not.
        """
        from scipy.special import chdtri  # type: ignore[import-untyped]

        # Twice the number of sites times the information in nats is chi-square, with 3 degrees of freedom, by chance.
        by_chance = float(chdtri(3, CHANCE)) / (2 * math.log(2) * max(motif.sites or 1, 1))
        gained = np.concatenate([[0], np.cumsum(motif.information() - max(self.bits, min(by_chance, CERTAIN)))])
        least = np.minimum.accumulate(gained[:-1])
        end = int((gained[1:] - least).argmax()) + 1
        return motif.window(int(gained[:end].argmin()), end)

    def _nothing(self, found: list[_Found], report: MotifReport) -> str:
        n, length = len(report.sequences), report.sequences.length
        seqlets = " and ".join(each.seqlets_text for each in found)
        return (
            f"no motif was found in {n:,} sequences of {length} bp: with a window of {self.window} bp and a "
            f"false-discovery rate of {self.rate:g} there were {seqlets}, and a motif needs "
            f"{max(each.least for each in found)} sites and {self.information:g} bits; explain more sequences, "
            "raise rate, or lower window, sites or information"
        )


def _shuffled(onehot: Array, rng: np.random.Generator) -> Array:
    """Return sequences (n, length, 4) with their bases in another order; N stays where it is."""
    known = onehot.any(-1)
    order = np.argsort(np.where(known, rng.random(known.shape), 2), axis=1)
    # Known positions come first in `order`: the k-th of them gets the base of the k-th in that random order.
    places = np.argsort(~known, axis=1, kind="stable")
    shuffled = np.zeros_like(onehot)
    rows = np.arange(len(onehot))[:, None]
    shuffled[rows, places] = onehot[rows, order]
    return shuffled


@dataclass(frozen=True, eq=False)
class _Found:
    """What was found of one target and sign, and what was left out.

    `small` clusters had fewer than `least` sites; of the others, `large`, those that are no motifs held too few bits.
    """

    name: str
    motifs: tuple[Motif, ...]
    seqlets: int
    threshold: float
    small: int
    large: int
    least: int

    @property
    def numbers(self) -> dict[str, float]:
        left_out = self.small + self.large - len(self.motifs)
        numbers = {"seqlets": self.seqlets, "seqlet threshold": self.threshold, "clusters left out": left_out}
        return {f"{self.name} {what}": float(number) for what, number in numbers.items() if math.isfinite(number)}

    @property
    def seqlets_text(self) -> str:
        if not math.isfinite(self.threshold):
            return f"no {self.name} seqlets"
        return f"{self.seqlets:,} {self.name} seqlets (threshold {self.threshold:.2g} root mean squares of the map)"

    @property
    def left_out(self) -> str:
        """A sentence on clusters that are no motifs, empty where there are none."""
        vague = self.large - len(self.motifs)
        parts = [f"{self.small} of fewer than {self.least} sites"] * bool(self.small)
        parts += [f"{vague} of too few bits"] * bool(vague)
        if not parts:
            return ""
        return (
            f"clusters of {self.name} seqlets were left out: {' and '.join(parts)}; "
            "lower sites or information to see them"
        )
