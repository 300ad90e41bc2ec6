"""Whether the rules, orders, orientations and spacings of motif pairs were found."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from cislens.truth.motif_recovery import Match

if TYPE_CHECKING:
    import pandas as pd

ORDERS = ("1-2", "2-1")
BESIDE = "beside"
ORIENTATIONS = ("++", "+-", "-+", "--")
# Of each aspect, what of (order, orientation, spacing) it holds.
ASPECTS = {"order": (0,), "orientation": (1,), "spacing": (2,), "arrangement": (0, 1, 2)}
Shares = dict[tuple[object, ...], float]


@dataclass(frozen=True, eq=False)
class SyntaxRecovery:
    """Hold how what was said of motif pairs agrees with what is true.

    Parameters
    ----------
    pairs
        Table, one row for each true pair: motif_1, motif_2, logic, found_logic ("" where the pair was not found), rule
        (whether they agree), and for order, orientation, spacing and arrangement (the three together) the overlap of
        the two distributions, 0 to 1; NaN for spacing and arrangement where any spacing will do.
    extraneous
        How many pairs were found that are not true ones, or of which a motif is none of the truth's.
    """

    pairs: pd.DataFrame
    extraneous: int

    @property
    def asked(self) -> pd.DataFrame:
        """The pairs that a rule speaks of: an explainer need not find motifs that only stand beside each other."""
        return self.pairs[self.pairs["logic"] != BESIDE]

    @property
    def rule_recall(self) -> float:
        """Share of the pairs asked that were found with the right logic; NaN where there are none."""
        return float(self.asked["rule"].mean()) if len(self.asked) else math.nan

    @property
    def rule_precision(self) -> float:
        """Share of the pairs found that are true and have the right logic; NaN where none was found."""
        found = int((self.pairs["found_logic"] != "").sum()) + self.extraneous
        return float(self.pairs["rule"].sum()) / found if found else math.nan

    def overlap(self, aspect: str) -> float:
        """Return the mean overlap of an aspect's distributions over the pairs asked; NaN where there is none."""
        known = self.asked[aspect].dropna()
        return float(known.mean()) if len(known) else math.nan


class _Row(NamedTuple):
    """One row of a syntax table."""

    pair: tuple[str, str]
    order: str
    orientation: str
    spacing: float
    logic: str
    support: float

    def swapped(self) -> _Row:
        """Return the same said of the pair the other way round, on the same strand."""
        order = self.order if self.order == "any" else _other(self.order)
        orientation = self.orientation if self.orientation == "any" else self.orientation[::-1]
        logic = "not and" if self.logic == "and not" else self.logic
        return self._replace(pair=self.pair[::-1], order=order, orientation=orientation, logic=logic)


def syntax_recovery(
    found: pd.DataFrame, true: pd.DataFrame, matches: Mapping[str, Match], symmetric: Collection[str] = ()
) -> SyntaxRecovery:
    """Compare a report's table of syntax with a truth's.

    The motifs found are read as those that they are matched to: where a match is the reverse complement its strand is
    turned, and the spacing becomes that between the true motifs' ends ("any" order and orientation read as "1-2" and
    "++" for this). A pair may be given either way round, and as it reads on either strand. The logic of a pair is the
    one with the most support. Of order, orientation, spacing and the three together the rows of a pair are a
    distribution, each row weighed by its support (all alike if none has any); two distributions overlap by the sum of
    the smaller shares: 1 is the same and 0 disjoint. "any" is every order or orientation alike. A pair that was not
    found overlaps by 0.

    Parameters
    ----------
    found, true
        Tables with the columns and conventions of `Truth.syntax`.
    matches
        By id of a found motif, what it is: `MotifRecovery.matches`.
    symmetric
        Ids of true motifs that are their own reverse complement: their strand is not compared.
    """
    import pandas as pd

    truths = _by_pair(_rows(true), {})
    mapped = [(row, _as_true(row, matches)) for row in _rows(found)]
    calls = _by_pair([read for _, read in mapped if read], truths)
    unknown = {frozenset(row.pair) for row, read in mapped if read is None}
    columns = ("motif_1", "motif_2", "logic", "found_logic", "rule", *ASPECTS)
    pairs = [(*pair, *_compared(calls.get(pair, []), rows, symmetric)) for pair, rows in truths.items()]
    return SyntaxRecovery(pd.DataFrame(pairs, columns=list(columns)), len(unknown) + len(calls.keys() - truths.keys()))


