"""The page in a real browser: it draws, zooms, and says nothing to the console."""

from __future__ import annotations

import base64
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cislens.page import write_page
from cislens.report import MotifReport

pytestmark = pytest.mark.browser

PATIENCE = 60.0  # seconds without a word, after which a test fails rather than hangs
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync "
    "--disable-component-update --hide-scrollbars --remote-debugging-pipe"
).split()


class Browser:
    """One page in Chromium; commands and events are JSON lines over two pipes (the DevTools protocol)."""

    def __init__(self, profile: Path) -> None:
        command_read, self.commands = os.pipe()
        self.events, event_write = os.pipe()
        # Chromium reads descriptor 3 and writes 4, which a shell can arrange without code between fork and exec.
        shell = f'exec "$@" 3<&{command_read} 4>&{event_write}'
        assert CHROMIUM is not None
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "chromium", CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(command_read, event_write),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(command_read)
        os.close(event_write)
        self.number, self.rest, self.session = 0, b"", ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page = self.send("Target.createTarget", url="about:blank")
        attached = self.send("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def read(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            assert select.select([self.events], [], [], PATIENCE)[0], "Chromium does not answer"
            part = os.read(self.events, 1 << 16)
            assert part, "Chromium ended"
            self.rest += part
        line, _, self.rest = self.rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        kind, params = message.get("method"), message.get("params", {})
        if kind == "Runtime.exceptionThrown" or (kind == "Log.entryAdded" and params["entry"]["level"] == "error"):
            self.complaints.append(json.dumps(params))
        elif kind == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(params["args"]))
        elif kind == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        return message

    def run(self, script: str) -> Any:
        """Return what an expression gives in the page."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def open(self, path: Path, width: int = 1400, height: int = 1800) -> None:
        self.complaints.clear()
        self.requests.clear()
        self.send("Emulation.setEmulatedMedia", features=[])
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.send("Page.navigate", url=path.as_uri())
        while self.read().get("method") != "Page.loadEventFired":
            pass
        self.settle()

    def settle(self) -> None:
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def wheel(self, selector: str, delta: float) -> None:
        box = self.box(selector)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.send("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=delta)
        self.settle()

    def drag(self, selector: str, by: float) -> None:
        box = self.box(selector)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind, at in (("mousePressed", x), ("mouseMoved", x + by), ("mouseReleased", x + by)):
            buttons = 0 if kind == "mouseReleased" else 1
            self.send("Input.dispatchMouseEvent", type=kind, x=at, y=y, button="left", buttons=buttons, clickCount=1)
        self.settle()

    def set(self, element: str, value: str, event: str = "change") -> None:
        """Fill in a field as a reader would."""
        self.run(f"document.getElementById('{element}').value = '{value}'")
        self.run(f"document.getElementById('{element}').dispatchEvent(new Event('{event}'))")
        self.settle()

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector('{selector}').click()")
        self.settle()

    def box(self, selector: str) -> dict[str, float]:
        self.run(f"document.querySelector('{selector}').scrollIntoView({{block: 'center', behavior: 'instant'}})")
        found = self.run(f"JSON.stringify(document.querySelector('{selector}').getBoundingClientRect())")
        return dict(json.loads(found))

    def window(self) -> tuple[int, int]:
        """Return the positions that the page says it shows."""
        text = self.run("document.getElementById('window').textContent")
        found = re.match(r"Positions (\d+) to (\d+) ", text)
        assert found, text
        return int(found[1]), int(found[2])

    def screenshot(self) -> bytes:
        return base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        os.close(self.commands)
        os.close(self.events)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None or shutil.which("bash") is None:
        pytest.skip("Chromium is not installed")
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def long_page(example_reports: Callable[..., dict[str, MotifReport]], tmp_path: Path) -> Path:
    return write_page(example_reports(6, 1000), tmp_path / "report.html")


def count(browser: Browser, selector: str) -> int:
    return int(browser.run(f"document.querySelectorAll('{selector}').length"))


def test_the_page_draws_letters_without_network_or_a_word_to_the_console(browser: Browser, long_page: Path) -> None:
    browser.open(long_page)
    assert count(browser, "#logo .letter") > 4 * 100
    assert count(browser, "#overview .window") == 1
    assert browser.complaints == []
    assert browser.requests == [long_page.as_uri()]


def test_a_short_sequence_is_shown_whole_and_a_long_one_by_its_most_important_window(
    browser: Browser, long_page: Path, example_reports: Callable[..., dict[str, MotifReport]], tmp_path: Path
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
    browser: Browser, example_reports: Callable[..., dict[str, MotifReport]], tmp_path: Path
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


def test_wheel_buttons_keys_and_drag_move_the_window(browser: Browser, long_page: Path) -> None:
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


def test_the_wheel_over_the_logo_leaves_the_page_to_scroll(browser: Browser, long_page: Path) -> None:
    browser.open(long_page, height=900)
    before = browser.window()
    browser.wheel("#logo", 120)
    assert browser.window() == before


def test_choosing_sorting_and_finding_change_the_list_and_the_maps(browser: Browser, long_page: Path) -> None:
    browser.open(long_page)
    browser.run("document.querySelector('#list tbody tr:nth-child(3)').click()")
    assert browser.run("document.getElementById('name').textContent") == "peak_002"
    browser.run("document.querySelector('#list thead [data-column=\"1\"]').click()")
    cells = "[...document.querySelectorAll('#list tbody tr')].map((r) => Number(r.cells[1].dataset.sort))"
    assert browser.run(cells) == sorted(browser.run(cells), reverse=True)
    browser.set("find", "peak_004", "input")
    assert browser.run("[...document.querySelectorAll('#list tbody tr')].filter((r) => !r.hidden).length") == 1
    assert browser.complaints == []


def test_every_view_scale_and_the_safe_colours_draw(browser: Browser, long_page: Path) -> None:
    browser.open(long_page)
    few = count(browser, "#logo .letter")
    for view, selector in (("all", "#logo .letter"), ("heat", "#logo .heat-up"), ("observed", "#logo .letter")):
        browser.set("view", view)
        assert count(browser, selector) > (few if view == "all" else 3)
    browser.set("scale", "shared")
    colour = "getComputedStyle(document.querySelector('#logo .base-T')).fill"
    usual = browser.run(colour)
    browser.click("#safe")
    assert browser.run(colour) != usual
    assert browser.complaints == []


def test_hovering_shows_the_position_and_four_values_of_each_track(browser: Browser, long_page: Path) -> None:
    browser.open(long_page)
    box = browser.box("#logo")
    browser.send("Input.dispatchMouseEvent", type="mouseMoved", x=box["x"] + 500, y=box["y"] + 60)
    browser.settle()
    assert browser.run("document.getElementById('tip').hidden") is False
    assert re.match(
        r"position \d+ · base [ACGT] \(chr2L:7,025,\d{3}, plus strand\)",
        browser.run("document.getElementById('tip').textContent"),
    )
    assert count(browser, "#tip tbody tr") == 4
    assert count(browser, "#tip tbody td") == 16


def test_dark_mode_is_dark_and_light_mode_is_light(browser: Browser, long_page: Path) -> None:
    browser.open(long_page)
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"
    assert browser.run(brightness) == 255
    browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.settle()
    assert browser.run(brightness) < 40
    width, height = struct.unpack(">II", browser.screenshot()[16:24])
    assert (width, height) == (1400, 1800)


def test_many_targets_come_with_a_selector_that_changes_the_tracks(
    browser: Browser, example_reports: Callable[..., dict[str, MotifReport]], tmp_path: Path
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
    browser: Browser, example_reports: Callable[..., dict[str, MotifReport]], tmp_path: Path
) -> None:
    ids = ("</script><script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">")
    browser.open(write_page(example_reports(2, 249, ids=ids), tmp_path / "hostile.html"))
    assert browser.run("document.getElementById('name').textContent") == ids[0]
    browser.click("#next")
    assert browser.run("document.getElementById('name').textContent") == ids[1]
    assert browser.run("document.title") != "owned"
    assert count(browser, "img") == 0
    assert browser.complaints == []


def test_the_page_never_scrolls_sideways_at_800_px(browser: Browser, long_page: Path) -> None:
    browser.open(long_page, width=800, height=1200)
    assert browser.run("document.documentElement.scrollWidth") <= 800
    assert count(browser, "#logo .letter") > 0


def test_saved_svg_is_whole_and_brings_its_own_colours(browser: Browser, long_page: Path) -> None:
    browser.open(long_page)
    browser.run("URL.createObjectURL = (blob) => { window.saved = blob; return '#'; }")
    browser.run("document.getElementById('save').click()")
    svg = browser.run("window.saved.text()")
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "var(--" not in svg
    assert "peak_000" in svg
    assert svg.count('class="letter') == count(browser, "#logo .letter")
