"""Instances above the maps, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cislens.motif import Motif
from cislens.page import write_page
from cislens.report import TABLES, MotifReport

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def page(example_reports: Callable[..., dict[str, MotifReport]], motif_report: Any, tmp_path: Path) -> Path:
    report = example_reports(2, 249, ("Dev",))["ism"]
    rows = [
        ("m0", "peak_000", 20, 40, "+", 5.0),
        ("m1", "peak_000", 100, 130, "-", 4.0),
        ("m1", "peak_000", 120, 150, "+", 3.0),
        ("m0", "peak_001", 60, 90, "-", 2.0),
    ]
    motifs = (
        replace(motif_report().motifs[0], name="AP-1"),
        Motif("m1", motif_report().motifs[0].matrix, name=HOSTILE),
    )
    table = pd.DataFrame(rows, columns=list(TABLES["instances"]))
    return write_page({"ism": replace(report, motifs=motifs, instances=table)}, tmp_path / "report.html")


def boxes(browser: Any) -> list[tuple[float, float, float, bool]]:
    """Of each box its ends and its top, and whether it points to the left."""
    found = []
    for d in browser.run("[...document.querySelectorAll('#logo .instance')].map((p) => p.getAttribute('d'))"):
        xs = [float(x) for x in re.findall(r"[MHL]([\d.]+)", d)]
        top = float(re.match(r"M[\d.]+ ([\d.]+)", d)[1])  # type: ignore[index]
        found.append((min(xs), max(xs), top, xs[0] == max(xs)))
    return found


def test_instances_stand_above_the_map_where_they_lie_and_point_as_they_read(browser: Any, page: Path) -> None:
    browser.open(page)
    step = (browser.run("document.getElementById('logo').clientWidth") - 92 - 10) / 249
    drawn = boxes(browser)
    ends = [(20, 40), (100, 130), (120, 150)]
    for (left, right, _, _), (start, end) in zip(drawn, ends, strict=True):
        assert (left, right) == pytest.approx((92 + start * step, 92 + end * step), abs=1.0)
    assert [back for *_, back in drawn] == [False, True, False]
    tops = [top for _, _, top, _ in drawn]
    assert tops[0] == tops[1] < tops[2]  # what overlaps goes to another lane
    assert "AP-1, positions 20 to 40, plus strand, score 5" in browser.run(
        "document.querySelector('#logo .instance').parentNode.querySelector('title').textContent"
    )
    assert browser.complaints == []


def test_instances_follow_the_sequence_and_the_window(browser: Any, page: Path) -> None:
    browser.open(page)
    browser.click("#next")
    assert [back for *_, back in boxes(browser)] == [True]
    before = boxes(browser)[0]
    browser.click("#closer")
    after = boxes(browser)
    assert not after or after[0][1] - after[0][0] > before[1] - before[0]


def test_names_of_motifs_run_nothing_and_are_in_the_saved_picture(browser: Any, page: Path) -> None:
    browser.open(page)
    assert browser.run("document.title") != "owned"
    assert browser.run("document.querySelectorAll('img').length") == 0
    browser.run("URL.createObjectURL = (blob) => { window.saved = blob; return '#'; }")
    browser.run("document.getElementById('save').click()")
    svg = browser.run("window.saved.text()")
    assert svg.count('class="instance motif-') == 3
    assert "AP-1" in svg
    assert "<img" not in svg


def test_the_page_with_motifs_never_scrolls_sideways_at_700_px(browser: Any, page: Path) -> None:
    browser.open(page, width=700, height=1200)
    assert browser.run("document.documentElement.scrollWidth") <= 700
    assert len(boxes(browser)) == 3
