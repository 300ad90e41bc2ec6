"""What a grammar says of pairs of motifs, as a table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cislens.motif import Motif
from cislens.simulation import Arrangement, Grammar, load_grammar, simulate
from cislens.simulation.layout import parse_layout
from cislens.simulation.syntax import syntax_of
from cislens.truth import Rule

Row = tuple[str, str, str, str, float, str, float]


def grammar(planted: dict[str, tuple[str | list[str], float]], rule: str, **choices: Any) -> Grammar:
    motifs = tuple(Motif(name, np.full((4, 4), 0.25)) for name in "abc")
    arrangements = tuple(
        Arrangement(name, tuple(map(parse_layout, [layout] if isinstance(layout, str) else layout)), weight)
        for name, (layout, weight) in planted.items()
    )
    return Grammar("pairs", motifs, arrangements, {"rule": Rule(rule)}, length=60, spurious="kept", **choices)


def rows(of: Grammar) -> set[Row]:
    """Return the table's rows, supports to nine digits, a spacing that does not matter as -1."""
    table = syntax_of(of)
    assert not table.duplicated().any()
    return {
        (
            r.motif_1,
            r.motif_2,
            r.order,
            r.orientation,
            -1 if math.isnan(r.spacing) else r.spacing,
            r.logic,
            round(r.support, 9),
        )
        for r in table.itertuples()
    }


def test_cooperative_motifs_are_both_needed() -> None:
    assert rows(load_grammar("mem_cooperative_strong")) == {("a", "b", "any", "++", -1, "and", 1.0)}


def test_of_redundant_motifs_either_is_enough() -> None:
    expected = {("a", "b", "any", "++", -1, "or", round(1 / 3, 9))}
    assert rows(load_grammar("mem_redundant_strong")) == expected


def test_a_repressor_comes_second_and_counts_among_the_negatives() -> None:
    expected = {("a", "b", "any", "++", -1, "and not", round(1 / 3, 9))}
    assert rows(load_grammar("mem_repressive_strong")) == expected
    turned = grammar({"yes": ("b", 1), "no": ("a [3] b", 1)}, "b and not a")
    assert rows(turned) == {("b", "a", "2-1", "++", 3, "and not", 1.0)}


def test_a_motif_that_no_rule_asks_for_stands_beside_the_one_that_counts() -> None:
    share = round(0.9 / 31, 9)
    expected = {("e2f6", "max", "1-2", "++", float(gap), "beside", share) for gap in range(30, 61)}
    assert rows(load_grammar("argminn_e2f6_max")) == expected


def test_spacings_of_rest_share_the_positives() -> None:
    expected = {("left", "right", "1-2", "++", float(g), "and", round(1 / 7, 9)) for g in (2, 6, 7, 8, 9, 10, 11)}
    assert rows(load_grammar("argminn_rest")) == expected


def test_an_arrangement_that_is_the_rule_needs_both_its_motifs() -> None:
    assert rows(load_grammar("argminn_rest_expressivity")) == {("left", "right", "1-2", "++", 10, "and", 1.0)}


def test_repression_at_a_spacing_shares_the_negatives() -> None:
    expected = {("spi1", "ctcf", "1-2", "++", float(gap), "and not", round(1 / 6, 9)) for gap in (30, 40, 50)}
    assert rows(load_grammar("argminn_spi1_ctcf")) == expected


@pytest.mark.parametrize(
    ("layout", "order", "orientation"),
    [
        ("a+ [5] b+", "1-2", "++"),
        ("a- [5] b-", "2-1", "++"),
        ("a+ [5] b-", "1-2", "+-"),
        ("a- [5] b+", "2-1", "+-"),
        ("b+ [5] a+", "2-1", "++"),
        ("b- [5] a-", "1-2", "++"),
        ("b+ [5] a-", "1-2", "+-"),
        ("b- [5] a+", "2-1", "+-"),
    ],
)
def test_pairs_read_on_the_strand_on_which_the_first_motif_reads_forward(
    layout: str, order: str, orientation: str
) -> None:
    assert rows(grammar({"yes": (layout, 1), "no": ("", 1)}, "a and b")) == {
        ("a", "b", order, orientation, 5, "and", 1)
    }


def test_a_pair_and_its_other_strand_are_one() -> None:
    both = grammar({"yes": (["a [5] b", "b- [5] a-"], 1), "no": ("", 1)}, "a and b")
    assert rows(both) == {("a", "b", "1-2", "++", 5, "and", 1)}


def test_pairs_of_one_motif_and_their_other_strand_are_one() -> None:
    layouts = ["a+ [3] a+", "a- [3] a-", "a+ [3] a-", "a- [3] a+"]
    assert rows(grammar({"yes": (layouts, 1), "no": ("", 1)}, "yes")) == {
        ("a", "a", "1-2", "++", 3, "and", 0.5),
        ("a", "a", "1-2", "+-", 3, "and", 0.25),
        ("a", "a", "2-1", "+-", 3, "and", 0.25),
    }


def test_motifs_in_order_at_any_distance_have_an_order_but_no_spacing() -> None:
    ordered = grammar({"yes": ("b? .. a", 1), "no": ("", 1)}, "a and b")
    assert rows(ordered) == {("a", "b", "2-1", "++", -1, "and", 0.5), ("a", "b", "2-1", "+-", -1, "and", 0.5)}


def test_each_pair_of_three_motifs_has_its_own_logic() -> None:
    three = grammar({"yes": ("a [1] b & c", 1), "some": ("a [1] b", 2), "no": ("c", 1)}, "a and b")
    assert rows(three) == {
        ("a", "b", "1-2", "++", 1, "and", 1.0),
        ("a", "c", "any", "++", -1, "beside", round(1 / 3, 9)),
        ("b", "c", "any", "++", -1, "beside", round(1 / 3, 9)),
    }


def test_the_spacing_of_motifs_with_one_between_them_counts_what_lies_between() -> None:
    three = grammar({"yes": ("a [1] b [2] c", 1), "no": ("", 1)}, "a and c")
    assert ("a", "c", "1-2", "++", 7, "and", 1.0) in rows(three)


def test_pairs_that_are_nothing_to_the_rules_are_left_out() -> None:
    assert rows(grammar({"yes": ("a", 1), "no": ("b & c", 1)}, "a")) == set()


def test_supports_are_the_shares_counted_in_a_simulated_set() -> None:
    mixed = grammar({"yes": ("a [2..4] b?", 3), "apart": ("a & b", 1), "no": ("a", 2)}, "a and b")
    truth = simulate(mixed, n=4096)
    assert truth.syntax is not None
    positives = int(truth.labels.sum())
    spaced = truth.syntax[truth.syntax["spacing"].notna()]
    assert len(spaced) == 6
    chosen = [i for i, name in enumerate(truth.arrangements) if name == "yes"]
    table = truth.take(chosen).instances
    for row in spaced.itertuples():
        first, second = table.iloc[::2].reset_index(), table.iloc[1::2].reset_index()
        same = (second["strand"] == "+") if row.orientation == "++" else (second["strand"] == "-")
        found = int((same & (second["start"] - first["end"] == row.spacing)).sum())
        # Five standard errors of a binomial share.
        assert abs(found / positives - row.support) < 5 * math.sqrt(row.support / positives)


def test_an_arrangement_of_weight_zero_is_no_part_of_the_grammar() -> None:
    off = grammar({"yes": ("a [2] b", 0), "no": ("", 1)}, "a and b")
    assert rows(off) == set()
    assert off.positive_share == 0
    assert set(simulate(off, n=30).arrangements) == {"no"}
