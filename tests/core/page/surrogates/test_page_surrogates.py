"""What the page holds of surrogates: curves, pair terms, standard errors, and measures under readable names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.core.page.reading import payload, words

from cislens.page import render_page
from cislens.page.curve_figures import MOST_POINTS, curve_figures
from cislens.page.gathering import gather
from cislens.page.interaction_figures import MOST_BLOCKS, MOST_PAIRS, interaction_figures
from cislens.page.payload import decode, plan
from cislens.report import MotifReport, Validity
from cislens.sequences import Sequences

MakeReport = Callable[..., MotifReport]


def unpacked(table: dict[str, Any]) -> np.ndarray:
    return decode(table["scale"], table["data"], 16, table["columns"])


def rows_of(report: MotifReport, kind: str, target: str, sequence: str) -> np.ndarray:
    assert report.curves is not None
    table = report.curves
    kept = table[(table["kind"] == kind) & (table["target"] == target) & (table["sequence"] == sequence)]
    return kept[["latent", "value", "lower", "upper"]].to_numpy(float)


def terms_of(picture: dict[str, Any]) -> dict[tuple[int, int, str, str], float]:
    """Return the terms of a heat map by positions and bases."""
    pairs = decode(1.0, picture["pairs"], 16, 2).astype(int) + picture["start"]
    terms = decode(picture["scale"], picture["data"], 8, 1 if picture["bases"] else 16)
    if picture["bases"]:
        each = decode(1.0, picture["bases"], 8, 1).astype(int)
    else:
        each = np.tile(np.arange(16), (len(pairs), 1))
    return {
        (int(first), int(second), "ACGT"[base // 4], "ACGT"[base % 4]): float(value)
        for (first, second), bases, values in zip(pairs, each, terms, strict=True)
        for base, value in zip(bases, values, strict=True)
    }


# ---- curves ----------------------------------------------------------------------------------------------


def test_each_sequence_and_target_has_its_curve_its_answers_and_its_fit(surrogate_report: MakeReport) -> None:
    report = surrogate_report(3)
    pictures = payload(render_page({"squid": report}))["curves"]
    assert [(p["sequence"], p["name"]) for p in pictures] == [(i, t) for i in range(3) for t in ("Dev", "Hk")]
    for picture in pictures:
        name, target = report.sequences.ids[picture["sequence"]], picture["name"]
        assert picture["target"] == report.targets.index(target)
        assert picture["fit"] == pytest.approx(
            report.validity.measures["r2_mode"][picture["target"], picture["sequence"]], abs=5e-4
        )
        (line,) = picture["lines"]
        assert unpacked(line) == pytest.approx(rows_of(report, "surrogate", target, name), abs=line["scale"])
        answers = rows_of(report, "held out", target, name)[:, :2]
        assert unpacked(picture["points"]) == pytest.approx(answers, abs=picture["points"]["scale"])
        wild = rows_of(report, "wild type", target, name)[:, :2]
        assert unpacked(picture["mark"]) == pytest.approx(wild, abs=picture["mark"]["scale"])


def test_of_many_answers_some_from_the_first_to_the_last_are_drawn(surrogate_report: MakeReport) -> None:
    report = surrogate_report(1, answers=3 * MOST_POINTS + 1)
    picture = payload(render_page({"squid": report}))["curves"][0]
    drawn, all_of_them = unpacked(picture["points"]), rows_of(report, "held out", "Dev", "peak_000")[:, :2]
    assert len(drawn) == MOST_POINTS
    assert drawn[[0, -1]] == pytest.approx(all_of_them[[0, -1]], abs=picture["points"]["scale"])


def test_a_band_with_heavy_tails_does_not_round_the_line_away(surrogate_report: MakeReport) -> None:
    report = surrogate_report(1)
    assert report.curves is not None
    table = report.curves.copy()
    table["lower"] = table["lower"].where(table["latent"] < 1, -1e10)
    (line,) = payload(render_page({"squid": replace(report, curves=table)}))["curves"][0]["lines"]
    exact = rows_of(report, "surrogate", "Dev", "peak_000")
    assert np.abs(unpacked(line)[:, 1] - exact[:, 1]).max() < 1e-3 * np.ptp(exact[:, 1])


def test_a_line_without_bounds_has_no_band(surrogate_report: MakeReport) -> None:
    report = surrogate_report(1)
    assert report.curves is not None
    page = render_page({"squid": replace(report, curves=report.curves.assign(lower=np.nan, upper=np.nan))})
    assert [line["columns"] for line in payload(page)["curves"][0]["lines"]] == [2]


@pytest.mark.parametrize("nameless", ["", None])
def test_a_curve_of_no_sequence_speaks_of_the_model(surrogate_report: MakeReport, nameless: str | None) -> None:
    report = surrogate_report(1)
    assert report.curves is not None
    alone = MotifReport(
        Sequences(np.zeros((0, 0, 4), np.uint8), ()),
        curves=report.curves.assign(sequence=nameless),
        validity=Validity({}, {"r2_mode": 0.8125}),
        provenance=report.provenance,
    )
    page = render_page({"global": alone})
    pictures = payload(page)["curves"]
    assert [(p["sequence"], p["name"], p["fit"]) for p in pictures] == [(-1, "Dev", 0.812), (-1, "Hk", 0.812)]
    assert 'id="curves"' in page


def test_a_design_in_random_backgrounds_is_drawn_under_its_name_with_its_own_fit(surrogate_report: MakeReport) -> None:
    report = surrogate_report(1, targets=("Dev",))
    assert report.curves is not None
    designs = [report.curves.assign(sequence=name) for name in ("A 5 bp B", "A 9 bp B")]
    fits = {"r2_mode of A 5 bp B on Dev": 0.25, "r2_mode of A 9 bp B on Dev": 0.75}
    page = render_page({"global": replace(report, curves=pd.concat(designs), validity=Validity({}, fits))})
    pictures = payload(page)["curves"]
    assert [(p["sequence"], p["of"], p["fit"]) for p in pictures] == [(-1, "A 5 bp B", 0.25), (-1, "A 9 bp B", 0.75)]
    assert "held-out R² of the most probable answer: A 9 bp B on Dev 0.75" in words(page)
    assert words(page).count("share of the variance of held-out variants that the surrogate's curve explains") == 1


# ---- pair terms ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_a_heat_map_holds_each_pair_term_whichever_position_comes_first(
    surrogate_report: MakeReport, turned: bool
) -> None:
    report = surrogate_report(2, window=(20, 32))
    table = report.interactions
    assert table is not None
    if turned:
        swap = {"position_1": "position_2", "position_2": "position_1", "base_1": "base_2", "base_2": "base_1"}
        report = replace(report, interactions=table.rename(columns=swap).sample(frac=1, random_state=0))
    for picture in payload(render_page({"squid": report}))["interactions"]:
        of_it = table[(table["target"] == picture["name"]) & (table["sequence"] == f"peak_{picture['sequence']:03d}")]
        keys = of_it[["position_1", "position_2", "base_1", "base_2"]].itertuples(index=False, name=None)
        exact = dict(zip(keys, of_it["value"], strict=True))
        held = terms_of(picture)
        assert (picture["start"], picture["span"], picture["bases"]) == (20, 12, None)
        assert set(held) == set(exact)
        assert max(abs(held[key] - exact[key]) for key in exact) <= picture["scale"] / 2 * (1 + 1e-6)


def test_of_a_wide_window_each_pair_has_its_largest_term(surrogate_report: MakeReport) -> None:
    width = MOST_BLOCKS + 6
    report = surrogate_report(1, targets=("Dev",), window=(5, 5 + width))
    table = report.interactions
    assert table is not None
    (picture,) = payload(render_page({"squid": report}))["interactions"]
    held = terms_of(picture)
    largest = table.loc[table["value"].abs().groupby([table["position_1"], table["position_2"]]).idxmax()]
    assert len(held) == len(largest) == width * (width - 1) // 2
    for row in largest.to_dict("records"):
        key = (row["position_1"], row["position_2"], row["base_1"], row["base_2"])
        assert held[key] == pytest.approx(row["value"], abs=picture["scale"])
    assert "only the largest term of each pair is drawn" in words(render_page({"squid": report}))


def test_a_wide_heat_map_keeps_the_strongest_pairs(surrogate_report: MakeReport) -> None:
    report = surrogate_report(1, targets=("Dev",), window=(0, 120))
    gathered = gather({"squid": report})
    (picture,) = interaction_figures(gathered, plan(gathered)).pictures
    held = np.abs(list(terms_of(picture).values()))
    assert len(held) == MOST_PAIRS < 120 * 119 // 2
    assert report.interactions is not None
    sizes = report.interactions["value"].abs().groupby([report.interactions[f"position_{k}"] for k in (1, 2)]).max()
    assert held.min() == pytest.approx(sizes.sort_values().iloc[-MOST_PAIRS], abs=picture["scale"])


def test_of_neighbours_alone_a_wide_window_has_all_terms(surrogate_report: MakeReport) -> None:
    report = surrogate_report(1, targets=("Dev",), window=(0, MOST_BLOCKS + 9))
    table = report.interactions
    assert table is not None
    near = table[table["position_2"] == table["position_1"] + 1]
    (picture,) = payload(render_page({"squid": replace(report, interactions=near)}))["interactions"]
    assert (picture["neighbours"], picture["bases"]) == (True, None)
    assert len(terms_of(picture)) == len(near)


def test_pair_terms_that_are_all_zero_make_an_empty_heat_map_of_the_window(surrogate_report: MakeReport) -> None:
    report = surrogate_report(1, targets=("Dev",), window=(20, 32))
    assert report.interactions is not None
    empty = replace(report, interactions=report.interactions.assign(value=0.0))
    (picture,) = payload(render_page({"squid": empty}))["interactions"]
    assert (picture["start"], picture["span"], picture["pairs"], picture["data"]) == (20, 12, "", "")


# ---- the size of the page --------------------------------------------------------------------------------


def test_seventy_sequences_with_curves_and_pairs_stay_under_5_mb_and_the_page_says_what_is_not_drawn(
    surrogate_report: MakeReport,
) -> None:
    report = surrogate_report(70, length=249, window=(100, 130), answers=MOST_POINTS)
    page = render_page({"squid": report})
    assert len(page.encode()) < 5_000_000
    for name, table in (("curves", report.curves), ("interactions", report.interactions)):
        held = payload(page)[name]
        assert table is not None
        total = len(table[["target", "sequence"]].drop_duplicates())
        assert 10 < len(held) < total
        assert sorted({p["sequence"] for p in held}) == list(range(len({p["sequence"] for p in held})))
        assert f"this page draws the first {len(held)} of {total} {name}" in words(page)


def test_a_report_that_is_drawn_whole_says_nothing_of_limits(surrogate_report: MakeReport) -> None:
    gathered = gather({"squid": surrogate_report(2)})
    drawn = curve_figures(gathered, plan(gathered))
    assert (len(drawn.pictures), drawn.total, drawn.limit("curves")) == (4, 4, "")


# ---- standard errors -------------------------------------------------------------------------------------


def test_standard_errors_are_held_beside_the_map_and_unknown_ones_are_negative(surrogate_report: MakeReport) -> None:
    report = surrogate_report(2)
    assert report.standard_errors is not None
    errors = report.standard_errors.copy()
    errors[0, 0, 5] = np.nan
    errors[1, 1] = np.nan
    tracks = payload(render_page({"squid": replace(report, standard_errors=errors)}))["tracks"]
    assert tracks[1]["errors"][1] is None
    scale, text = tracks[0]["errors"][0]
    held = decode(scale, text, 8, 4)
    known = np.isfinite(errors[0, 0])
    assert np.abs(held - errors[0, 0])[known].max() <= scale / 2 * (1 + 1e-6)
    assert (held[~known] < 0).all()


def test_a_page_of_observed_bases_alone_holds_their_errors(surrogate_report: MakeReport) -> None:
    report = surrogate_report(2, length=60, window=None)
    gathered = gather({"squid": report})
    held = replace(plan(gathered), observed=True, bits=8)
    from cislens.page.payload import build_payload

    scale, text = build_payload(gathered, held, [])["tracks"][0]["errors"][1]
    assert report.standard_errors is not None
    exact = (report.standard_errors[0, 1] * report.sequences.onehot[1]).sum(-1)
    assert decode(scale, text, 8, 1)[:, 0] == pytest.approx(exact, abs=scale)


# ---- words -----------------------------------------------------------------------------------------------


def test_measures_of_a_surrogate_have_readable_names_and_their_own_meanings(surrogate_report: MakeReport) -> None:
    text = words(render_page({"squid": surrogate_report(2)}))
    assert "held-out R² of the most probable answer" in text
    assert "correlation with single mutants" in text
    assert "the surrogate's effects of all single substitutions with the model's own" in text
    assert "agreement with the model on held-out sequences" not in text
    assert "r2_mode" not in text.partition("Provenance")[0]


def test_reports_of_other_explainers_have_no_such_sections(example_reports: Callable[..., Any]) -> None:
    page = render_page(example_reports(2, 60))
    assert 'id="curves"' not in page
    assert 'id="interactions"' not in page
    data = payload(page)
    assert data["curves"] == data["interactions"] == []
    assert [track["errors"] for track in data["tracks"]] == [None] * 4
    assert "latent phenotype" not in words(page)


def test_the_strongest_pair_terms_are_listed_and_rows_of_curves_are_not(surrogate_report: MakeReport) -> None:
    report = surrogate_report(1, targets=("Dev",), window=(20, 32))
    table = report.interactions
    assert isinstance(table, pd.DataFrame)
    text = words(render_page({"squid": report}))
    assert f"first 20 of {len(table):,} rows" in text
    assert "held out" not in text.partition("How to read")[0].partition("Curves of")[2]
