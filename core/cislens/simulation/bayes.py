"""The Bayes limit: how well anything can tell a grammar's positives from its negatives."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import permutations, product
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.backgrounds import Frequencies, parse_background
from cislens.context import Progress, silent, stream
from cislens.errors import CislensError
from cislens.motif import UNIFORM
from cislens.scores import area_under_roc
from cislens.sequences.codes import Codes, complemented
from cislens.simulation.clean import shares_clean
from cislens.simulation.grammar import Grammar, Site, Variant
from cislens.simulation.matching import Hits
from cislens.simulation.placing import placements
from cislens.simulation.simulator import Simulator

Array = npt.NDArray[Any]
ROWS = 256  # sequences at a time, so that their windows stay small in memory
MOST_HITS = 14  # matching windows of one sequence; each may be any cluster's


@dataclass(frozen=True)
class BayesLimit:
    """Hold the limit and its standard errors.

    Parameters
    ----------
    accuracy, accuracy_error
        Of the likelihood ratio with the grammar's own share of positives.
    auroc, auroc_error
        Area under the ROC curve of the likelihood ratio; the error by DeLong et al. 1988, 10.2307/2531595.
    sequences, seed
        What it was measured on.
    """

    accuracy: float
    accuracy_error: float
    auroc: float
    auroc_error: float
    sequences: int
    seed: int

    def to_json(self) -> dict[str, float]:
        """Return it as JSON values."""
        return asdict(self)


def bayes_limit(grammar: Grammar, n: int = 10_000, seed: int = 0, progress: Progress = silent) -> BayesLimit:
    """Return the limit of a grammar, from the exact likelihood ratio of n sequences drawn from it.

    The accuracy is the mean of the larger of the two posterior probabilities, which is what the best decision gets on
    average and varies less than counting its hits would.

    Raises
    ------
    CislensError
        If the grammar's background is no draw of independent bases, or all its sequences have one label.
    """
    classifier = BayesClassifier(grammar)
    simulator = classifier.simulator
    drawn = simulator.draw(n, stream(seed, "bayes", grammar.name))
    labels = simulator.labels(drawn)
    if labels.all() or not labels.any():
        raise CislensError(f"the Bayes limit needs positives and negatives, but grammar {grammar.name!r} has but one")
    odds = classifier.log_odds(drawn.codes, progress)
    best = 1 / (1 + np.exp(-np.abs(odds)))
    auroc, error = area_under_roc(odds[labels], odds[~labels])
    return BayesLimit(float(best.mean()), float(best.std(ddof=1) / np.sqrt(n)), auroc, error, n, seed)


def summable(grammar: Grammar) -> str:
    """Return why a grammar has no exact likelihood ratio, "" where it has one."""
    if _frequencies(grammar) is not None:
        return ""
    return (
        "the Bayes limit is summed for backgrounds of independent bases that all occur (uniform or "
        f"frequencies:A/C/G/T), got {grammar.background!r}"
    )


class BayesClassifier:
    """Know a grammar, and tell of any sequence how likely it is positive.

    The likelihood of a sequence under an arrangement sums over all places, strands and spacings at which the
    arrangement can have been planted. Where the grammar removes chance matches, places that would leave one uncovered
    are impossible, and likelihoods are divided by the share of backgrounds that pass, which is averaged over the places
    of an arrangement; at 500 bp that of any one place is within half a percent of it.

    Parameters
    ----------
    grammar
        Its background must be "uniform" or "frequencies:A/C/G/T", none of them 0.
    """

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        if reason := summable(grammar):
            raise CislensError(reason)
        self._frequencies = np.array(_frequencies(grammar))
        self.simulator = Simulator(grammar)
        self._clean = shares_clean(self.simulator)

    def log_odds(self, codes: Codes, progress: Progress = silent) -> Array:
        """Return log P(positive | sequence) - log P(negative | sequence) of sequences (n, length), in nats, (n,).

        It is infinite where but one label can have made a sequence, and NaN where none can.
        """
        odds = np.empty(len(codes))
        for start in range(0, len(codes), ROWS):
            block = codes[start : start + ROWS]
            likelihoods = self._likelihoods(block)
            if self.grammar.both_strands:
                shown, turned = self._strand_shares(block)
                likelihoods = shown * likelihoods + turned * self._likelihoods(complemented(block))
            with np.errstate(divide="ignore", invalid="ignore"):
                odds[start : start + ROWS] = np.log(likelihoods[:, 1]) - np.log(likelihoods[:, 0])
            progress(min(start + ROWS, len(codes)), len(codes))
        return odds

    def _strand_shares(self, codes: Codes) -> tuple[Array, Array]:
        """Return how likely each sequence and its other strand are as plain background, scaled to sum to 1, (n, 1)."""
        logs = np.log(self._frequencies[::-1] / self._frequencies)[codes].sum(1, keepdims=True)
        return np.exp(-np.logaddexp(0, logs)), np.exp(-np.logaddexp(0, -logs))

    def _likelihoods(self, codes: Codes) -> Array:
        """Return the joint likelihood with each label over that of the plain background, (n, 2): negative, positive."""
        ratios = {
            (number, reverse): self._ratios(codes, number, reverse)
            for number, reverse in {(s.motif, s.reverse) for v in self.grammar.variants for c in v.clusters for s in c}
        }
        hits = self.simulator.matcher.hits(codes)
        joint = np.zeros((len(codes), 2))
        for variant, clean in zip(self.grammar.variants, self._clean, strict=True):
            label = int(self.grammar.labels[variant.arrangement])
            joint[:, label] += variant.probability / clean * self._of_variant(variant, ratios, hits, len(codes))
        return joint

    def _ratios(self, codes: Codes, number: int, reverse: bool) -> Array:
        """Return how much likelier each window of the room is as an instance than as background, (n, starts)."""
        grammar, sampler = self.grammar, self.simulator.samplers[number]
        room = codes[:, grammar.first : grammar.first + grammar.room]
        windows = np.lib.stride_tricks.sliding_window_view(room, len(sampler.matrix), axis=1)
        if reverse:
            windows = complemented(windows)
            # The background reads the bases as they stand.
            frequencies = self._frequencies[::-1]
        else:
            frequencies = self._frequencies
        return np.asarray(sampler.likelihood(windows) / frequencies[windows].prod(-1))

    def _of_variant(self, variant: Variant, ratios: dict[tuple[int, bool], Array], hits: Hits, n: int) -> Array:
        room = self.grammar.room
        of_clusters = [
            np.prod([_shifted(ratios[site.motif, site.reverse], site, room - width + 1) for site in cluster], axis=0)
            for cluster, width in zip(variant.clusters, variant.widths, strict=True)
        ]
        total = _summed(of_clusters, variant) if of_clusters else np.ones(n)
        total = total / placements(variant, room)
        for rows, windows in _rows_by_hits(hits):
            parts = [cluster[rows] for cluster in of_clusters]
            total[rows] = self._covering(parts, variant, windows) / placements(variant, room)
        return np.asarray(total)

    def _covering(self, of_clusters: list[Array], variant: Variant, windows: Array) -> Array:
        """Sum over the places at which every matching window (rows, hits, 2) overlaps an instance.

        Each window is given to the first cluster that touches it: what one cluster then may touch does not depend on
        where the others stand, and nothing is counted twice.
        """
        touched = [
            self._touches(cluster, part, windows) for cluster, part in zip(variant.clusters, of_clusters, strict=True)
        ]
        total = np.zeros(len(windows))
        for firsts in product(range(len(of_clusters)), repeat=windows.shape[1]):
            parts = []
            for number, (part, touch) in enumerate(zip(of_clusters, touched, strict=True)):
                own = touch[:, [first == number for first in firsts]].all(1)
                earlier = touch[:, [first > number for first in firsts]].any(1)
                parts.append(part * (own & ~earlier))
            total += _summed(parts, variant)
        return total

    def _touches(self, cluster: tuple[Site, ...], part: Array, windows: Array) -> Array:
        """Return whether a cluster at each start overlaps each window, (rows, hits, starts)."""
        starts = np.arange(part.shape[1]) + self.grammar.first
        touches = np.zeros((*windows.shape[:2], len(starts)), bool)
        for site in cluster:
            first = starts + site.offset
            end = first + len(self.grammar.motifs[site.motif])
            touches |= (first < windows[..., 1:]) & (end > windows[..., :1])
        return touches


def _frequencies(grammar: Grammar) -> tuple[float, ...] | None:
    """Return the frequencies of a background of independent bases; None where it is none, or a base never occurs."""
    if grammar.background == "uniform":
        return UNIFORM
    if not grammar.background.startswith("frequencies:"):
        return None
    background = parse_background(grammar.background)
    assert isinstance(background, Frequencies)
    assert background.frequencies is not None
    return background.frequencies if min(background.frequencies) > 0 else None


def _shifted(ratios: Array, site: Site, starts: int) -> Array:
    return ratios[:, site.offset : site.offset + starts]


def _summed(of_clusters: list[Array], variant: Variant) -> Array:
    """Return the sum over all placements of the product of the clusters' ratios (n, starts)."""
    k = len(of_clusters)
    orders = [tuple(range(k))] if variant.ordered else list(permutations(range(k)))
    return np.asarray(sum(_summed_in_order([(of_clusters[i], variant.widths[i]) for i in order]) for order in orders))


