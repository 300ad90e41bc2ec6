"""Syntax by counting: what stands to each other how, against chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, hypergeom

from cislens import Motif, MotifReport, Sequences, simulate
from cislens.derivation import derive
from cislens.errors import CislensError
from cislens.report import TABLES
from cislens.syntax import CountedSyntax, patterns, spacing_counts
from cislens.syntax.runs import enriched_runs
from cislens.syntax.sites import Sites
from cislens.truth import Truth
from cislens.truth.motif_recovery import Match
from cislens.truth.syntax_recovery import SyntaxRecovery, syntax_recovery

Row = tuple[str, str, int, int, str]  # motif, sequence, start, end, strand


def report_of(*rows: Row, n: int = 1, length: int = 100, predictions: list[float] | None = None) -> MotifReport:
    """A report whose sequences are called s0, s1, ..., with these instances."""
    onehot = np.eye(4, dtype=np.uint8)[np.zeros((n, length), int)]
    table = pd.DataFrame([(*row, 1.0) for row in rows], columns=list(TABLES["instances"]))
    motifs = tuple(Motif(name, np.full((4, 4), 0.25)) for name in sorted({row[0] for row in rows}))
    held = None if predictions is None else np.array([predictions])
    return MotifReport(Sequences(onehot, tuple(f"s{i}" for i in range(n))), held, motifs=motifs, instances=table)


def report_of_truth(truth: Truth, *, predicted: bool = True) -> MotifReport:
    predictions = truth.labels[None].astype(float) if predicted else None
    return MotifReport(truth.sequences, predictions, motifs=truth.motifs, instances=truth.instances)


def placed_at_random(report: MotifReport, rng: np.random.Generator) -> MotifReport:
    """The same instances, each in a sequence, at a place and on a strand drawn anew."""
    assert report.instances is not None
    table = report.instances
    width = (table["end"] - table["start"]).to_numpy()
    start = rng.integers(0, report.sequences.length - width + 1)
    names = rng.choice(report.sequences.ids, len(table))
    moved = table.assign(sequence=names, start=start, end=start + width, strand=rng.choice(["+", "-"], len(table)))
    return replace(report, instances=moved)


def recovered(truth: Truth, report: MotifReport) -> SyntaxRecovery:
    matches = {motif.id: Match(motif.id, False, 0, 0) for motif in truth.motifs}
    assert truth.syntax is not None
    assert report.syntax is not None
    return syntax_recovery(report.syntax, truth.syntax, matches)


# ---- what is recovered -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "grammar",
    ["argminn_rest", "argminn_tal_gata", "argminn_jund_tead", "argminn_e2f6_max", "argminn_spi1_ctcf"],
)
def test_order_orientation_spacing_and_logic_of_a_grammar_are_recovered(grammar: str) -> None:
    truth = simulate(grammar, n=1000, seed=1)
    found = recovered(truth, derive(report_of_truth(truth), CountedSyntax()))
    asked = found.pairs
    assert len(asked) == 1
    assert asked["rule"].all()
    assert asked[["order", "orientation"]].to_numpy() == pytest.approx(1)
    # The rest is the noise of so many draws from at most 31 spacings.
    assert (asked[["spacing", "arrangement"]] > 0.85).all(axis=None)
    assert found.extraneous == 0


@pytest.mark.parametrize("logic", ["cooperative", "redundant", "repressive"])
def test_a_rule_without_spacing_is_recovered_with_its_logic_and_its_strands(logic: str) -> None:
    truth = simulate(f"mem_{logic}_strong", n=400, seed=2)
    report = derive(report_of_truth(truth), CountedSyntax())
    found = recovered(truth, report)
    assert found.rule_recall == found.rule_precision == 1
    assert [found.overlap("order"), found.overlap("orientation")] == pytest.approx([1, 1])
    assert report.syntax is not None
    assert report.syntax["spacing"].isna().all()


@pytest.mark.parametrize("grammar", ["argminn_rest", "argminn_jund_tead", "argminn_e2f6_max"])
def test_nothing_is_claimed_of_instances_at_random(grammar: str) -> None:
    truth = simulate(grammar, n=300, seed=3)
    rows = 0
    for seed in range(20):
        report = placed_at_random(report_of_truth(truth, predicted=False), np.random.default_rng(seed))
        derived = derive(report, CountedSyntax())
        assert derived.syntax is not None
        rows += len(derived.syntax) > 0
    assert rows <= 3  # of 20 sets, with a q-value of 0.05: more than 3 have a chance of 2% at most


def test_motifs_that_only_keep_to_the_middle_have_no_spacing() -> None:
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    for i in range(300):
        first, second = rng.normal(250, 20, 2).astype(int)
        rows += [("a", f"s{i}", first, first + 8, "+"), ("b", f"s{i}", second, second + 8, "+")]
    report = derive(report_of(*rows, n=300, length=500), CountedSyntax())
    assert report.syntax is not None
    assert not len(report.syntax)
    assert any("syntax: none found. 3 pairs of motifs were tested" in text for text in report.validity.warnings)


def test_one_site_in_the_middle_and_others_anywhere_have_no_spacing() -> None:
    rng = np.random.default_rng(1)
    rows: list[Row] = []
    for i in range(400):
        for start in (rng.integers(200, 300), rng.integers(0, 490))[: 1 + i % 2]:
            rows.append(("a", f"s{i}", int(start), int(start) + 8, str(rng.choice(["+", "-"]))))
    found = derive(report_of(*rows, n=400, length=500), CountedSyntax()).syntax
    assert found is not None
    assert found["spacing"].isna().all()


def test_that_one_site_of_a_motif_is_enough_is_no_syntax() -> None:
    rng = np.random.default_rng(2)
    rows: list[Row] = []
    for i in range(90):
        for at in range(i % 3):
            start = int(rng.integers(0, 200)) + 250 * at
            rows.append(("a", f"s{i}", start, start + 8, str(rng.choice(["+", "-"]))))
    for answer, kept in (((0, 1, 1), []), ((0, 0, 1), ["and"])):
        predictions = [float(answer[i % 3]) for i in range(90)]
        found = derive(report_of(*rows, n=90, length=500, predictions=predictions), CountedSyntax(most=20)).syntax
        assert found is not None
        assert list(dict.fromkeys(found["logic"])) == kept


def test_the_strand_of_a_sequence_changes_nothing() -> None:
    truth = simulate("argminn_rest", n=200, seed=4)
    report = report_of_truth(truth)
    assert report.instances is not None
    table, length = report.instances, truth.sequences.length
    turned = table.assign(
        start=length - table["end"], end=length - table["start"], strand=table["strand"].map({"+": "-", "-": "+"})
    )
    one, other = derive(report, CountedSyntax()), derive(replace(report, instances=turned), CountedSyntax())
    pd.testing.assert_frame_equal(one.syntax, other.syntax)
    pd.testing.assert_frame_equal(patterns(one), patterns(other))


@pytest.mark.parametrize("same_strand", [True, False])
def test_two_sites_of_one_motif_keep_their_spacing(same_strand: bool) -> None:
    rng = np.random.default_rng(5)
    rows: list[Row] = []
    for i in range(60):
        start, strand = int(rng.integers(0, 70)), "+-"[i % 2]
        other = strand if same_strand else "-"
        strand = strand if same_strand else "+"
        rows += [("a", f"s{i}", start, start + 6, strand), ("a", f"s{i}", start + 15, start + 21, other)]
    found = derive(report_of(*rows, n=60), CountedSyntax()).syntax
    assert found is not None
    kept = found[["motif_1", "motif_2", "order", "orientation", "spacing", "count"]].to_numpy().tolist()
    assert kept == [["a", "a", "1-2", "++" if same_strand else "+-", 9.0, 60]]


# ---- the numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "read"),
    [
        (("a", 10, "+"), ("b", 30, "+"), ("1-2", "++")),
        (("a", 10, "-"), ("b", 30, "-"), ("2-1", "++")),
        (("b", 10, "+"), ("a", 30, "+"), ("2-1", "++")),
        (("a", 10, "+"), ("b", 30, "-"), ("1-2", "+-")),
        (("a", 10, "-"), ("b", 30, "+"), ("2-1", "+-")),
        (("b", 10, "+"), ("a", 30, "-"), ("1-2", "+-")),
    ],
)
def test_a_pair_is_read_on_the_strand_on_which_motif_1_reads_forward(first, second, read) -> None:
    rows = [(name, "s0", start, start + 8, strand) for name, start, strand in (first, second)]
    sites = Sites.of(report_of(*rows))
    counts = spacing_counts(sites, sites.pairs(0), 0, 1, np.arange(20))
    place = [("1-2", "++"), ("2-1", "++"), ("1-2", "+-"), ("2-1", "+-")].index(read)
    assert np.argwhere(counts.count).tolist() == [[place, 12]]


def test_pairs_and_chance_agree_with_going_through_all_of_them() -> None:
    rng = np.random.default_rng(6)
    n, length, width = 30, 80, 5
    rows = [
        (
            str(rng.choice(["a", "b"])),
            f"s{rng.integers(n)}",
            int(start),
            int(start) + width,
            str(rng.choice(["+", "-"])),
        )
        for start in rng.integers(0, length - width + 1, 200)
    ]
    sites = Sites.of(report_of(*rows, n=n, length=length))
    spacings = np.arange(-2, 40)
    got = spacing_counts(sites, sites.pairs(2), 0, 1, spacings)
    own, across = np.zeros((2, 4, len(spacings)))
    for motif, sequence, start, _end, strand in rows:
        for other, beside, begin, _stop, opposite in rows:
            if (motif, other) != ("a", "b"):
                continue
            gap = max(start, begin) - min(start, begin) - width
            before = start < begin
            if gap < -2 or gap >= 40 or start == begin:
                continue
            code = int(before == (strand == "-")) + 2 * (strand != opposite)
            (own if sequence == beside else across)[code, gap + 2] += 1
    assert (got.count == own).all()
    window = np.abs(spacings[:, None] - spacings) <= 10
    smooth = across @ window / window.sum(0)
    fits = length - 2 * width - spacings + 1
    anywhere = np.broadcast_to(fits / fits.mean(), own.shape)
    expected = smooth + anywhere
    assert got.expected == pytest.approx(own.sum() * expected / expected.sum(), rel=1e-9)


def test_a_run_is_tested_by_its_binomial_tail_times_the_number_of_runs() -> None:
    count = np.zeros((4, 50), int)
    count[1, 7:10] = 3
    count[2, 40] = 1
    expected = np.full((4, 50), count.sum() / 200)
    # Another kind of chance, which expects twice as many in the run, is the one that counts.
    other = expected.copy()
    other[1, 7:10] *= 2
    other *= count.sum() / other.sum()
    chance = other[1, 7:10].sum() / count.sum()
    first, *rest = enriched_runs(count, np.stack([expected, other]), 0.05)
    assert first[:3] == (1, 7, 9)
    assert first.p_value == pytest.approx(binom.sf(8, 10, chance) * 4 * 50 * 51 / 2)
    assert [run[:3] for run in rest] == [(2, 40, 40)]
    assert rest[0].p_value == 1.0


def test_motifs_that_share_sequences_are_kept_without_spacing_by_the_hypergeometric_tail() -> None:
    rng = np.random.default_rng(7)
    rows: list[Row] = []
    for i in range(100):
        kinds = ("a", "b") if i < 30 else ("a",) if i < 40 else ("b",) if i < 50 else ()
        for kind, low in zip(kinds, [(0, 500), (500, 0)][i % 2], strict=False):
            start = int(low + rng.integers(0, 490))
            rows.append((kind, f"s{i}", start, start + 8, str(rng.choice(["+", "-"]))))
    found = derive(report_of(*rows, n=100, length=1000), CountedSyntax(most=150)).syntax
    assert found is not None
    row = found.iloc[0]
    assert len(found) == 1
    assert row["logic"] == "and"
    assert row["logic_from"] == row["evidence"] == "co-occurrence"
    assert row["p_value"] == pytest.approx(hypergeom.sf(29, 100, 40, 40))
    assert (row["count"], row["expected"], row["support"]) == (30, pytest.approx(16), pytest.approx(0.3))


def test_q_values_are_over_all_tests_of_all_pairs() -> None:
    truth = simulate("argminn_rest", n=200, seed=1)
    found = derive(report_of_truth(truth, predicted=False), CountedSyntax()).syntax
    assert found is not None
    # Three pairs, each with co-occurrence, and no interaction without predictions. Of left and right the run kept and
    # one more, which is the only pair with any pairs. Smaller than the run's p-value there is none.
    assert found["q_value"].iloc[0] == pytest.approx(found["p_value"].iloc[0] * (3 + 2))


# ---- the borders -----------------------------------------------------------------------------------------


def test_sites_that_overlap_are_a_pair_only_where_that_is_allowed() -> None:
    rows = [
        row for i in range(30) for row in (("a", f"s{i}", 10 + i, 18 + i, "+"), ("b", f"s{i}", 16 + i, 24 + i, "+"))
    ]
    report = report_of(*rows, n=30)
    apart, over = derive(report, CountedSyntax()).syntax, derive(report, CountedSyntax(overlap=4)).syntax
    assert apart is not None
    assert over is not None
    assert not apart["spacing"].notna().any()
    assert over["spacing"].tolist() == [-2.0]


def test_no_instances_no_sequences_and_one_sequence_make_an_empty_table_and_a_warning() -> None:
    one = report_of(("a", "s0", 1, 5, "+"), ("b", "s0", 9, 13, "+"))
    for report in (one, replace(one, sequences=one.sequences.take(slice(0, 0)))):
        derived = derive(report, CountedSyntax())
        assert derived.syntax is not None
        assert not len(derived.syntax)
        assert set(TABLES["syntax"]) <= set(derived.syntax.columns)
        assert "syntax: none found" in derived.validity.warnings[0]


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(CislensError, match=r"q-value above 0 and up to 1, got most=150, overlap=0, q_value=0.0"):
        CountedSyntax(q_value=0.0)
    report = report_of(("a", "s0", 1, 5, "+"), predictions=[1.0])
    with pytest.raises(
        CislensError, match=r"target of syntax must be one of the report's \(it names none\), got 'Dev'"
    ):
        derive(report, CountedSyntax(target="Dev"))


# ---- patterns --------------------------------------------------------------------------------------------


def test_patterns_name_the_motifs_in_order_and_read_on_the_strand_with_more_of_them() -> None:
    report = report_of(
        ("CTCF", "s0", 5, 9, "+"),
        ("FOXA", "s0", 20, 24, "+"),
        ("FOXA", "s0", 30, 34, "-"),
        ("FOXA", "s1", 5, 9, "+"),
        ("FOXA", "s1", 20, 24, "-"),
        ("CTCF", "s1", 40, 44, "-"),
        ("FOXA", "s2", 7, 11, "-"),
        n=4,
        predictions=[1.0, 3.0, 5.0, 0.0],
    )
    expected = [("CTCF - FOXA - FOXA", 2, 0.5, 2.0), ("FOXA", 1, 0.25, 5.0), ("none", 1, 0.25, 0.0)]
    assert list(patterns(report).itertuples(index=False, name=None)) == expected


def test_the_places_of_a_motif_are_transformed_once_however_many_pairs_it_is_in(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    names = ["a", "b", "c", "d", "e"]
    starts = rng.integers(0, 90, 200).tolist()
    sites = [(str(rng.choice(names)), f"s{i % 40}", at, at + 6, "+-"[i % 2]) for i, at in enumerate(starts)]
    report = report_of(*sites, n=40)
    asked, transform = [0], np.fft.rfft

    def counted(*arguments):
        asked[0] += 1
        return transform(*arguments)

    monkeypatch.setattr(np.fft, "rfft", counted)
    derive(report, CountedSyntax())
    assert asked[0] == len(names) * 4  # starts and ends, on each strand
