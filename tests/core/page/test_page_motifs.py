"""The page's motifs, instances, syntax and derivation steps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.core.page.reading import words

from cislens import Motif, simulate
from cislens.derivation import derive
from cislens.motif_files import write_motifs
from cislens.page import render_page
from cislens.page.figures import MOTIF_STEP
from cislens.page.gathering import gather
from cislens.page.instance_bands import MOST_INSTANCES, instance_bands
from cislens.page.syntax_figures import LEFT, RIGHT, WIDTH, syntax_figures
from cislens.report import TABLES, Attributions, MotifReport
from cislens.syntax import CountedSyntax


def grammar_report(n: int = 120) -> MotifReport:
    """A report of REST sequences as a perfect explainer would give it."""
    truth = simulate("argminn_rest", n=n, seed=1)
    values = np.zeros((1, *truth.sequences.onehot.shape), np.float32)
    return MotifReport(
        truth.sequences,
        truth.labels[None].astype(float),
        Attributions(values, gauge="uniform"),
        motifs=truth.motifs,
        instances=truth.instances,
    )


def matched(report: MotifReport, target: Motif, database: Path, offset: int, strand: str) -> MotifReport:
    """The report with its first motif matched to one of a database, as the derivation writes it."""
    row = (
        report.motifs[0].id,
        target.id,
        target.name,
        1e-6,
        2e-4,
        offset,
        len(report.motifs[0]),
        strand,
        "Zinc",
        "mine",
    )
    table = pd.DataFrame([row], columns=[*TABLES["matches"], "family", "database"])
    step = {
        "derivation": "matches",
        "settings": {"database": str(database)},
        "gives": ["matches"],
        "seed": 4,
        "references": ["10.1186/gb-2007-8-2-r24"],
        "seconds": 0.125,
    }
    return replace(report, matches=table, provenance=replace(report.provenance, derivations=(step,)))


def logo_cells(page: str) -> list[list[tuple[int, list[str]]]]:
    """Of each motif's cell its logos: (indent in px, letters from left to right, the tallest of each column)."""
    cells = []
    for cell in re.findall(r'<td class="logos">(.*?)</td>', page, re.DOTALL):
        logos = []
        for indent, svg in re.findall(r"margin-left: (\d+)px\">(<svg.*?</svg>)", cell, re.DOTALL):
            tallest: dict[float, tuple[float, str]] = {}
            for letter, x, scale in re.findall(
                r'class="base-(\w)"[^>]*translate\(([\d.]+) [\d.-]+\) scale\([\d.]+ ([\d.-]+)\)', svg
            ):
                tallest[float(x)] = max(tallest.get(float(x), (0.0, "")), (float(scale), letter))
            logos.append((int(indent), [tallest[x][1] for x in sorted(tallest)]))
        cells.append(logos)
    return cells


# ---- motifs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("offset", [-2, 0, 3])
def test_a_match_is_drawn_below_its_motif_column_on_column(tmp_path: Path, offset: int, strand: str) -> None:
    bases = np.random.default_rng(0).integers(0, 4, 16)
    long = Motif("T1", np.eye(4)[bases])
    seen = long if strand == "+" else long.reverse_complement()
    part = Motif("m", np.eye(4)[bases[3:9]]) if strand == "+" else Motif("m", seen.matrix[3:9])
    write_motifs([long], tmp_path / "known.meme")
    report = replace(grammar_report(4), motifs=(part,), instances=None)
    page = render_page({"x": matched(report, long, tmp_path / "known.meme", offset, strand)})
    [[(indent, letters), (below, target)]] = logo_cells(page)
    assert letters == ["ACGT"[i] for i in part.matrix.argmax(1)]
    assert target == ["ACGT"[i] for i in seen.matrix.argmax(1)]
    assert indent - below == offset * MOTIF_STEP
    assert min(indent, below) == 0


def test_a_match_whose_file_is_gone_is_shown_by_name_q_and_family(tmp_path: Path) -> None:
    report = matched(grammar_report(4), Motif("T1", np.eye(4), name="ZNF9"), tmp_path / "gone.meme", 0, "-")
    page = render_page({"x": report})
    assert "ZNF9 T1, reverse complement q = 0.0002 Zinc mine" in words(page)
    assert [len(cell) for cell in logo_cells(page)] == [1, 1]


