"""How many backgrounds pass the removal of chance matches."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.context import stream
from cislens.simulation.grammar import Grammar, Variant
from cislens.simulation.placing import sample_starts
from cislens.simulation.simulator import Simulator

Array = npt.NDArray[Any]
BACKGROUNDS, PLACEMENTS = 20_000, 1_000  # sampled; the shares are then known to half a percent


def shares_clean(simulator: Simulator) -> Array:
    """Return the share of backgrounds around each variant of a grammar that hold no chance match, (variants,)."""
    grammar = simulator.grammar
    rng = stream(0, "clean", grammar.name)
    clean = _clean_by_length(simulator, rng)
    return np.array([_share(variant, grammar, clean, rng) for variant in grammar.variants])


def _clean_by_length(simulator: Simulator, rng: np.random.Generator) -> Array:
    """Return the share of background stretches of each length from 0 on that hold no match, (length + 1,)."""
    hits = simulator.matcher.hits(simulator.backgrounds(BACKGROUNDS, rng))
    length = simulator.grammar.length
    # A stretch from the start is clean as long as it ends before the first match does.
    ends = np.full(BACKGROUNDS, length + 1)
    np.minimum.at(ends, hits.rows, hits.ends)
    stopped = np.bincount(ends, minlength=length + 2)
    return np.asarray(1 - np.cumsum(stopped)[: length + 1] / BACKGROUNDS)


def _share(variant: Variant, grammar: Grammar, clean: Array, rng: np.random.Generator) -> float:
    starts = sample_starts(variant, grammar.room, PLACEMENTS, rng) + grammar.first
    bounds = [
        (start + site.offset, start + site.offset + len(grammar.motifs[site.motif]))
        for cluster, start in zip(variant.clusters, starts.T, strict=True)
        for site in cluster
    ]
    begins = np.sort(np.array([b for b, _ in bounds], int).reshape(-1, PLACEMENTS), axis=0)
    ends = np.sort(np.array([e for _, e in bounds], int).reshape(-1, PLACEMENTS), axis=0)
    edge = np.full((1, PLACEMENTS), grammar.length)
    stretches = np.concatenate([begins, edge]) - np.concatenate([np.zeros_like(edge), ends])
    return float(clean[stretches].prod(0).mean())