def _rows(table: pd.DataFrame) -> list[_Row]:
    names = ("motif_1", "motif_2", "order", "orientation", "spacing", "logic", "support")
    return [
        _Row((str(one), str(two)), str(order), str(orientation), float(spacing), str(logic), float(support))
        for one, two, order, orientation, spacing, logic, support in zip(*(table[n] for n in names), strict=True)
    ]


def _by_pair(rows: Iterable[_Row], known: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[_Row]]:
    """Return the rows of each pair, the pair the way round in which it is known, or else first came."""
    pairs: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        turned = row.pair[::-1]
        if row.pair not in known and row.pair not in pairs and (turned in known or turned in pairs):
            row = row.swapped()
        pairs.setdefault(row.pair, []).append(row)
    return pairs


def _as_true(row: _Row, matches: Mapping[str, Match]) -> _Row | None:
    """Return a row as said of the motifs that are matched, None where one is matched to none."""
    if not all(motif in matches for motif in row.pair):
        return None
    one, two = (matches[motif] for motif in row.pair)
    strands = "++" if row.orientation == "any" else row.orientation
    turned = "".join(_turned(strand) if m.reverse else strand for strand, m in zip(strands, (one, two), strict=True))
    left, right = (0, 1) if row.order != "2-1" else (1, 0)
    sides = (one, two)
    beyond = sides[left].after if turned[left] == "+" else sides[left].before
    beyond += sides[right].before if turned[right] == "+" else sides[right].after
    orientation = row.orientation if row.orientation == "any" else turned
    return row._replace(pair=(one.motif, two.motif), orientation=orientation, spacing=row.spacing - beyond)


def _turned(strands: str) -> str:
    return strands.translate(str.maketrans("+-", "-+"))


def _other(order: str) -> str:
    return ORDERS[order == ORDERS[0]]


def _compared(found: list[_Row], true: list[_Row], symmetric: Collection[str]) -> tuple[object, ...]:
    """Return logic, found logic, whether they agree, and the overlaps, for the rows of one pair."""
    logic, found_logic = _logic(true), _logic(found)
    expected, seen = _shares(true, symmetric), _shares(found, symmetric)
    any_spacing = any(math.isnan(row.spacing) for row in true)
    overlaps = [
        math.nan if any_spacing and 2 in held else _overlap(_marginal(expected, held), _marginal(seen, held))
        for held in ASPECTS.values()
    ]
    return (logic, found_logic, logic == found_logic, *overlaps)


def _logic(rows: list[_Row]) -> str:
    """Return the logic with the most support, the first of equal ones; "" of no rows."""
    support: dict[str, float] = {}
    for row, weight in zip(rows, _weights(rows), strict=True):
        support[row.logic] = support.get(row.logic, 0) + weight
    return max(support, key=lambda logic: support[logic], default="")


def _weights(rows: list[_Row]) -> list[float]:
    support = [row.support if row.support > 0 else 0.0 for row in rows]
    weights = support if any(support) else [1.0] * len(rows)
    total = sum(weights)
    return [weight / total for weight in weights]


def _shares(rows: list[_Row], symmetric: Collection[str]) -> Shares:
    """Return the share of each order, orientation and spacing ("any" spacing is one of its own)."""
    shares: Shares = {}
    for row, weight in zip(rows, _weights(rows), strict=True):
        orders = ORDERS if row.order == "any" else (row.order,)
        orientations = ORIENTATIONS if row.orientation == "any" else (row.orientation,)
        spacing = "any" if math.isnan(row.spacing) else row.spacing
        for order, strands in product(orders, orientations):
            key = (*_one_reading(row.pair, order, strands, symmetric), spacing)
            shares[key] = shares.get(key, 0) + weight / (len(orders) * len(orientations))
    return shares


def _one_reading(pair: tuple[str, str], order: str, strands: str, symmetric: Collection[str]) -> tuple[str, str]:
    """Return the one order and orientation of all that say the same.

    A pair reads on either strand, a motif that is its own reverse complement has none, and the motifs of a pair of one
    motif may change names.
    """
    blurred = "".join("*" if motif in symmetric else strand for motif, strand in zip(pair, strands, strict=True))
    readings = {(order, blurred), (_other(order), _turned(blurred))}
    if pair[0] == pair[1]:
        readings |= {(_other(order), strands[::-1]) for order, strands in readings}
    return min(readings, key=lambda reading: (reading[1], reading[0]))


def _marginal(shares: Shares, held: tuple[int, ...]) -> Shares:
    kept: Shares = {}
    for key, share in shares.items():
        part = tuple(key[i] for i in held)
        kept[part] = kept.get(part, 0) + share
    return kept


def _overlap(one: Shares, two: Shares) -> float:
    return min(1.0, sum(min(share, two.get(key, 0)) for key, share in one.items()))
