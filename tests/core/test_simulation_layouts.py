"""Layouts: what their text says, and that every way to place them is as likely as every other."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.simulation import Arrangement, Grammar, Simulator
from cislens.simulation.layout import Cluster, Element, Layout, parse_layout
from cislens.simulation.placing import placements, sample_starts
from cislens.truth import Rule

# A fair draw fails a test of this level once in ten thousand seeds; the seeds are fixed.
LEVEL = 1e-4
WIDTHS = {"a": 2, "b": 3}
DRAWS = 6000


def tiny(layout: str | list[str], length: int = 9, **choices: Any) -> Grammar:
    layouts = tuple(map(parse_layout, [layout] if isinstance(layout, str) else layout))
    motifs = tuple(Motif(name, np.full((width, 4), 0.25)) for name, width in WIDTHS.items())
    rules = {"rule": Rule("planted")}
    return Grammar("tiny", motifs, (Arrangement("planted", layouts),), rules, length, spurious="kept", **choices)


def planted(grammar: Grammar, n: int = DRAWS) -> Counter[tuple[tuple[str, int, str], ...]]:
    """Return how often each set of planted motifs, with start and strand, was drawn."""
    drawn = Simulator(grammar).draw(n, np.random.default_rng(7))
    held: list[list[tuple[str, int, str]]] = [[] for _ in range(n)]
    for row, motif, (start, _), reverse in zip(drawn.rows, drawn.motifs, drawn.spans, drawn.reverse, strict=True):
        held[row].append((grammar.motifs[motif].id, int(start), "-" if reverse else "+"))
    return Counter(tuple(sorted(one)) for one in held)


def assert_equally_likely(found: Counter[Any], expected: set[Any]) -> None:
    assert set(found) <= expected
    assert chisquare([found[one] for one in expected]).pvalue > LEVEL


def pairs(*strands: str, ordered: bool = False, length: int = 9) -> set[tuple[tuple[str, int, str], ...]]:
    """List every way in which a (2 bp) and b (3 bp) stand apart in a sequence."""
    return {
        (("a", s, strand), ("b", t, "+"))
        for s, t, strand in product(range(length - 1), range(length - 2), strands)
        if s + 2 <= t or (t + 3 <= s and not ordered)
    }


def test_a_layout_reads_as_clusters_of_motifs_with_strands_and_spacings() -> None:
    assert parse_layout("left+ [2,6..8] right- & other?") == Layout(
        (
            Cluster((Element("left", "+"), Element("right", "-")), ((2, 6, 7, 8),)),
            Cluster((Element("other", "?"),)),
        )
    )


@pytest.mark.parametrize("text", ["a .. b", "a..b", "  a+   ..b+ "])
def test_two_dots_mean_an_order(text: str) -> None:
    assert parse_layout(text) == Layout((Cluster((Element("a"),)), Cluster((Element("b"),))), ordered=True)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_layout_plants_nothing(text: str) -> None:
    assert parse_layout(text) == Layout()
    assert parse_layout(text).motifs == frozenset()


def test_a_spacing_named_twice_counts_once() -> None:
    assert parse_layout("a [3,1..3,2] b").clusters[0].gaps == ((3, 1, 2),)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a b", "must hold motifs with a strand"),
        ("a [3]", "must end with a motif"),
        ("a &", "must end with a motif"),
        ("& a", "must hold motifs with a strand"),
        ("[3] a", "must hold motifs with a strand"),
        ("a [3] [4] b", "must hold motifs with a strand"),
        ("a & b .. c", "got both"),
        ("a [] b", "numbers or ranges"),
        ("a [4..2] b", "numbers or ranges"),
        ("a [-1] b", "numbers or ranges"),
        ("a [1.5] b", "numbers or ranges"),
        ("a [x] b", "numbers or ranges"),
        ("a * b", "must hold motifs with a strand"),
        ("3a", "must hold motifs with a strand"),
        ("a+-", "must hold motifs with a strand"),
    ],
)
def test_what_is_no_layout_is_told_with_its_text(text: str, complaint: str) -> None:
    with pytest.raises(CislensError, match=complaint) as caught:
        parse_layout(text)
    assert repr(text) in str(caught.value)


def test_a_motif_alone_stands_at_each_place_as_often() -> None:
    assert_equally_likely(planted(tiny("a")), {(("a", s, "+"),) for s in range(8)})


def test_a_motif_stands_within_the_centre_only() -> None:
    assert_equally_likely(planted(tiny("a", length=20, centre=7)), {(("a", s, "+"),) for s in range(6, 12)})


def test_a_question_mark_is_either_strand_as_often() -> None:
    assert_equally_likely(planted(tiny("a?")), {(("a", s, strand),) for s in range(8) for strand in "+-"})


def test_motifs_joined_by_and_stand_apart_in_either_order_each_way_as_often() -> None:
    assert_equally_likely(planted(tiny("a & b")), pairs("+"))


def test_motifs_joined_by_two_dots_keep_their_order_each_way_as_often() -> None:
    assert_equally_likely(planted(tiny("a? .. b")), pairs("+", "-", ordered=True))


def test_equal_motifs_joined_by_and_stand_apart_each_way_as_often() -> None:
    expected = {(("a", s, "+"), ("a", t, "+")) for s in range(8) for t in range(s + 2, 8)}
    assert_equally_likely(planted(tiny("a & a")), expected)


def test_a_pair_with_a_spacing_takes_each_spacing_as_often_and_then_each_place() -> None:
    found = planted(tiny("a [0,2..3] b-", length=10))
    spacings: Counter[int] = Counter()
    for ((_, s, _), (_, t, strand)), count in found.items():
        assert strand == "-"
        spacings[t - s - 2] += count
    assert_equally_likely(spacings, {0, 2, 3})
    for gap in spacings:
        places = {(("a", s, "+"), ("b", s + 2 + gap, "-")) for s in range(10 - 5 - gap + 1)}
        assert_equally_likely(Counter({one: found[one] for one in places}), places)


def test_a_pair_with_a_spacing_and_a_third_motif_fill_a_room_of_one_way_each() -> None:
    expected = {
        (("a", 0, "+"), ("a", 6, "+"), ("b", 3, "+")),
        (("a", 0, "+"), ("a", 2, "+"), ("b", 5, "+")),
    }
    # a [1] b takes 6 bp, so that with another a nothing is left of 8.
    assert_equally_likely(planted(tiny("a [1] b & a", length=8)), expected)


def test_the_layouts_of_an_arrangement_are_drawn_as_often() -> None:
    found = planted(tiny(["a", "b-", "a-"]))
    kinds = Counter({kind: 0 for kind in (("a", "+"), ("b", "-"), ("a", "-"))})
    for ((name, _, strand),), count in found.items():
        kinds[name, strand] += count
    assert_equally_likely(kinds, set(kinds))


@pytest.mark.parametrize("layout", ["", "a", "a & b", "a .. b", "a [1] b & a", "a & a & b"])
@pytest.mark.parametrize("length", [8, 11])
def test_the_number_of_placements_is_that_of_an_enumeration(layout: str, length: int) -> None:
    grammar = tiny(layout, length=length)
    (variant,) = grammar.variants
    ways = 0
    for starts in product(range(length), repeat=len(variant.widths)):
        spans = [(start, start + width) for start, width in zip(starts, variant.widths, strict=True)]
        rising = not variant.ordered or list(starts) == sorted(starts)
        apart = all(left[1] <= right[0] for left, right in zip(sorted(spans), sorted(spans)[1:], strict=False))
        ways += rising and apart and all(end <= length for _, end in spans)
    assert placements(variant, length) == ways


def test_a_sampler_that_takes_one_motif_first_would_fail_the_test_of_equal_chances() -> None:
    """Placing a anywhere, then b where it still fits, is not the same: the test must see that."""
    rng = np.random.default_rng(7)
    found: Counter[Any] = Counter()
    for start in rng.integers(0, 8, DRAWS):
        free = [t for t in range(7) if start + 2 <= t or t + 3 <= start]
        found[("a", int(start), "+"), ("b", int(rng.choice(free)), "+")] += 1
    with pytest.raises(AssertionError):
        assert_equally_likely(found, pairs("+"))


def test_clusters_never_overlap_in_a_room_that_they_nearly_fill() -> None:
    (variant,) = tiny("a & b & a & b", length=11).variants
    starts = sample_starts(variant, 11, 2000, np.random.default_rng(0))
    covered = np.zeros((2000, 11), int)
    for start, width in zip(starts.T, variant.widths, strict=True):
        for offset in range(width):
            np.add.at(covered, (np.arange(2000), start + offset), 1)
    assert covered.max() == 1
