"""How motifs stand to each other: order, orientation and spacing, in one line of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from cislens.errors import CislensError

Strand = Literal["+", "-", "?"]
STRANDS: dict[str, Strand] = {"": "+", "+": "+", "-": "-", "?": "?"}
TOKEN = re.compile(r"\s*(?:(?P<motif>[A-Za-z_]\w*)(?P<strand>[+?-]?)|\[(?P<gap>[^\]]*)\]|(?P<join>&|\.\.))")
GAP = re.compile(r"(\d+)(?:\.\.(\d+))?")
FORM = (
    "motifs with a strand +, - or ?, the bp between two in brackets, '..' between motifs in this order at any "
    "distance, and '&' between motifs in any order, as in 'left+ [2,6..11] right-' or 'a & b?'"
)


@dataclass(frozen=True)
class Element:
    """Name a motif and the strand on which it reads; "?" is either, by chance."""

    motif: str
    strand: Strand = "+"


@dataclass(frozen=True)
class Cluster:
    """Hold motifs whose spacing is told: `gaps` gives the choices of bp between each two neighbours."""

    elements: tuple[Element, ...]
    gaps: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Layout:
    """Hold what is planted in a sequence together.

    Parameters
    ----------
    clusters
        Each is placed where it likes, none over another.
    ordered
        Whether they come in this order.
    """

    clusters: tuple[Cluster, ...] = ()
    ordered: bool = False

    @property
    def motifs(self) -> frozenset[str]:
        """Names of its motifs."""
        return frozenset(element.motif for cluster in self.clusters for element in cluster.elements)

    def concrete(self) -> Iterator[tuple[tuple[tuple[Element, ...], tuple[int, ...]], ...]]:
        """Yield every choice of strands and gaps, all equally likely: for each cluster its elements and its gaps."""
        per_cluster = []
        for cluster in self.clusters:
            elements = list(product(*map(_stranded, cluster.elements)))
            per_cluster.append(list(product(elements, product(*cluster.gaps))))
        yield from product(*per_cluster)


def parse_layout(text: str) -> Layout:
    """Read a layout; the empty text plants nothing.

    Raises
    ------
    CislensError
        If it is none.

    Examples
    --------
    >>> parse_layout("left+ [2,6..8] right-").clusters[0].gaps
    ((2, 6, 7, 8),)
    """
    clusters: list[tuple[list[Element], list[tuple[int, ...]]]] = []
    joins: set[str] = set()
    expected, gap = "motif", None
    for match in _tokens(text):
        kind = match.lastgroup if match.lastgroup != "strand" else "motif"
        if (kind == "motif") != (expected == "motif"):
            raise CislensError(f"a layout must hold {FORM}, got {text!r}")
        if kind == "gap":
            gap, expected = _choices(match["gap"], text), "motif"
        elif kind == "join":
            joins.add(match["join"])
            gap, expected = None, "motif"
        else:
            element = Element(match["motif"], STRANDS[match["strand"]])
            if gap is None:
                clusters.append(([element], []))
            else:
                clusters[-1][0].append(element)
                clusters[-1][1].append(gap)
            expected = "join"
    if clusters and expected == "motif":
        raise CislensError(f"a layout must end with a motif, got {text!r}")
    if len(joins) > 1:
        raise CislensError(f"a layout must join its parts by '&' alone or by '..' alone, got both in {text!r}")
    return Layout(tuple(Cluster(tuple(e), tuple(g)) for e, g in clusters), joins == {".."})


def _stranded(element: Element) -> tuple[Element, ...]:
    """Return an element on each strand that it may read on."""
    return (Element(element.motif, "+"), Element(element.motif, "-")) if element.strand == "?" else (element,)


def _tokens(text: str) -> Iterator[re.Match[str]]:
    place, text = 0, text.rstrip()
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None:
            raise CislensError(f"a layout must hold {FORM}, got {text!r}")
        yield match
        place = match.end()


def _choices(text: str, layout: str) -> tuple[int, ...]:
    chosen: list[int] = []
    for part in text.split(","):
        match = GAP.fullmatch(part.strip())
        if match is None or (match[2] and int(match[2]) < int(match[1])):
            raise CislensError(f"a spacing must hold numbers or ranges, as in [2,6..11], got [{text}] in {layout!r}")
        chosen += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(dict.fromkeys(chosen))
