"""Rules, and what a truth says of its sequences."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.sequences import Sequences
from cislens.truth import Rule, Truth

LENGTH = 30
MOTIFS = (Motif("a", np.eye(4)), Motif("b", np.eye(4)), Motif("c", np.eye(4)))


def subsets(names: str) -> list[frozenset[str]]:
    return [frozenset(s) for s in chain.from_iterable(combinations(names, k) for k in range(len(names) + 1))]


def truth(rules: dict[str, str], *held: str, arrangements: tuple[str, ...] = ()) -> Truth:
    """One sequence for each text: the motifs that it holds, 4 bp each, 2 bp between them."""
    rows = [
        (motif, f"seq{i}", 6 * k + 1, 6 * k + 5, "+", 1.0)
        for i, text in enumerate(held)
        for k, motif in enumerate(text)
    ]
    table = pd.DataFrame(rows, columns=["motif", "sequence", "start", "end", "strand", "score"])
    parsed = {name: Rule(text) for name, text in rules.items()}
    present = [set(text) | set(arrangements[i : i + 1]) for i, text in enumerate(held)]
    labels = np.array([any(rule.holds(names) for rule in parsed.values()) for names in present], bool)
    sequences = Sequences.from_onehot(np.zeros((len(held), LENGTH, 4), np.uint8))
    return Truth(sequences, labels, table, MOTIFS, parsed, arrangements)


# ---- rules -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["a", "not a", "a and b", "a or b and c", "(a or b) and c", "a and not (b or c)", "not (a and b) or c"]
)
def test_a_rule_means_what_python_means_by_it(text: str) -> None:
    for present in subsets("abc"):
        assert Rule(text).holds(present) == eval(text, {name: name in present for name in "abc"})


def test_the_names_of_a_rule_come_in_the_order_of_their_first_mention() -> None:
    assert Rule("b and (a or not b) and c").names == ("b", "a", "c")


@pytest.mark.parametrize("text", ["", "a &", "a & b", "a > b", "1", "a b", "a.b", "f(a)", "a if b else c", "'a'"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(CislensError, match=r"a rule must be names joined by and, or, not and brackets.*got "):
        Rule(text)


# ---- explanations --------------------------------------------------------------------------------------------


def by_definition(known: Truth, i: int, meaning: str) -> set[frozenset[int]]:
    """All subsets of a sequence's instances that explain its label, and of these the smallest."""
    motifs = list(known.instances_of(i)["motif"])
    rows = frozenset(range(len(motifs)))
    explaining = []
    for chosen in map(frozenset, chain.from_iterable(combinations(rows, k) for k in range(len(rows) + 1))):
        kept = chosen if meaning == "sufficient" else rows - chosen
        positive = any(rule.holds({motifs[row] for row in kept}) for rule in known.rules.values())
        if (positive == known.labels[i]) == (meaning == "sufficient"):
            explaining.append(chosen)
    return {one for one in explaining if not any(other < one for other in explaining)}


@given(
    st.sampled_from(["a", "a and b", "a or b", "a and not b", "(a or b) and not c"]),
    st.lists(st.text("abc", max_size=4), min_size=1, max_size=3),
    st.sampled_from(["sufficient", "necessary"]),
)
def test_explanations_are_the_smallest_sets_that_explain(rule: str, held: list[str], meaning) -> None:
    known = truth({"rule": rule}, *held)
    for i in range(len(held)):
        assert set(known.explanations(i, meaning)) == by_definition(known, i, meaning)


def test_masks_cover_the_instances_of_each_explanation() -> None:
    known = truth({"rule": "a or b"}, "c", "ab")
    expected = np.zeros((2, LENGTH), bool)
    expected[0, 1:5] = expected[1, 7:11] = True
    np.testing.assert_array_equal(known.masks(1, "sufficient"), expected)
    np.testing.assert_array_equal(known.masks(1, "necessary"), expected.any(0, keepdims=True))
    assert known.masks(0, "necessary").shape == (0, LENGTH)


def test_an_arrangement_holds_only_while_all_its_motifs_are_there() -> None:
    known = truth({"pair": "near"}, "ab", "ab", arrangements=("near", "far"))
    assert known.labels.tolist() == [True, False]
    assert known.explanations(0, "sufficient") == (frozenset({0, 1}),)
    assert known.explanations(0, "necessary") == (frozenset({0}), frozenset({1}))
    assert [known.rule(i) for i in range(2)] == ["pair", ""]


# ---- the rest ------------------------------------------------------------------------------------------------


def test_relevant_are_the_motifs_of_rules_and_of_their_arrangements() -> None:
    assert truth({"rule": "b and not a"}, "abc").relevant == ("a", "b")
    assert truth({"rule": "near"}, "ab", "c", arrangements=("near", "far")).relevant == ("a", "b")
    assert truth({}, "abc").relevant == ()


def test_covered_positions_are_those_of_instances() -> None:
    covered = truth({"rule": "a"}, "", "ab").covered()
    assert not covered[0].any()
    assert np.flatnonzero(covered[1]).tolist() == [1, 2, 3, 4, 7, 8, 9, 10]


@pytest.mark.parametrize("index", [[2, 0], slice(1, 3), np.array([True, False, True, False]), []])
def test_some_sequences_keep_what_is_known_of_them_in_the_new_order(index) -> None:
    known = truth({"rule": "a"}, "a", "b", "ca", "", arrangements=("w", "x", "y", "z"))
    taken, rows = known.take(index), np.arange(4)[index]
    assert taken.sequences.ids == tuple(f"seq{i}" for i in rows)
    assert taken.arrangements == tuple("wxyz"[i] for i in rows)
    np.testing.assert_array_equal(taken.labels, known.labels[rows])
    for new, old in enumerate(rows):
        pd.testing.assert_frame_equal(
            taken.instances_of(new).reset_index(drop=True), known.instances_of(old).reset_index(drop=True)
        )


def test_parts_that_do_not_fit_are_refused() -> None:
    known = truth({"rule": "a"}, "a", "b")
    sequences, labels, table = known.sequences, known.labels, known.instances
    with pytest.raises(CislensError, match=r"a label and an arrangement of each of its 2 sequences, got \(1,\) labels"):
        Truth(sequences, labels[:1], table, MOTIFS)
    with pytest.raises(CislensError, match="instances must have the columns motif, sequence"):
        Truth(sequences, labels, table.drop(columns="score"), MOTIFS)
    with pytest.raises(CislensError, match="instances must be of the truth's motifs, got the motif 'a'"):
        Truth(sequences, labels, table, MOTIFS[2:])
    with pytest.raises(CislensError, match="instances must lie in the truth's sequences, got one in 'elsewhere'"):
        Truth(sequences, labels, table.assign(sequence="elsewhere"), MOTIFS).instances_of(0)
    with pytest.raises(CislensError, match="instances must be in the order of the sequences"):
        Truth(sequences, labels, table[::-1], MOTIFS).instances_of(0)
