"""Chance matches are gone from backgrounds, as a scan of our own sees it, and only where they were asked to be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.simulation import Arrangement, Grammar, Simulator, load_grammar, simulate
from cislens.simulation.layout import parse_layout
from cislens.simulation.matching import Matcher, matcher_of
from cislens.truth import Rule, Truth

Window = tuple[int, int, int]  # row, start, end


def mean_probabilities(onehot: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return the mean probability of the bases of each window on the strand given, (n, starts), column by column."""
    starts = onehot.shape[1] - len(matrix) + 1
    total = np.zeros((len(onehot), max(starts, 0)))
    for offset, column in enumerate(matrix):
        total += (onehot[:, offset : offset + max(starts, 0)] * column).sum(-1)
    return total / len(matrix)


def scanned(onehot: np.ndarray, matrix: np.ndarray, bound: float, strict: bool = False) -> set[Window]:
    """Return the windows that reach a match score on either strand."""
    found = set()
    for strand in (matrix, matrix[::-1, ::-1]):
        scores = mean_probabilities(onehot, strand)
        hit = scores > bound + 1e-9 if strict else scores >= bound - 1e-9
        found |= {(int(row), int(start), int(start) + len(matrix)) for row, start in zip(*np.nonzero(hit), strict=True)}
    return found


def chance_matches(truth: Truth, grammar: Grammar, threshold: float, relative: bool) -> set[Window]:
    """Return the windows of a set that match a motif and overlap no planted instance."""
    covered = truth.covered()
    found: set[Window] = set()
    for motif in grammar.motifs:
        matrix = motif.probabilities()
        bound = threshold * matrix.max(1).mean() if relative else threshold
        found |= scanned(truth.sequences.onehot, matrix, bound, strict=not relative)
    return {(row, start, end) for row, start, end in found if not covered[row, start:end].any()}


RELATIVE = ["argminn_spi1", "argminn_e2f6_max", "argminn_rest", "mem_cooperative_strong", "mem_cooperative_sampled"]


@pytest.mark.parametrize("name", RELATIVE)
def test_no_window_reaches_the_share_of_the_best_match_apart_from_instances(name: str) -> None:
    grammar = load_grammar(name, spurious="relative")
    assert not chance_matches(Simulator(grammar).simulate(2000, seed=2), grammar, 0.9, relative=True)
    # The scan sees them where they are kept.
    kept = Simulator(replace(grammar, spurious="kept")).simulate(2000, seed=2)
    assert chance_matches(kept, grammar, 0.9, relative=True)


def test_no_window_exceeds_the_mean_probability_apart_from_instances() -> None:
    grammar = load_grammar("argminn_rest", spurious="mean_probability", threshold=0.75)
    assert not chance_matches(Simulator(grammar).simulate(2000, seed=2), grammar, 0.75, relative=False)
    kept = Simulator(replace(grammar, spurious="kept")).simulate(2000, seed=2)
    assert chance_matches(kept, grammar, 0.75, relative=False)


def test_mean_probability_of_0_9_removes_nothing_where_no_motif_can_reach_it() -> None:
    grammar = load_grammar("argminn_rest")
    assert grammar.spurious == "mean_probability"
    assert max(motif.probabilities().max(1).mean() for motif in grammar.motifs) < 0.9
    kept = Simulator(replace(grammar, spurious="kept")).simulate(300)
    assert (Simulator(grammar).simulate(300).sequences.onehot == kept.sequences.onehot).all()


def test_matches_that_touch_an_instance_are_not_judged() -> None:
    """Of a run of A's in a sequence of A's all windows match; just those that touch the planted one may stay."""
    motif = Motif("a", np.array([[0.97, 0.01, 0.01, 0.01]] * 4))
    arrangements = (Arrangement("planted", (parse_layout("a"),)),)
    grammar = Grammar("run", (motif,), arrangements, {"rule": Rule("a")}, length=30, instances="best")
    truth = Simulator(grammar).simulate(4000)
    covered = truth.covered()
    hits = scanned(truth.sequences.onehot, motif.probabilities(), 0.9 * motif.probabilities().max(1).mean())
    shifted = [window for window in hits if not covered[window[0], window[1] : window[2]].all()]
    assert shifted
    assert all(covered[row, start:end].any() for row, start, end in hits)


def test_sequences_turned_to_their_other_strand_are_as_clean() -> None:
    grammar = load_grammar("argminn_e2f6_max", spurious="relative")
    assert grammar.both_strands
    simulator = Simulator(grammar)
    drawn = simulator.draw(1000, np.random.default_rng(0))
    assert len(simulator.spurious(drawn).rows) == 0
    kept = Simulator(replace(grammar, spurious="kept")).draw(1000, np.random.default_rng(0))
    assert len(simulator.spurious(kept).rows) > 0


