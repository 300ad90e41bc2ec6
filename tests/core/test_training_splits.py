"""Splits at random and by chromosome."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cislens.errors import CislensError
from cislens.sequences import Region, Sequences
from cislens.training.splits import Parts, kin, leaks, split_at_random, split_by_chromosome, split_the_rest, twins

PLACES = [Region(f"chr{i % 5}", 10 * i, 10 * i + 4) for i in range(50)]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def side(parts: Parts) -> np.ndarray:
    """The part of each example by number; fails where one is in none or in two."""
    sides = np.full(sum(map(len, parts)), -1)
    for number, index in enumerate(parts):
        assert (sides[index] == -1).all()
        sides[index] = number
    assert (sides >= 0).all()
    return sides


def other_strand(text: str) -> str:
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text("ACGTN", min_size=3, max_size=3), min_size=1, max_size=40))
def test_twins_are_those_of_the_same_bases_on_either_strand_and_no_others(texts: list[str]) -> None:
    numbers = twins(Sequences.from_strings(texts, [str(i) for i in range(len(texts))]).onehot)
    for i, a in enumerate(texts):
        for j, b in enumerate(texts):
            assert (numbers[i] == numbers[j]) == (a == b or a == other_strand(b))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_kin_are_exactly_the_families_joined_by_twins(draw: st.DataObject) -> None:
    founders = draw.draw(st.lists(st.text("ACGT", min_size=2, max_size=2), min_size=2, max_size=12))
    children = draw.draw(
        st.lists(st.tuples(st.integers(0, len(founders) - 1), st.text("ACGT", min_size=2, max_size=2)), max_size=12)
    )
    texts = founders + [text for _, text in children]
    parents = np.array([*range(len(founders)), *(parent for parent, _ in children)])
    numbers = kin(Sequences.from_strings(texts, [str(i) for i in range(len(texts))]).onehot, parents)
    # An independent way: walk from each sequence to all that it touches.
    touching = [
        [j for j, b in enumerate(texts) if b in (a, other_strand(a)) or parents[i] == j or parents[j] == i]
        for i, a in enumerate(texts)
    ]
    for start in range(len(texts)):
        reached, waiting = {start}, [start]
        while waiting:
            new = set(touching[waiting.pop()]) - reached
            reached |= new
            waiting.extend(new)
        assert set(np.flatnonzero(numbers == numbers[start])) == reached


@settings(deadline=None, max_examples=100)
@given(groups=st.lists(st.integers(0, 30), min_size=60, max_size=200), seed=st.integers(0, 9))
def test_a_random_split_never_cuts_a_group(groups: list[int], seed: int) -> None:
    numbers = np.array([*groups, *range(100, 900)])  # enough of them alone that no part can come out empty
    sides = side(split_at_random(numbers, 0.2, 0.2, rng(seed)))
    assert all(len(set(sides[numbers == number])) == 1 for number in set(groups))


def test_without_groups_the_fractions_are_met_exactly() -> None:
    assert split_at_random(np.arange(1000), 0.1, 0.25, rng()).sizes() == {"train": 650, "validation": 100, "test": 250}


def test_the_same_seed_gives_the_same_split_and_another_another() -> None:
    first, again, other = (side(split_at_random(np.arange(100), 0.1, 0.1, rng(seed))).tolist() for seed in (3, 3, 4))
    assert first == again != other


def test_each_example_is_held_out_as_often_as_its_fraction_says() -> None:
    draws = 2000
    held = np.zeros(20)
    stream = rng()
    for _ in range(draws):
        held[split_at_random(np.arange(20), 0.2, 0.1, stream).validation] += 1
    # Five standard errors of a share of 0.2.
    assert np.abs(held / draws - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / draws)


def test_a_random_split_that_leaves_a_part_empty_is_refused() -> None:
    with pytest.raises(CislensError, match=r"validation and test would be empty \(3 examples in all\)"):
        split_at_random(np.zeros(3, int), 0.1, 0.1, rng())


def test_a_split_by_chromosome_holds_out_those_named_and_no_others() -> None:
    sides = side(split_by_chromosome(PLACES, ("chr1", "chr3"), ("chr4",)))
    expected = {"chr0": 0, "chr1": 1, "chr2": 0, "chr3": 1, "chr4": 2}
    assert sides.tolist() == [expected[place.chrom] for place in PLACES]


def test_a_chromosome_without_sequences_is_refused_with_those_there_are() -> None:
    with pytest.raises(CislensError, match=r"none on chrX: those of these data are chr0, chr1, chr2, chr3, chr4"):
        split_by_chromosome(PLACES, ("chr1", "chrX"), ("chr4",))


def test_sequences_without_coordinates_cannot_be_split_by_chromosome() -> None:
    with pytest.raises(CislensError, match=r"needs the coordinates of every sequence, but 1 of 51 have none"):
        split_by_chromosome([*PLACES, None], ("chr1",), ("chr2",))


def test_a_split_by_chromosome_must_leave_something_to_train_on() -> None:
    with pytest.raises(CislensError, match=r"train would be empty \(50 examples in all\): hold out fewer"):
        split_by_chromosome(PLACES, ("chr1", "chr2", "chr3"), ("chr4", "chr0"))


def test_what_a_files_split_lacks_is_drawn_from_its_training_part_alone() -> None:
    given_parts = Parts(np.arange(80), np.zeros(0, int), np.arange(80, 100))
    parts = split_the_rest(given_parts, np.arange(100), (0.25, 0.1), rng())
    side(parts)
    assert parts.sizes() == {"train": 60, "validation": 20, "test": 20}
    assert np.array_equal(parts.test, given_parts.test)
    assert set(parts.validation) <= set(range(80))


def test_leaks_counts_held_out_examples_with_kin_in_training() -> None:
    parts = Parts(np.array([0, 1]), np.array([2, 3]), np.array([4]))
    assert leaks(parts, np.array([7, 8, 7, 9, 8])) == 2
    assert leaks(parts, np.arange(5)) == 0
