"""Simulated sets are as their grammar says: exact tests of what is counted in them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, chisquare

from cislens.simulation import Simulator, bundled_grammars, load_grammar, simulate
from cislens.truth import Truth

LEVEL = 1e-4  # fixed seeds; a fair draw fails once in ten thousand
SET = 4096
PAPER = ("argminn_e2f6_max", "argminn_rest", "argminn_rest_expressivity", "mem_repressive_strong")


@pytest.fixture(scope="module")
def drawn() -> dict[str, Truth]:
    return {name: simulate(name, n=SET, seed=5) for name in PAPER}


def pairs_of(truth: Truth, arrangement: str) -> pd.DataFrame:
    """Return the two instances of each sequence of an arrangement side by side."""
    chosen = {name for name, held in zip(truth.sequences.ids, truth.arrangements, strict=True) if held == arrangement}
    table = truth.instances[truth.instances["sequence"].isin(chosen)]
    first, second = table.iloc[::2].reset_index(drop=True), table.iloc[1::2].reset_index(drop=True)
    assert (first["sequence"] == second["sequence"]).all()
    return first.join(second.add_suffix("_2"))


def assert_as_likely(counts: Counter[Any], shares: dict[Any, float]) -> None:
    assert set(counts) <= set(shares)
    total = sum(shares.values())
    expected = [counts.total() * share / total for share in shares.values()]
    assert chisquare([counts[key] for key in shares], expected).pvalue > LEVEL


@pytest.mark.parametrize("name", PAPER)
def test_arrangements_come_as_often_as_their_weights_say(drawn: dict[str, Truth], name: str) -> None:
    weights = {arrangement.name: arrangement.weight for arrangement in load_grammar(name).arrangements}
    assert_as_likely(Counter(drawn[name].arrangements), weights)


@pytest.mark.parametrize("name", PAPER)
def test_half_of_a_paper_s_set_is_positive(drawn: dict[str, Truth], name: str) -> None:
    assert load_grammar(name).positive_share == pytest.approx(0.5)
    assert binomtest(int(drawn[name].labels.sum()), SET, 0.5).pvalue > LEVEL


@pytest.mark.parametrize("name", PAPER)
def test_a_sequence_is_positive_where_a_rule_holds_for_what_was_planted(drawn: dict[str, Truth], name: str) -> None:
    truth = drawn[name]
    planted = truth.instances.groupby("sequence")["motif"].agg(set).to_dict()
    for i, sequence in enumerate(truth.sequences.ids):
        present = planted.get(sequence, set()) | {truth.arrangements[i]}
        assert truth.labels[i] == any(rule.holds(present) for rule in truth.rules.values())


def test_motifs_of_one_site_stand_uniformly_in_the_centre_on_both_strands(drawn: dict[str, Truth]) -> None:
    truth = drawn["argminn_e2f6_max"]
    alone = [i for i, name in enumerate(truth.arrangements) if name == "max_alone"]
    table = truth.take(alone).instances
    width = len(load_grammar("argminn_e2f6_max").motifs[1])
    assert (table["end"] - table["start"] == width).all()
    assert_as_likely(Counter(table["start"]), dict.fromkeys(range(200, 300 - width + 1), 1.0))
    assert_as_likely(Counter(table["strand"]), {"+": 1.0, "-": 1.0})


def test_spacings_are_those_of_the_grammar_each_as_often(drawn: dict[str, Truth]) -> None:
    table = pairs_of(drawn["argminn_rest"], "both")
    assert_as_likely(Counter(table["start_2"] - table["end"]), dict.fromkeys((2, 6, 7, 8, 9, 10, 11), 1.0))
    table = pairs_of(drawn["argminn_e2f6_max"], "both")
    assert_as_likely(Counter(table["start_2"] - table["end"]), dict.fromkeys(range(30, 61), 1.0))


def test_a_pair_keeps_its_order_and_orientation_on_either_strand(drawn: dict[str, Truth]) -> None:
    table = pairs_of(drawn["argminn_rest"], "both")
    seen = Counter(zip(table["motif"], table["strand"], table["motif_2"], table["strand_2"], strict=True))
    assert_as_likely(seen, {("left", "+", "right", "+"): 1.0, ("right", "-", "left", "-"): 1.0})


def test_improper_pairs_are_all_but_the_positive_and_its_other_strand(drawn: dict[str, Truth]) -> None:
    truth = drawn["argminn_rest_expressivity"]
    table = pairs_of(truth, "improper_pair")
    seen = Counter(zip(table["motif"], table["strand"], table["motif_2"], table["strand_2"], strict=True))
    halves = [("left", "right"), ("right", "left")]
    every = {(one, s, two, t) for one, two in halves for s in "+-" for t in "+-"}
    assert set(seen) == every - {("left", "+", "right", "+"), ("right", "-", "left", "-")}
    assert (table["start_2"] - table["end"] == 10).all()
    assert set(pairs_of(truth, "site")["motif"]) == {"left", "right"}
    twice = pairs_of(truth, "same_half_twice")
    assert (twice["motif"] == twice["motif_2"]).all()


@pytest.mark.parametrize("frequencies", [(0.25, 0.25, 0.25, 0.25), (0.3, 0.2, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4)])
def test_bases_outside_instances_come_as_often_as_the_background_says(frequencies: tuple[float, ...]) -> None:
    background = "uniform" if len(set(frequencies)) == 1 else "frequencies:" + "/".join(map(str, frequencies))
    truth = simulate("argminn_spi1", n=1024, background=background, both_strands=False)
    outside = truth.sequences.onehot[~truth.covered()].sum(0, dtype=int)
    assert chisquare(outside, outside.sum() * np.array(frequencies)).pvalue > LEVEL
    gc = int(outside[1:3].sum())
    assert binomtest(gc, int(outside.sum()), frequencies[1] + frequencies[2]).pvalue > LEVEL


@pytest.mark.parametrize("name", PAPER[:3])  # the last one's instances are not sampled freely
def test_bases_of_instances_come_as_often_as_their_motif_says(drawn: dict[str, Truth], name: str) -> None:
    truth, grammar = drawn[name], load_grammar(name)
    for motif in grammar.motifs:
        counts = base_counts(truth, motif.id)
        for found, expected in zip(counts, motif.probabilities(), strict=True):
            assert found[expected == 0].sum() == 0
            possible = expected > 0
            assert chisquare(found[possible], found.sum() * expected[possible]).pvalue > LEVEL


def test_a_biased_sampler_would_fail_the_test_of_bases() -> None:
    motif = load_grammar("argminn_spi1").motifs[0]
    blurred = motif.probabilities() * 0.95 + 0.05 / 4
    rng = np.random.default_rng(0)
    found = np.array([rng.multinomial(2000, row) for row in blurred])
    worst = min(chisquare(f, f.sum() * p).pvalue for f, p in zip(found, motif.probabilities(), strict=True))
    assert worst < LEVEL


def base_counts(truth: Truth, motif: str) -> np.ndarray:
    """Return how often each base stands at each position of a motif's instances, as the motif reads: (width, 4)."""
    place = {name: i for i, name in enumerate(truth.sequences.ids)}
    total: np.ndarray | int = 0
    for row in truth.instances[truth.instances["motif"] == motif].itertuples():
        bases = truth.sequences.onehot[place[row.sequence], row.start : row.end].astype(int)
        total = total + (bases if row.strand == "+" else bases[::-1, ::-1])
    return np.asarray(total)


