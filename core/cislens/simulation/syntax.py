"""What a grammar says of pairs of motifs, as the table of a truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from cislens.report.report import TABLES
from cislens.simulation.grammar import Grammar, Site, Variant

if TYPE_CHECKING:
    import pandas as pd


class Placed(NamedTuple):
    """Two motifs of a variant, by their numbers in the grammar, the smaller first."""

    motif_1: int
    motif_2: int
    order: str
    orientation: str
    spacing: float
    logic: str


def syntax_of(grammar: Grammar) -> pd.DataFrame:
    """Return the table `Truth.syntax` of a grammar."""
    import pandas as pd

    counts: Counter[Placed] = Counter()
    positive = grammar.positive_share
    for variant in grammar.variants:
        for pair in _pairs(grammar, variant):
            share = 1 - positive if pair.logic == "and not" else positive
            counts[pair] += variant.probability / share  # type: ignore[assignment]
    ids = [motif.id for motif in grammar.motifs]
    rows = [(ids[pair.motif_1], ids[pair.motif_2], *pair[2:], support) for pair, support in counts.items()]
    return pd.DataFrame(rows, columns=list(TABLES["syntax"]))


def _pairs(grammar: Grammar, variant: Variant) -> Iterator[Placed]:
    places = [(number, site) for number, sites in enumerate(variant.clusters) for site in sites]
    for (cluster, one), (other_cluster, two) in combinations(places, 2):
        logic = _logic(grammar, variant, one, two)
        if logic is None:
            continue
        together = cluster == other_cluster
        swapped = one.motif > two.motif or (logic == "and not" and not _repressed_by(grammar, variant, two))
        if one.motif == two.motif:
            swapped = one.reverse and two.reverse  # of two that are alike, the first to be read
        first, second = (two, one) if swapped else (one, two)
        turned = first.reverse
        forwards = swapped == turned  # whether motif_1 comes first on the strand on which it reads forward
        order = "any" if not together and not variant.ordered else ("1-2" if forwards else "2-1")
        orientation = "+-" if first.reverse != second.reverse else "++"
        spacing = float("nan")
        if together:
            left, right = sorted((one, two), key=lambda site: site.offset)
            spacing = float(right.offset - left.offset - len(grammar.motifs[left.motif]))
        yield Placed(first.motif, second.motif, order, orientation, spacing, logic)


def _holds(grammar: Grammar, variant: Variant, without: tuple[Site, ...] = ()) -> bool:
    sites = [site for sites in variant.clusters for site in sites]
    present = {grammar.motifs[site.motif].id for site in sites if not any(site is gone for gone in without)}
    if not without:
        present.add(grammar.arrangements[variant.arrangement].name)
    return any(rule.holds(present) for rule in grammar.rules.values())


def _repressed_by(grammar: Grammar, variant: Variant, site: Site) -> bool:
    return not _holds(grammar, variant) and _holds(grammar, variant, (site,))


def _logic(grammar: Grammar, variant: Variant, one: Site, two: Site) -> str | None:
    """Return what the rules make of two sites: None where both are nothing to them in a negative sequence."""
    if not _holds(grammar, variant):
        return "and not" if _repressed_by(grammar, variant, one) or _repressed_by(grammar, variant, two) else None
    without_one, without_two = _holds(grammar, variant, (one,)), _holds(grammar, variant, (two,))
    if not without_one and not without_two:
        return "and"
    if without_one and without_two and not _holds(grammar, variant, (one, two)):
        return "or"
    return "beside"
