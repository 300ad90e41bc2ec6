"""Surrogates in a real browser: curves, heat maps and pale letters are drawn, follow the sequence, and can be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cislens.page import write_page
from cislens.report import MotifReport
from cislens.sequences import Sequences

pytestmark = pytest.mark.browser
MakeReport = Callable[..., MotifReport]


def point_at(browser: Any, selector: str, x: float, y: float) -> None:
    """Move the pointer to a place of a picture, in px from its upper left corner."""
    box = browser.box(selector)
    browser.send("Input.dispatchMouseEvent", type="mouseMoved", x=box["x"] + x, y=box["y"] + y)
    browser.settle()


def test_curves_follow_the_sequence_and_the_targets(browser: Any, surrogate_report: MakeReport, tmp_path: Path) -> None:
    report = surrogate_report(3, answers=77)
    browser.open(write_page({"squid": report}, tmp_path / "report.html"))
    for i in range(3):
        fit = report.validity.measures["r2_mode"][0, i]
        assert browser.text("#curves .chosen-id") == f"of peak_00{i}"
        assert browser.count("#curves .curve .line") == browser.count("#curves .band") == 2
        assert float(re.findall(r"[\d.]+$", browser.text("#curves .fit"))[0]) == pytest.approx(fit, abs=6e-4)
        dots = browser.run("document.querySelector('#curves .answers').getAttribute('d')")
        assert dots.count("M") == 77
        browser.click("#next")
    browser.click("#targets button")  # the first target is hidden
    assert "Hk" in browser.text("#curves figcaption")
    assert browser.count("#curves .curve") == browser.count("#interactions .pairs") == 1
    assert browser.complaints == []


@pytest.mark.parametrize("width", [14, 80])
def test_hovering_a_heat_map_reads_the_term_below_the_pointer(
    browser: Any, surrogate_report: MakeReport, tmp_path: Path, width: int
) -> None:
    report = surrogate_report(1, targets=("Dev",), window=(20, 20 + width))
    assert report.interactions is not None
    browser.open(write_page({"squid": report}, tmp_path / "report.html"))
    block = 24 if width == 14 else 6.5
    point_at(browser, ".pairs", 62 + 3.375 * block, 8 + 9.875 * block)  # 23 with 29, at 14 bp the bases C and T
    read = re.fullmatch(
        r"([ACGT]) at 23 with ([ACGT]) at 29: ([-\d.e]+)(?:, the largest of this pair)?the sequence has (\w) and (\w)",
        browser.text("#interactions .tip").replace("−", "-"),
    )
    assert read
    table = report.interactions
    of_pair = table[(table["position_1"] == 23) & (table["position_2"] == 29)].to_dict("records")
    if width == 14:
        (wanted,) = (row for row in of_pair if (row["base_1"], row["base_2"]) == ("C", "T"))
    else:
        wanted = max(of_pair, key=lambda row: abs(row["value"]))
    assert (read[1], read[2]) == (wanted["base_1"], wanted["base_2"])
    assert float(read[3]) == pytest.approx(wanted["value"], abs=0.006)  # two figures of what is rounded to 1/127
    bases = report.sequences.strings()[0]
    assert (read[4], read[5]) == (bases[23], bases[29])
    point_at(browser, ".pairs", 62 + 9 * block, 8 + 3 * block)  # above the diagonal
    assert browser.run("document.querySelector('#interactions .tip').hidden") is True


def test_a_term_is_drawn_at_its_positions_and_bases(browser: Any, surrogate_report: MakeReport, tmp_path: Path) -> None:
    report = surrogate_report(1, targets=("Dev",), window=(20, 34))
    table = report.interactions
    assert table is not None
    at = (table["position_1"] == 23) & (table["position_2"] == 29) & (table["base_1"] == "C") & (table["base_2"] == "T")
    browser.open(
        write_page({"squid": replace(report, interactions=table.assign(value=0.5 * at))}, tmp_path / "one.html")
    )
    cells = browser.run("[...document.querySelectorAll('.pairs > g:first-child path')].map((p) => p.getAttribute('d'))")
    block = 24  # px of a position, a quarter of it a base; the margins are 62 and 8
    assert cells == [f"M{62 + 3 * block + block // 4} {8 + 9 * block + 3 * block // 4}h6v6h-6z"]


def test_hovering_a_strip_of_neighbours_reads_the_term_below_the_pointer(
    browser: Any, surrogate_report: MakeReport, tmp_path: Path
) -> None:
    report = surrogate_report(1, targets=("Dev",), window=(20, 31))
    table = report.interactions
    assert table is not None
    near = table[table["position_2"] == table["position_1"] + 1]
    browser.open(write_page({"squid": replace(report, interactions=near)}, tmp_path / "report.html"))
    point_at(browser, ".pairs", 62 + 4.5 * 24, 64 + 6.5 * 9)  # the fifth pair of neighbours, the seventh pair of bases
    read = re.match(r"C at 24 with G at 25: (\S+?)the", browser.text("#interactions .tip").replace("−", "-"))
    assert read
    kept = near[(near["position_1"] == 24) & (near["base_1"] == "C") & (near["base_2"] == "G")]
    assert float(read[1]) == pytest.approx(kept["value"].item(), abs=0.006)
    assert browser.count(".pairs .letters text") == 11


def test_of_several_designs_one_is_drawn_and_another_can_be_chosen(
    browser: Any, surrogate_report: MakeReport, tmp_path: Path
) -> None:
    report = surrogate_report(1, targets=("Dev",))
    assert report.curves is not None
    table = pd.concat([report.curves.assign(sequence=f"A {bp} bp B") for bp in (5, 9)])
    table = table[(table["sequence"] == "A 5 bp B") | (table["kind"] != "wild type")]
    browser.open(write_page({"global": replace(report, curves=table, interactions=None)}, tmp_path / "report.html"))
    assert (browser.count("#curves .curve"), browser.count("#curves .wild")) == (1, 1)
    browser.run("document.querySelector('#curves select').selectedIndex = 1")
    browser.run("document.querySelector('#curves select').dispatchEvent(new Event('change'))")
    assert (browser.count("#curves .curve"), browser.count("#curves .wild")) == (1, 0)
    assert browser.complaints == []


@pytest.mark.parametrize("view", ["observed", "all"])
def test_letters_within_196_standard_errors_of_zero_are_pale(
    browser: Any, surrogate_report: MakeReport, tmp_path: Path, view: str
) -> None:
    report = surrogate_report(1, 60, ("Dev",))
    maps = report.attributions
    assert maps is not None
    values, sure = np.sign(maps.values), np.abs(maps.values) > 0.02
    errors = np.where(sure, 1 / 2.05, 1 / 1.87)
    marked = replace(report, attributions=replace(maps, values=values), standard_errors=errors)
    browser.open(write_page({"squid": marked}, tmp_path / "report.html"))
    browser.set("view", view)
    drawn = report.sequences.onehot[0].astype(bool) if view == "observed" else np.ones((60, 4), bool)
    assert browser.count("#logo .letter:not(.unsure)") == (sure[0, 0] & drawn).sum()
    assert browser.count("#logo .letter.unsure") == (~sure[0, 0] & drawn).sum() > 0
    assert "pale: within 1.96 standard errors of zero" in browser.text("#logo")


def test_hovering_a_map_reads_values_with_their_errors(
    browser: Any, surrogate_report: MakeReport, tmp_path: Path
) -> None:
    browser.open(write_page({"squid": surrogate_report(1, 60, ("Dev",))}, tmp_path / "report.html"))
    point_at(browser, "#logo", 400, 60)
    cells = browser.run("[...document.querySelectorAll('#tip td')].map((cell) => cell.textContent)")
    assert all(re.fullmatch(r"−?[\d.e−]+ ± 0\.0\d+", cell) for cell in cells), cells


def test_pair_terms_that_are_all_zero_are_said_to_be_none(
    browser: Any, surrogate_report: MakeReport, tmp_path: Path
) -> None:
    report = surrogate_report(1, targets=("Dev",))
    assert report.interactions is not None
    empty = replace(report, interactions=report.interactions.assign(value=0.0))
    browser.open(write_page({"squid": empty}, tmp_path / "report.html"))
    assert "The surrogate found none: all terms are zero" in browser.text("#interactions .card")
    assert browser.count(".pairs") == 0
    assert browser.complaints == []


def test_a_curve_of_no_sequence_is_drawn_on_a_page_without_sequences(
    browser: Any, surrogate_report: MakeReport, tmp_path: Path
) -> None:
    report = surrogate_report(1, targets=("Dev",))
    assert report.curves is not None
    assert report.interactions is not None
    alone = MotifReport(
        Sequences(np.zeros((0, 0, 4), np.uint8), ()),
        curves=report.curves.assign(sequence=""),
        interactions=report.interactions.assign(sequence=""),
    )
    browser.open(write_page({"global": alone}, tmp_path / "report.html"))
    assert browser.count("#curves .curve .line") == 1
    assert browser.count("#interactions .pairs") == 1
    assert "of the model" in browser.text("#curves figcaption")
    assert browser.complaints == []


@pytest.mark.parametrize("width", [800, 1400])
def test_surrogates_never_make_the_page_scroll_sideways(
    browser: Any, surrogate_report: MakeReport, tmp_path: Path, width: int
) -> None:
    report = surrogate_report(1, 249, window=(100, 140))
    browser.open(write_page({"squid": report}, tmp_path / "report.html"), width=width)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.complaints == []
