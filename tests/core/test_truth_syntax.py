"""Recovery of syntax: rules, orders, orientations and spacings of pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cislens.motif import Motif
from cislens.truth.motif_recovery import Match, motif_recovery
from cislens.truth.syntax_recovery import ASPECTS, SyntaxRecovery, syntax_recovery

COLUMNS = ["motif_1", "motif_2", "order", "orientation", "spacing", "logic", "support"]
ITSELF = {name: Match(name, False, 0, 0) for name in "abcd"}


def table(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


# Half of the positives hold a before b, 4 bp between them; half b, on the other strand, 6 bp before a.
TRUE = table(("a", "b", "1-2", "++", 4, "and", 0.5), ("a", "b", "2-1", "+-", 6, "and", 0.5))


def compared(found: pd.DataFrame, true: pd.DataFrame = TRUE, symmetric=(), matches=ITSELF) -> SyntaxRecovery:
    return syntax_recovery(found, true, matches, symmetric)


def overlaps(result: SyntaxRecovery) -> list[float]:
    return [result.overlap(aspect) for aspect in ASPECTS]


def test_the_true_syntax_recovers_itself() -> None:
    result = compared(TRUE)
    assert (result.rule_recall, result.rule_precision, result.extraneous) == (1, 1, 0)
    assert overlaps(result) == [1, 1, 1, 1]


def test_a_pair_that_was_not_found_recovers_nothing() -> None:
    result = compared(table())
    assert (result.rule_recall, result.extraneous) == (0, 0)
    assert np.isnan(result.rule_precision)
    assert overlaps(result) == [0, 0, 0, 0]


def test_where_no_pair_is_true_there_is_nothing_to_recall() -> None:
    result = compared(TRUE, table())
    assert np.isnan([result.rule_recall, *overlaps(result)]).all()
    assert (result.rule_precision, result.extraneous) == (0, 1)


def test_another_logic_is_a_wrong_rule_and_moves_no_overlap() -> None:
    result = compared(TRUE.assign(logic="or"))
    assert (result.rule_recall, result.rule_precision) == (0, 0)
    assert overlaps(result) == [1, 1, 1, 1]


def test_the_logic_with_most_support_is_the_pairs() -> None:
    for support, right in ((0.4, 1), (0.6, 0)):
        found = pd.concat([TRUE.iloc[:1].assign(support=0.5), TRUE.iloc[:1].assign(logic="or", support=support)])
        assert compared(found).rule_recall == right


def test_a_spacing_that_is_off_by_one_moves_spacing_and_arrangement_by_its_share() -> None:
    result = compared(TRUE.assign(spacing=[5, 6]))
    assert overlaps(result) == [1, 1, 0.5, 0.5]
    assert result.rule_recall == 1


def test_a_wrong_strand_moves_orientation_and_arrangement_by_its_share() -> None:
    assert overlaps(compared(TRUE.assign(orientation=["+-", "+-"]))) == [1, 0.5, 1, 0.5]


def test_a_wrong_order_moves_order_and_arrangement_by_its_share() -> None:
    assert overlaps(compared(TRUE.assign(order=["2-1", "2-1"]))) == [0.5, 1, 1, 0.5]


def test_spacings_in_wrong_orientations_move_the_arrangement_alone() -> None:
    assert overlaps(compared(TRUE.assign(spacing=[6, 4]))) == [1, 1, 1, 0]


def test_shares_that_differ_overlap_by_the_smaller_ones() -> None:
    assert overlaps(compared(TRUE.assign(support=[0.2, 0.6]))) == pytest.approx([0.75] * 4)


def test_support_that_is_unknown_counts_alike() -> None:
    assert overlaps(compared(TRUE.assign(support=np.nan))) == [1, 1, 1, 1]


def test_a_pair_may_be_given_the_other_way_round_and_on_the_other_strand() -> None:
    other_way = table(("b", "a", "2-1", "++", 4, "and", 0.5), ("b", "a", "2-1", "+-", 6, "and", 0.5))
    other_strand = table(("a", "b", "2-1", "--", 4, "and", 0.5), ("a", "b", "1-2", "-+", 6, "and", 0.5))
    for found in (other_way, other_strand):
        assert overlaps(compared(found)) == [1, 1, 1, 1]
        assert compared(found).rule_precision == 1


def test_the_other_way_round_and_not_is_another_rule() -> None:
    true = table(("a", "b", "any", "any", np.nan, "and not", 1.0))
    assert compared(true, true).rule_recall == 1
    assert compared(table(("b", "a", "any", "any", np.nan, "and not", 1.0)), true).rule_recall == 0


def test_any_is_every_order_and_orientation_alike() -> None:
    true = table(("a", "b", "any", "any", np.nan, "and", 1.0))
    each = table(*(("a", "b", o, s, 3, "and", 0.25) for o in ("1-2", "2-1") for s in ("++", "+-")))
    result = compared(each, true)
    assert [result.overlap("order"), result.overlap("orientation")] == [1, 1]
    assert np.isnan([result.overlap("spacing"), result.overlap("arrangement")]).all()
    one = compared(each.iloc[:1], true)
    assert [one.overlap("order"), one.overlap("orientation")] == [0.5, 0.5]


def test_a_spacing_that_was_not_said_is_none_of_the_true_ones() -> None:
    assert compared(TRUE.assign(spacing=np.nan)).overlap("spacing") == 0


def test_a_further_pair_moves_rule_precision_alone() -> None:
    further = table(("c", "d", "1-2", "++", 4, "and", 0.5), ("d", "c", "2-1", "++", 5, "and", 0.5))
    result = compared(pd.concat([TRUE, further]))
    assert (result.rule_recall, result.rule_precision, result.extraneous) == (1, 1 / 2, 1)
    assert overlaps(result) == [1, 1, 1, 1]


def test_a_pair_of_a_motif_that_is_none_of_the_truths_is_extraneous() -> None:
    result = compared(pd.concat([TRUE, TRUE.assign(motif_2="noise")]))
    assert (result.rule_precision, result.extraneous) == (1 / 2, 1)


def test_pairs_beside_each_other_need_not_be_found_but_are_no_rule() -> None:
    beside = pd.concat([TRUE, table(("a", "c", "any", "any", np.nan, "beside", 0.5))])
    assert (compared(TRUE, beside).rule_recall, compared(TRUE, beside).rule_precision) == (1, 1)
    assert compared(beside, beside).rule_precision == 1
    wrong = beside.assign(logic="and")
    assert (compared(wrong, beside).rule_recall, compared(wrong, beside).rule_precision) == (1, 1 / 2)


def test_the_strand_of_a_palindrome_is_not_compared_and_its_order_is_that_beside_the_other_motif() -> None:
    # b is a palindrome: after a is after a, whatever strand b is said to be on.
    assert overlaps(compared(TRUE.assign(orientation=["+-", "++"]), symmetric={"b"})) == [1, 1, 1, 1]
    # a is one: "a+ before b+" and "b- before a+" are one thing said on two strands, and so are TRUE's rows said so.
    said = table(("a", "b", "2-1", "+-", 4, "and", 0.5), ("a", "b", "1-2", "++", 6, "and", 0.5))
    assert overlaps(compared(said, symmetric={"a"})) == [1, 1, 1, 1]
    # Of two palindromes neither comes first.
    assert overlaps(compared(TRUE.assign(order=["2-1", "1-2"]), symmetric={"a", "b"})) == [1, 1, 1, 1]


def test_a_pair_of_one_motif_has_two_orders_of_names_but_one_arrangement() -> None:
    facing = table(("a", "a", "1-2", "+-", 4, "and", 1.0))
    assert overlaps(compared(table(("a", "a", "1-2", "++", 4, "and", 1.0)), facing))[1] == 0
    same = table(("a", "a", "1-2", "++", 4, "and", 1.0))
    assert overlaps(compared(same.assign(order="2-1"), same)) == [1, 1, 1, 1]


# ---- through the match of motifs -------------------------------------------------------------------------


def motif(name: str, text: str) -> Motif:
    return Motif(name, np.eye(4)[["ACGT".index(base) for base in text]])


def calls(sites: list[tuple[str, int, str, int]]) -> pd.DataFrame:
    """The row that an explainer would write of two sites: (motif, start, strand, width), in the order of names."""
    (one, start, strand, width), (two, other, second, wide) = sites
    order, spacing = ("1-2", other - start - width) if start < other else ("2-1", start - other - wide)
    return table((one, two, order, strand + second, spacing, "and", 1.0))


@pytest.mark.parametrize("first", ["+", "-"])
@pytest.mark.parametrize("second", ["+", "-"])
@pytest.mark.parametrize("place", [30, 0])
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
def test_motifs_found_in_part_and_turned_give_the_true_orientation_and_spacing(first, second, place, turned) -> None:
    whole = {"a": motif("a", "GGAAGTGACC"), "b": motif("b", "CCACTAGGTGGCG")}
    cut = {"a": (2, 9), "b": (1, 10)}
    true = calls([("a", 15, first, 10), ("b", place, second, 13)])
    found, sites = [], []
    for name, start, strand, flip in (("a", 15, first, turned[0]), ("b", place, second, turned[1])):
        low, high = cut[name]
        part = Motif(f"found {name}", whole[name].matrix[low:high])
        found.append(part.reverse_complement() if flip else part)
        begin = start + (low if strand == "+" else len(whole[name]) - high)
        seen = strand if not flip else "+-"[strand == "+"]
        sites.append((part.id, begin, seen, high - low))
    matches = motif_recovery(found, list(whole.values())).matches
    assert overlaps(syntax_recovery(calls(sites), true, matches)) == [1, 1, 1, 1]