def _summed_in_order(clusters: list[tuple[Array, int]]) -> Array:
    last, _ = clusters[-1]
    for part, width in clusters[-2::-1]:
        # What may follow a cluster at each start: all starts of the next from its end on.
        following = np.cumsum(last[:, ::-1], 1)[:, ::-1]
        last = np.zeros_like(part)
        reach = min(part.shape[1], max(following.shape[1] - width, 0))
        last[:, :reach] = part[:, :reach] * following[:, width : width + reach]
    return np.asarray(last.sum(1))


def _rows_by_hits(hits: Hits) -> list[tuple[Array, Array]]:
    """Return for each number of matching windows the rows that hold so many, and these (rows, number, 2)."""
    windows = np.unique(np.stack([hits.rows, hits.starts, hits.ends], axis=1), axis=0)
    rows, counts = np.unique(windows[:, 0], return_counts=True)
    if counts.max(initial=0) > MOST_HITS:
        raise CislensError(
            f"the Bayes limit is summed for sequences with up to {MOST_HITS} matching windows, got {counts.max()}: its "
            "motifs are too vague for this threshold"
        )
    first = np.cumsum(counts) - counts
    return [
        (rows[counts == count], windows[first[counts == count][:, None] + np.arange(count), 1:])
        for count in np.unique(counts)
    ]