def test_motifs_are_listed_with_their_sites_and_instances() -> None:
    report = grammar_report(100)
    assert report.instances is not None
    first = replace(report.motifs[0], name="REST left", sites=1234)
    text = words(render_page({"x": replace(report, motifs=(first, report.motifs[1]))}))
    held = report.instances[report.instances["motif"] == "left"]
    share = held["sequence"].nunique() / 100
    assert f"9 bp, probabilities information content 1,234 {len(held)} ({share:.0%} of sequences)" in text


# ---- instances -------------------------------------------------------------------------------------------


def test_the_instances_in_the_page_are_those_of_the_report() -> None:
    report = grammar_report(30)
    assert report.instances is not None
    page = render_page({"x": report})
    data: dict[str, Any] = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    [band] = data["bands"]
    assert (band["label"], band["motifs"]) == ("x", [motif.name for motif in report.motifs])
    ids = [motif.id for motif in report.motifs]
    back = [
        (ids[motif], data["sequences"][i]["id"], start, end, "+-"[reverse])
        for i, rows in enumerate(band["rows"])
        for motif, start, end, reverse, _ in rows
    ]
    expected = report.instances[["motif", "sequence", "start", "end", "strand"]]
    assert sorted(back) == sorted(expected.itertuples(index=False, name=None))


def test_of_too_many_instances_the_best_are_drawn_and_the_page_says_so_and_stays_small(
    example_reports: Callable[..., dict[str, MotifReport]],
) -> None:
    report = example_reports(50, 1000, ("Dev",))["ism"]
    rng = np.random.default_rng(0)
    n = MOST_INSTANCES + 5_000
    start = rng.integers(0, 990, n)
    table = pd.DataFrame(
        {
            "motif": rng.choice([f"m{i}" for i in range(60)], n),
            "sequence": rng.choice(report.sequences.ids, n),
            "start": start,
            "end": start + 10,
            "strand": rng.choice(["+", "-"], n),
            "score": rng.normal(8, 2, n),
        }
    )
    motifs = tuple(Motif(f"m{i}", rng.dirichlet(np.full(4, 0.3), 20)) for i in range(60))
    crowded = replace(report, motifs=motifs, instances=table)
    [band] = instance_bands(gather({"ism": crowded}), 50)
    scores = [row[4] for rows in band.rows for row in rows]
    assert (len(scores), band.total) == (MOST_INSTANCES, n)
    assert min(scores) == pytest.approx(table["score"].nlargest(MOST_INSTANCES).min(), rel=1e-3)
    page = render_page({"ism": crowded, "again": crowded})
    assert len(page.encode()) < 5_000_000
    assert "the 10,000 instances of ism with the best scores are drawn, of 25,000" in words(page)


def test_hostile_names_of_motifs_are_escaped() -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    report = grammar_report(60)
    named = replace(report, motifs=tuple(replace(motif, name=hostile + motif.id) for motif in report.motifs))
    page = render_page({"x": derive(named, CountedSyntax())})
    assert "<img" not in page
    assert page.count("<script>") == 1
    assert hostile + "left" in words(page)


# ---- syntax ----------------------------------------------------------------------------------------------


def bars(svg: str, name: str) -> list[tuple[float, float]]:
    """The middle and the height of each bar, in px."""
    paths = re.findall(rf'class="{name}" d="([^"]*)"', svg)
    found = re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)h([\d.]+)V", "".join(paths))
    return [(float(x) + float(wide) / 2, float(base) - float(top)) for x, base, top, wide in found]


MARK = re.compile(r'y="([\d.]+)" text-anchor="end">([^<]*)<')  # of the axis of values


