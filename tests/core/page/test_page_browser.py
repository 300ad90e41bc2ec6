"""The page in a real browser: it draws, zooms, and says nothing to the console."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cislens.page import write_page
from cislens.report import MotifReport

pytestmark = pytest.mark.browser


@pytest.fixture
def long_page(example_reports: Callable[..., dict[str, MotifReport]], tmp_path: Path) -> Path:
    return write_page(example_reports(6, 1000), tmp_path / "report.html")


def test_the_page_draws_letters_without_network_or_a_word_to_the_console(browser: Any, long_page: Path) -> None:
    browser.open(long_page)
    assert browser.count("#logo .letter") > 4 * 100
    assert browser.count("#overview .window") == 1
    assert browser.complaints == []
    assert browser.requests == [long_page.as_uri()]


def test_a_short_sequence_is_shown_whole_and_a_long_one_by_its_most_important_window(
    browser: Any, long_page: Path, example_reports: Callable[..., dict[str, MotifReport]], tmp_path: Path
) -> None:
    browser.open(long_page)
    start, end = browser.window()
    reports = example_reports(6, 1000)
    importance = sum(abs(shown(report, 0)[0]) / abs(shown(report, 0)[0]).max() for report in reports.values())
    importance = importance + sum(
        abs(shown(report, 1)[0]) / abs(shown(report, 1)[0]).max() for report in reports.values()
    )
    best = max(range(801), key=lambda at: importance[at : at + 200].sum())
    assert (start, end) == (best, best + 200)
    browser.open(write_page(example_reports(3, 249), tmp_path / "short.html"))
    assert browser.window() == (0, 249)


def shown(report: MotifReport, target: int) -> Any:
    """Return the heights of letters from the definition: the observed base, of mutagenesis against the mean."""
    assert report.attributions is not None
    values = report.attributions.values[target]
    if report.attributions.gauge == "wild-type":
        values = values - values.mean(-1, keepdims=True)
    return (values * report.sequences.onehot).sum(-1)


def test_letters_are_as_tall_as_their_values(
    browser: Any, example_reports: Callable[..., dict[str, MotifReport]], tmp_path: Path
) -> None:
    reports = {"gradients": example_reports(1, 60, ("Dev",))["integrated_gradients"]}
    browser.open(write_page(reports, tmp_path / "one.html"))
    transforms = browser.run("[...document.querySelectorAll('#logo .letter')].map((l) => l.getAttribute('transform'))")
    heights = shown(reports["gradients"], 0)[0]
    scales = [float(t.rpartition(" ")[2].rstrip(")")) * 100 for t in transforms]
    pixels = 150 / (heights.max() - min(heights.min(), 0))
    drawn = [value for value in heights if abs(value) * pixels > 0.21]
    expected = [value * pixels for value in heights if abs(value) * pixels >= 0.2]
    assert len(drawn) <= len(scales) <= len(expected) + 1
    assert scales == pytest.approx(expected, abs=0.02)  # px; numbers in the SVG have five decimals of 100 px


def test_wheel_buttons_keys_and_drag_move_the_window(browser: Any, long_page: Path) -> None:
    browser.open(long_page)
    start, end = browser.window()
    browser.wheel("#overview", -120)
    closer = browser.window()
    assert closer[1] - closer[0] < end - start
    browser.click("#whole")
    assert browser.window() == (0, 1000)
    browser.click("#peak")
    assert browser.window() == (start, end)
    browser.drag("#logo", 130)
    assert browser.window()[0] < start
    browser.run("document.getElementById('logo').focus()")
    before = browser.window()
    browser.send("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
    browser.settle()
    assert browser.window()[0] == pytest.approx(before[0] + 40, abs=1)
    browser.drag("#overview", -400)
    assert browser.window()[1] < before[1]
    assert browser.complaints == []


def test_the_wheel_over_the_logo_leaves_the_page_to_scroll(browser: Any, long_page: Path) -> None:
    browser.open(long_page, height=900)
    before = browser.window()
    browser.wheel("#logo", 120)
    assert browser.window() == before


def test_choosing_sorting_and_finding_change_the_list_and_the_maps(browser: Any, long_page: Path) -> None:
    browser.open(long_page)
    browser.run("document.querySelector('#list tbody tr:nth-child(3)').click()")
    assert browser.run("document.getElementById('name').textContent") == "peak_002"
    browser.run("document.querySelector('#list thead [data-column=\"1\"]').click()")
    cells = "[...document.querySelectorAll('#list tbody tr')].map((r) => Number(r.cells[1].dataset.sort))"
    assert browser.run(cells) == sorted(browser.run(cells), reverse=True)
    browser.set("find", "peak_004", "input")
    assert browser.run("[...document.querySelectorAll('#list tbody tr')].filter((r) => !r.hidden).length") == 1
    assert browser.complaints == []


def test_every_view_scale_and_the_safe_colours_draw(browser: Any, long_page: Path) -> None:
    browser.open(long_page)
    few = browser.count("#logo .letter")
    for view, selector in (("all", "#logo .letter"), ("heat", "#logo .heat-up"), ("observed", "#logo .letter")):
        browser.set("view", view)
        assert browser.count(selector) > (few if view == "all" else 3)
    browser.set("scale", "shared")
    colour = "getComputedStyle(document.querySelector('#logo .base-T')).fill"
    usual = browser.run(colour)
    browser.click("#safe")
    assert browser.run(colour) != usual
    assert browser.complaints == []


def test_hovering_shows_the_position_and_four_values_of_each_track(browser: Any, long_page: Path) -> None:
    browser.open(long_page)
    box = browser.box("#logo")
    browser.send("Input.dispatchMouseEvent", type="mouseMoved", x=box["x"] + 500, y=box["y"] + 60)
    browser.settle()
    assert browser.run("document.getElementById('tip').hidden") is False
    assert re.match(
        r"position \d+ · base [ACGT] \(chr2L:7,025,\d{3}, plus strand\)",
        browser.run("document.getElementById('tip').textContent"),
    )
    assert browser.count("#tip tbody tr") == 4
    assert browser.count("#tip tbody td") == 16


def test_dark_mode_is_dark_and_light_mode_is_light(browser: Any, long_page: Path) -> None:
    browser.open(long_page)
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"
    assert browser.run(brightness) == 255
    browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.settle()
    assert browser.run(brightness) < 40
    width, height = struct.unpack(">II", browser.screenshot()[16:24])
    assert (width, height) == (1400, 1800)


def test_many_targets_come_with_a_selector_that_changes_the_tracks(
    browser: Any, example_reports: Callable[..., dict[str, MotifReport]], tmp_path: Path
) -> None:
    targets = tuple(f"task {i}" for i in range(10))
    browser.open(write_page(example_reports(2, 249, targets), tmp_path / "many.html"))
    titles = "[...document.querySelectorAll('#logo .title')].map((t) => t.firstChild.data)"
    assert browser.run(titles) == ["ism · task 0", "integrated_gradients · task 0"]
    browser.run("const pick = document.querySelector('#targets select'); pick.value = '7'; ")
    browser.run("document.querySelector('#targets select').dispatchEvent(new Event('change'))")
    browser.settle()
    assert browser.run(titles) == ["ism · task 7", "integrated_gradients · task 7"]


def test_hostile_ids_run_nothing(
    browser: Any, example_reports: Callable[..., dict[str, MotifReport]], tmp_path: Path
) -> None:
    ids = ("</script><script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">")
    browser.open(write_page(example_reports(2, 249, ids=ids), tmp_path / "hostile.html"))
    assert browser.run("document.getElementById('name').textContent") == ids[0]
    browser.click("#next")
    assert browser.run("document.getElementById('name').textContent") == ids[1]
    assert browser.run("document.title") != "owned"
    assert browser.count("img") == 0
    assert browser.complaints == []


def test_the_page_never_scrolls_sideways_at_800_px(browser: Any, long_page: Path) -> None:
    browser.open(long_page, width=800, height=1200)
    assert browser.run("document.documentElement.scrollWidth") <= 800
    assert browser.count("#logo .letter") > 0


def test_saved_svg_is_whole_and_brings_its_own_colours(browser: Any, long_page: Path) -> None:
    browser.open(long_page)
    browser.run("URL.createObjectURL = (blob) => { window.saved = blob; return '#'; }")
    browser.run("document.getElementById('save').click()")
    svg = browser.run("window.saved.text()")
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "var(--" not in svg
    assert "peak_000" in svg
    assert svg.count('class="letter') == browser.count("#logo .letter")