def test_backgrounds_that_cannot_be_clean_are_told() -> None:
    with pytest.raises(CislensError, match="too short or too vague"):
        Simulator(load_grammar("argminn_spi1", spurious="relative", threshold=0.3)).draw(2, np.random.default_rng(0))


@pytest.mark.parametrize("threshold", [0.3, 0.6])
def test_backgrounds_that_are_too_rare_are_told_as_soon_as_that_is_known(threshold: float, monkeypatch) -> None:
    """Of a thousand backgrounds one may pass, which does not do for a thousand sequences in two hundred rounds."""
    drawn, backgrounds = [0], Simulator.backgrounds

    def counted(self: Simulator, n: int, rng: np.random.Generator) -> Any:
        drawn[0] += n
        return backgrounds(self, n, rng)

    monkeypatch.setattr(Simulator, "backgrounds", counted)
    grammar = load_grammar("argminn_spi1", spurious="relative", threshold=threshold)
    with pytest.raises(CislensError, match=r"[01] of 1,024 that were drawn are: .* raise the threshold"):
        Simulator(grammar).draw(1024, np.random.default_rng(0))
    assert drawn[0] == 1024


def test_backgrounds_that_are_rare_but_can_be_found_are_found() -> None:
    grammar = load_grammar("argminn_spi1", spurious="relative", threshold=0.66)
    simulator = Simulator(grammar)
    kept = Simulator(replace(grammar, spurious="kept")).draw(500, np.random.default_rng(0))
    assert len(np.unique(simulator.spurious(kept).rows)) > 450
    assert len(simulator.spurious(simulator.draw(500, np.random.default_rng(0))).rows) == 0


@st.composite
def scans(draw: Any) -> tuple[list[np.ndarray], list[float], np.ndarray]:
    """Draw motifs of widths 3 to 20, bounds that some windows reach, and sequences."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    widths = draw(st.lists(st.integers(3, 20), min_size=1, max_size=3))
    matrices = [rng.dirichlet([draw(st.sampled_from([0.1, 0.5, 2.0]))] * 4, width) for width in widths]
    codes = rng.integers(0, 4, (20, draw(st.integers(1, 80))), np.uint8)
    onehot = np.eye(4, dtype=np.uint8)[codes]
    bounds = []
    for matrix in matrices:
        scores = mean_probabilities(onehot, matrix).ravel()
        some = np.quantile(scores, draw(st.sampled_from([0.5, 0.9, 0.99, 1.0]))) if len(scores) else 0.5
        bounds.append(draw(st.sampled_from([float(some), 0.9, 0.9 * float(matrix.max(1).mean()), 0.0, 1.0])))
    return matrices, bounds, codes


@settings(max_examples=150, deadline=None)
@given(scans())
def test_the_windows_found_are_those_of_a_plain_scan(case: tuple[list[np.ndarray], list[float], np.ndarray]) -> None:
    matrices, bounds, codes = case
    hits = Matcher(tuple(matrices), tuple(bounds)).hits(codes)
    found = set(zip(hits.rows.tolist(), hits.starts.tolist(), hits.ends.tolist(), strict=True))
    onehot = np.eye(4, dtype=np.uint8)[codes]
    expected = [scanned(onehot, matrix, bound) for matrix, bound in zip(matrices, bounds, strict=True)]
    assert found == set().union(*expected)


def test_hits_are_those_of_fimo() -> None:
    """The scan of another package, whose scores are log odds: the best match alone is the highest of either."""
    fimo = pytest.importorskip("memelite").fimo
    onehot = simulate("argminn_spi1", n=50, instances="best").sequences.onehot
    motif = load_grammar("argminn_spi1").motifs[0]
    matrix = motif.probabilities()
    hits = Matcher((matrix,), (matrix.max(1).mean(),)).hits(np.asarray(onehot.argmax(-1), np.uint8))
    (table,) = fimo({"spi1": matrix.T}, onehot.swapaxes(1, 2).astype(float), threshold=1e-4)
    best = table[table["score"] >= table["score"].max() - 1e-6]
    names = zip(best["sequence_name"].astype(int), best["start"].astype(int), best["end"].astype(int), strict=True)
    assert len(hits.rows) > 10
    assert set(zip(hits.rows.tolist(), hits.starts.tolist(), hits.ends.tolist(), strict=True)) == set(names)


def test_the_bounds_of_a_grammar_are_those_that_it_states() -> None:
    rest = load_grammar("argminn_rest", spurious="relative", threshold=0.8)
    best = [motif.probabilities().max(1).mean() for motif in rest.motifs]
    assert matcher_of(rest).bounds == pytest.approx([0.8 * score for score in best])
    assert matcher_of(replace(rest, spurious="mean_probability")).bounds == pytest.approx([0.8, 0.8])
    assert matcher_of(replace(rest, spurious="kept")).matrices == ()