def test_spacings_of_the_table_are_marked_bars_as_tall_as_their_counts() -> None:
    report = derive(grammar_report(), CountedSyntax(most=60))
    assert report.syntax is not None
    [group] = syntax_figures(gather({"x": report}))
    [pair] = group["pairs"]
    [picture] = pair["pictures"]
    assert (pair["logic"], picture["caption"]) == ("and", "left ▶ right ▶")
    drawn = bars(picture["svg"], "kept")
    counts = report.syntax["count"].to_numpy(float)
    assert len(drawn) == len(report.syntax)
    heights = np.array([height for _, height in drawn])
    assert heights / heights.max() == pytest.approx(counts / counts.max(), abs=0.01)
    places = np.array([x for x, _ in drawn])
    steps = np.diff(report.syntax["spacing"]) * (WIDTH - LEFT - RIGHT) / 61
    assert np.diff(places) == pytest.approx(steps, abs=0.2)
    assert picture["svg"].count('class="chance"') == 1
    # The bp that the grammar asks for stand above the bars, and pairs are counted in whole numbers.
    assert re.findall(r'class="place"[^>]*>([^<]*)<', picture["svg"]) == ["6 to 11 bp", "2 bp"]
    marks = re.findall(r'text-anchor="end">([^<]*)<', picture["svg"])
    assert all(float(mark).is_integer() for mark in marks)
    assert float(marks[-1]) >= counts.max()


def test_pairs_that_need_each_other_are_drawn_before_those_that_do_not() -> None:
    columns = (*TABLES["syntax"], "target", "interaction", "standard_error")
    rows = (
        [("a", "a", "1-2", "++", float(s), "or", 0.9, "Dev", -1.0, 0.1) for s in range(3)]
        + [("a", "c", "1-2", "++", float(s), "beside", 0.9, "Dev", 0.0, 0.1) for s in range(3)]
        + [("a", "b", "1-2", "++", float(s), "and", 0.1, "Dev", 1.0, 0.1) for s in range(3)]
    )
    report = replace(grammar_report(4), motifs=(), instances=None, syntax=pd.DataFrame(rows, columns=list(columns)))
    [group] = syntax_figures(gather({"x": report}))
    assert [pair["title"] for pair in group["pairs"]] == ["a, b", "a, c", "a, a"]


def test_a_pair_said_the_other_way_round_marks_the_same_bars() -> None:
    report = derive(grammar_report(), CountedSyntax(most=60))
    assert report.syntax is not None
    turned = report.syntax.rename(columns={"motif_1": "motif_2", "motif_2": "motif_1"}).assign(order="2-1")
    [one], [other] = (
        syntax_figures(gather({"x": held}))[0]["pairs"][0]["pictures"]
        for held in (report, replace(report, syntax=turned))
    )
    assert one["svg"] == other["svg"]


def test_patterns_and_derivation_steps_are_listed() -> None:
    report = derive(grammar_report(), CountedSyntax(most=60), seed=5)
    text = words(render_page({"x": report}))
    assert report.instances is not None
    assert re.search(r"REST - REST \d+ \d+\.\d% 1 ", text)
    assert "x syntax syntax most = 60, overlap = 0, q_value = 0.05, target = 5 " in text
    assert "10.1080/03610929708831995" in text


def test_interactions_that_were_measured_are_dots_with_their_errors() -> None:
    columns = (*TABLES["syntax"], "target", "interaction", "standard_error")
    rows = [
        ("a", "b", "1-2", "++", float(s), "and" if s == 2 else "beside", float(s == 2), "Dev", value, 0.1)
        for s, value in enumerate([0.0, -0.2, 1.0, 0.3])
    ]
    report = replace(grammar_report(4), motifs=(), instances=None, syntax=pd.DataFrame(rows, columns=list(columns)))
    [group] = syntax_figures(gather({"x": report}))
    svg = group["pairs"][0]["pictures"][0]["svg"]
    dots = re.findall(r'class="(\w+)" cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert [name for name, _, _ in dots] == ["rest", "rest", "kept", "rest"]
    heights = np.array([float(y) for _, _, y in dots])
    marks = [(float(text.replace("\N{MINUS SIGN}", "-")), float(y) - 3.6) for y, text in MARK.findall(svg)]
    (low, bottom), *_, (high, top) = marks
    assert low <= -0.3  # the axis holds all errors
    assert high >= 1.1
    scale = (bottom - top) / (high - low)
    assert heights[0] - heights == pytest.approx(scale * np.array([0, -0.2, 1.0, 0.3]), abs=0.1)
    ends = [abs(float(b) - float(a)) for a, b in re.findall(r'class="error" d="M[\d.]+ ([\d.]+)V([\d.]+)"', svg)]
    assert ends == pytest.approx([0.2 * scale] * 4, abs=0.15)
    assert group["pairs"][0]["logic"] == "and"