def test_instances_and_sequences_are_in_the_same_order_and_instances_from_left_to_right(
    drawn: dict[str, Truth],
) -> None:
    for truth in drawn.values():
        place = {name: i for i, name in enumerate(truth.sequences.ids)}
        owner = truth.instances["sequence"].map(place).to_numpy()
        assert (np.diff(owner) >= 0).all()
        same = np.diff(owner) == 0
        assert (truth.instances["start"].to_numpy()[1:] >= truth.instances["end"].to_numpy()[:-1])[same].all()


def test_instances_are_scored_by_their_share_of_the_best_match(drawn: dict[str, Truth]) -> None:
    truth, grammar = drawn["argminn_rest"], load_grammar("argminn_rest")
    matrices = {motif.id: motif.probabilities() for motif in grammar.motifs}
    place = {name: i for i, name in enumerate(truth.sequences.ids)}
    for row in truth.instances.head(300).itertuples():
        window = truth.sequences.onehot[place[row.sequence], row.start : row.end]
        bases = window if row.strand == "+" else window[::-1, ::-1]
        matrix = matrices[row.motif]
        assert row.score == pytest.approx((matrix * bases).sum() / matrix.max(1).sum())


# ---- seeds --------------------------------------------------------------------------------------------------


def same(one: Truth, two: Truth) -> bool:
    return (
        np.array_equal(one.sequences.onehot, two.sequences.onehot)
        and one.sequences.ids == two.sequences.ids
        and one.arrangements == two.arrangements
        and one.instances.to_dict("list") == two.instances.to_dict("list")
        and np.array_equal(one.labels, two.labels)
    )


@pytest.mark.parametrize("name", ["argminn_rest", "mem_cooperative_strong"])
def test_the_same_seed_gives_the_same_truth_and_another_seed_another(name: str) -> None:
    assert same(simulate(name, n=50, seed=3), simulate(name, n=50, seed=3))
    other = simulate(name, n=50, seed=4)
    assert not (simulate(name, n=50, seed=3).sequences.onehot == other.sequences.onehot).all(axis=(1, 2)).any()


@pytest.mark.parametrize("n", [1, 1024, 1025, 1500])
def test_the_first_sequences_are_the_same_however_many_are_drawn(n: int) -> None:
    assert same(simulate("argminn_rest", n=2100, seed=1).take(slice(n)), simulate("argminn_rest", n=n, seed=1))


def test_a_stream_of_blocks_is_the_whole_set_and_tells_its_progress() -> None:
    whole, first, told = simulate("argminn_rest", n=1500, seed=1), 0, []
    for block in Simulator(load_grammar("argminn_rest")).truths(1500, 1, lambda *done: told.append(done)):
        assert same(whole.take(slice(first, first + len(block))), block)
        first += len(block)
    assert first == 1500
    assert told == [(1024, 1500), (1500, 1500)]


def test_no_sequence_comes_twice() -> None:
    truth = simulate("argminn_spi1", n=3000)
    assert len({row.tobytes() for row in truth.sequences.onehot}) == 3000


@pytest.mark.parametrize("name", bundled_grammars())
def test_every_bundled_grammar_can_be_drawn(name: str) -> None:
    truth = simulate(name, n=64)
    assert truth.sequences.onehot.shape == (64, 500, 4)
    assert (truth.sequences.onehot.sum(-1) == 1).all()
    assert 0 < truth.labels.mean() < 1
