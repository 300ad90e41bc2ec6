"""Instances of motifs, from maps; how windows match."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cislens import MotifReport
from cislens.derivation import derive
from cislens.discovery import Instances, calling
from cislens.discovery.calling import Calls, standing_apart
from cislens.discovery.maps import maps_of
from cislens.discovery.matching import Matching
from cislens.discovery.seqlets import PASSES, null_maps
from cislens.errors import CislensError, ReportError
from cislens.motif import Motif
from cislens.report import Attributions, Masks, Provenance
from cislens.sequences import Sequences

BACKGROUND = (0.3, 0.2, 0.2, 0.3)
seeds = st.integers(0, 2**32 - 1)


def word(name: str, text: str) -> Motif:
    hot = np.eye(4)[["ACGT".index(base) for base in text]]
    return Motif(name, hot * 0.91 + (1 - hot) * 0.03)


A, B = word("a", "TGACTCAGT"), word("b", "GGAAGTGAA")


# ---- matches --------------------------------------------------------------------------------------------------


@given(seeds)
@settings(deadline=None, max_examples=15)
def test_p_values_are_the_share_of_words_that_score_as_much(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matching = Matching(Motif("m", rng.dirichlet([0.5] * 4, 5), background=BACKGROUND))
    words = np.array(list(itertools.product(range(4), repeat=5)))
    scores = matching.scores(words)[:, 0]
    chances = np.asarray(BACKGROUND)[words].prod(1)
    exact = np.array([chances[scores >= score].sum() for score in scores])
    np.testing.assert_allclose(matching.p_values(scores), exact, rtol=1e-9)
    least = matching.least(0.01)
    assert (matching.p_values(scores[scores >= least]) <= 0.01).all()
    assert (matching.p_values(scores[scores < least]) > 0.01).all()


def test_scores_are_log_odds_to_half_a_step_a_position() -> None:
    rng = np.random.default_rng(0)
    motif = Motif("m", rng.dirichlet([1.0] * 4, 7), background=BACKGROUND)
    matching = Matching(motif)
    codes = rng.integers(0, 4, (3, 30))
    scores = matching.scores(codes) * matching.step
    for i, j in np.ndindex(scores.shape):
        exact = sum(matching.odds[k, codes[i, j + k]] for k in range(7))
        assert scores[i, j] == pytest.approx(exact, abs=7 * matching.step / 2)


def test_a_window_that_holds_n_matches_nothing() -> None:
    matching = Matching(A)
    codes = np.array([["ACGT".index(base) for base in "TGACTCAGT"]])
    assert matching.p_values(matching.scores(codes))[0, 0] < 1e-5
    codes[0, 4] = 4
    scores = matching.scores(codes)
    assert matching.p_values(scores)[0, 0] == 1
    assert scores[0, 0] < matching.least(1.0)


def test_of_a_motif_too_short_for_the_p_value_best_matches_count() -> None:
    matching = Matching(word("m", "GATA"))
    codes = np.array([["ACGT".index(base) for base in "GATAGATC"]])
    assert list(np.flatnonzero(matching.scores(codes)[0] >= matching.least(1e-4))) == [0]


def test_a_sequence_shorter_than_the_motif_has_no_window() -> None:
    assert Matching(A).scores(np.zeros((2, 5), int)).shape == (2, 0)


# ---- instances --------------------------------------------------------------------------------------------------


def planted(n: int = 40, length: int = 100, noise: float = 0.05) -> tuple[MotifReport, list[tuple[str, int, str]]]:
    """Sequences that each hold a and b on random strands; of each pair the map shows the one of even sequences alone.

    Returns the report and what is to be called: sequence, start, motif.
    """
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, (n, length))
    values = rng.normal(0, noise, (n, length))
    expected = []
    for i in range(n):
        for motif, start in zip((A, B), (10 + i % 20, 60 + i % 20), strict=True):
            site = motif.matrix.argmax(1)
            codes[i, start : start + 9] = site if rng.random() < 0.5 else 3 - site[::-1]
            if motif is A or i % 2 == 0:
                values[i, start : start + 9] += 1 if motif is A else -1
                expected.append((f"seq{i}", start, motif.id))
    onehot = np.eye(4, dtype=np.uint8)[codes]
    maps = Attributions((values[..., None] * onehot)[None], hypothetical=False)
    return MotifReport(Sequences.from_onehot(onehot), attributions=maps, motifs=(A, B)), expected


def places(report: MotifReport) -> list[tuple[str, int, str]]:
    table = report.instances
    return list(zip(table["sequence"], table["start"].tolist(), table["motif"], strict=True))


def test_instances_are_called_where_motif_and_map_agree_and_nowhere_else() -> None:
    report, expected = planted()
    assert places(derive(report, Instances())) == expected


def test_maps_are_the_contributions_however_the_sequences_are_cut(monkeypatch) -> None:
    report, _ = planted(11)
    monkeypatch.setattr("cislens.discovery.maps.BLOCK", 3)
    np.testing.assert_array_equal(maps_of(report), report.contributions())


def test_chance_maps_are_drawn_once_for_all_motifs(monkeypatch) -> None:
    report, _ = planted()
    drawn: list[int] = []
    monkeypatch.setattr(calling, "null_maps", lambda *given: drawn.append(1) or null_maps(*given))
    for motifs in (report.motifs[:1], report.motifs):
        drawn.clear()
        derive(replace(report, motifs=motifs), Instances())
        assert len(drawn) == PASSES


def test_rows_say_the_strand_the_match_and_what_the_window_contributes() -> None:
    report, _ = planted()
    table = derive(report, Instances()).instances
    projected = report.projected()[0]
    motifs = {motif.id: motif for motif in report.motifs}
    for row in table.itertuples():
        i = report.sequences.ids.index(row.sequence)
        site = report.sequences.onehot[i, row.start : row.end]
        read = site if row.strand == "+" else site[::-1, ::-1]
        np.testing.assert_array_equal(read.argmax(1), motifs[row.motif].matrix.argmax(1))
        assert row.contribution == pytest.approx(projected[i, row.start : row.end].sum())
        assert row.score == pytest.approx(9 * np.log2(0.91 / 0.25), abs=0.1)
        assert row.p_value == pytest.approx(4.0**-9)
        assert row.similarity > 0.9
    assert (table["contribution"][table["motif"] == "b"] < 0).all()
    assert set(table["target"]) == {""}


def test_masks_serve_as_maps() -> None:
    report, expected = planted(noise=0.0)
    masks = Masks(np.abs(report.projected()), "necessary")
    assert places(derive(replace(report, attributions=None, masks=masks), Instances())) == expected


def test_a_map_of_nothing_gives_an_empty_table_that_explains_itself() -> None:
    report, _ = planted()
    level = replace(report, attributions=Attributions(np.zeros((1, 40, 100, 4))))
    derived = derive(level, Instances())
    assert len(derived.instances) == 0
    assert "no instance was found of 2 motifs" in derived.validity.warnings[0]


def test_noise_calls_next_to_nothing() -> None:
    report, _ = planted()
    rng = np.random.default_rng(2)
    noise = replace(report, attributions=Attributions(rng.normal(size=(1, 40, 100, 4))))
    assert len(derive(noise, Instances(p_value=0.01)).instances) <= 3


def test_sequences_with_n_and_motifs_longer_than_the_sequences_pass() -> None:
    report, expected = planted()
    onehot = report.sequences.onehot.copy()
    onehot[0, :45] = 0
    long = word("long", "ACGT" * 30)
    cut = replace(report, sequences=Sequences.from_onehot(onehot), motifs=(*report.motifs, long))
    assert places(derive(cut, Instances())) == [place for place in expected if place[:1] != ("seq0",) or place[1] > 45]


@pytest.mark.parametrize(("first", "second"), [("Dev", "Hk"), ("K", "K.rep"), ("K.rep", "K")])
@pytest.mark.parametrize("owner", [0, 1])
def test_motifs_of_a_target_are_called_on_its_map_alone(first: str, second: str, owner: int) -> None:
    report, expected = planted()
    values = report.attributions.values
    names = (first, second)
    both = replace(
        report,
        attributions=replace(report.attributions, values=np.concatenate([values, values])),
        motifs=(replace(A, id=f"{names[owner]}.positive_0"), B),
        provenance=Provenance(targets=tuple({"target": name} for name in names)),
    )
    table = derive(both, Instances()).instances
    a = [place for place in expected if place[2] == "a"]
    called = [len(expected) - len(a), len(expected) - len(a)]
    called[owner] = len(expected)
    assert list(table["target"]) == [first] * called[0] + [second] * called[1]
    assert (table["motif"] == f"{names[owner]}.positive_0").sum() == len(a)


def test_a_report_without_maps_is_sent_to_scanning() -> None:
    report, _ = planted()
    with pytest.raises(ReportError, match="scan its sequences with the step 'scan' instead"):
        derive(replace(report, attributions=None), Instances())


@pytest.mark.parametrize("wrong", [{"p_value": 0.0}, {"rate": 1.0}, {"similarity": -0.1}, {"overlap": 1.0}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(CislensError, match="instances needs"):
        Instances(**wrong)


# ---- calls that overlap -----------------------------------------------------------------------------------------


def calls(*rows: tuple[int, int, int, int, float]) -> Calls:
    """Calls of (motif, row, start, end, size)."""
    motif, row, start, end, size = (np.array(column) for column in zip(*rows, strict=True))
    zeros = np.zeros(len(rows))
    return Calls(motif, row, start, end, zeros.astype(bool), zeros, zeros, zeros, size)


def kept(found: Calls) -> list[tuple[int, int]]:
    return list(zip(found.motif.tolist(), found.start.tolist(), strict=True))


def test_of_overlapping_calls_of_one_motif_the_largest_is_kept() -> None:
    assert kept(standing_apart(calls((0, 0, 0, 8, 1.0), (0, 0, 7, 15, 2.0), (0, 1, 0, 8, 0.5)), 0.25)) == [
        (0, 7),
        (0, 0),
    ]


def test_calls_of_two_motifs_stay_where_they_share_little() -> None:
    beside = calls((0, 0, 0, 8, 1.0), (1, 0, 6, 16, 2.0))
    within = calls((0, 0, 0, 8, 1.0), (1, 0, 5, 15, 2.0))
    assert kept(standing_apart(beside, 0.25)) == [(0, 0), (1, 6)]
    assert kept(standing_apart(within, 0.25)) == [(1, 5)]


@given(seeds)
@settings(deadline=None)
def test_what_is_kept_stands_apart_and_what_is_not_overlaps_something_larger(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 40, 15)
    found = calls(*zip(np.zeros(15, int), rng.integers(0, 2, 15), start, start + 6, rng.random(15), strict=True))
    chosen = standing_apart(found, 0.25)
    for i in range(15):
        near = (chosen.row == found.row[i]) & (np.abs(chosen.start - found.start[i]) < 6)
        assert near.any()
        assert chosen.size[near].max() >= found.size[i]
    for row in (0, 1):
        assert (np.diff(chosen.start[chosen.row == row]) >= 6).all()
