"""Reports as explainers would write them, made by hand, and a browser to look at their pages."""

from __future__ import annotations

import base64
import json
import os
import re
import select
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cislens.motif import Motif
from cislens.report import Attributions, Cost, Masks, MotifReport, Provenance, Validity
from cislens.sequences import Dropped, Region, Sequences

SITES = ("TGACTCA", "GATAAG")


def planted_sequences(n: int, length: int, rng: np.random.Generator, ids: tuple[str, ...] = ()) -> Sequences:
    """Return random sequences with one site of each kind, on the genome, every third on the minus strand."""
    codes = rng.integers(0, 4, (n, length))
    for row in codes:
        for k, site in enumerate(SITES):
            at = int(rng.integers(k * length // 2, (k + 1) * length // 2 - len(site)))
            row[at : at + len(site)] = ["ACGT".index(base) for base in site]
    onehot = np.eye(4, dtype=np.uint8)[codes]
    regions = tuple(
        Region("chr2L", 7_025_000 + 5_000 * i, 7_025_000 + 5_000 * i + length, "-" if i % 3 == 2 else "+")
        for i in range(n)
    )
    names = ids or tuple(f"peak_{i:03d}" for i in range(n))
    return Sequences(onehot, names, regions, (), ("3 ambiguous bases were read as N",))


def effects(sequences: Sequences, targets: int, rng: np.random.Generator) -> np.ndarray:
    """Return (t, n, length, 4) with large values at the planted sites; the second target lowers at the first site."""
    onehot = sequences.onehot.astype(float)
    values = rng.normal(0, 0.03, (targets, *onehot.shape))
    for i, text in enumerate(sequences.strings()):
        for k, site in enumerate(SITES):
            at = text.find(site)
            for t in range(targets):
                sign = -1.0 if (t + k) % 3 == 1 else 1.0
                size = sign * (1.0 - 0.15 * t) * rng.uniform(0.5, 1.0, (len(site), 1))
                values[t, i, at : at + len(site)] += size * (onehot[i, at : at + len(site)] - 0.25)
    return values.astype(np.float32)


def provenance(explainer: str, targets: tuple[str, ...], references: tuple[str, ...], cost: Cost) -> Provenance:
    return Provenance(
        explainer=explainer,
        settings={"steps": 50, "correct": True} if explainer != "ism" else {},
        targets=tuple({"target": name} for name in targets),
        seed=7,
        model={
            "name": "DeepSTARR.model",
            "kind": "KerasOracle",
            "fingerprint": "8f14e45fceea167a5a36dedd4bea2543",
            "length": 249,
            "heads": [
                {"name": "Dev", "shape": [1], "axes": ["output"], "outputs": [], "scale": "unknown"},
                {"name": "Hk", "shape": [1], "axes": ["output"], "outputs": [], "scale": "unknown"},
            ],
            "options": {"channels": "last"},
        },
        references=references,
        versions={"python": "3.11.9", "cislens": "0.1.0", "numpy": "2.2.0"},
        cost=cost,
    )


def example_reports(
    n: int = 20, length: int = 249, targets: tuple[str, ...] = ("Dev", "Hk"), seed: int = 0, ids: tuple[str, ...] = ()
) -> dict[str, MotifReport]:
    """Return reports of mutagenesis (wild-type gauge) and integrated gradients on the same sequences."""
    rng = np.random.default_rng(seed)
    sequences = planted_sequences(n, length, rng, ids)
    predictions = rng.gamma(2.0, 0.8, (len(targets), n)) - 0.5
    values = effects(sequences, len(targets), rng)
    at_own = (values * sequences.onehot).sum(-1, keepdims=True)
    known = sequences.onehot.any(-1, keepdims=True)
    mutagenesis = MotifReport(
        sequences,
        predictions,
        Attributions((values - at_own) * known, gauge="wild-type", unit="change of the target"),
        provenance=provenance("ism", targets, ("10.1038/nmeth.3547",), Cost(12.4, 3 * n * length, 0)),
        dropped=(Dropped("peak_101", "it holds 61 N, more than the 10% that were allowed"),),
    )
    gradients = MotifReport(
        sequences,
        predictions,
        Attributions(values + rng.normal(0, 0.02, values.shape).astype(np.float32), gauge="reference", unit="target"),
        validity=Validity(
            {"convergence delta": rng.normal(0, 0.02, (len(targets), n))},
            {},
            ("12 of 20 predictions of Dev lie within 0.01 of 0 or 1: explain Dev:logit instead",),
        ),
        provenance=provenance(
            "integrated_gradients",
            targets,
            ("10.48550/arXiv.1703.01365", "10.1186/s13059-023-02956-3"),
            Cost(3.1, 51 * n, 50 * n),
        ),
    )
    return {"ism": mutagenesis, "integrated_gradients": gradients}


def mask_report(sequences: Sequences, targets: tuple[str, ...], seed: int = 0) -> MotifReport:
    """Return sufficient masks with a held-out fit, as a mask explainer would give."""
    rng = np.random.default_rng(seed)
    values = np.clip(np.abs(effects(sequences, len(targets), rng)).max(-1) * 1.4 - 0.1, 0, 1)
    return MotifReport(
        sequences,
        masks=Masks(values, "sufficient"),
        validity=Validity({"sufficiency": rng.uniform(0.7, 1.0, values.shape[:2])}, {"held-out R2": 0.871}),
        provenance=provenance("mem", targets, ("10.1101/2024.01.01.000001",), Cost(101.0, 90_000, 4_000)),
    )


def motif_report(seed: int = 0) -> MotifReport:
    """Return a report of a model alone: motifs of every kind, with instances and syntax."""
    rng = np.random.default_rng(seed)
    site = np.eye(4)[["ACGT".index(b) for b in SITES[0]]]
    probabilities = 0.85 * site + 0.0375 * 4 * 0.25
    counts = np.rint(200 * (0.7 * np.eye(4)[["ACGT".index(b) for b in SITES[1]]] + 0.3 * 0.25))
    contributions = site * 0.8 - (1 - site) * rng.uniform(0.05, 0.3, site.shape)
    motifs = (
        Motif("m0", probabilities, name="AP-1"),
        Motif("m1", counts, "counts", name="GATA", sites=1_204),
        Motif("m2", contributions, "contributions"),
    )
    instances = pd.DataFrame(
        {
            "motif": rng.choice(["m0", "m1"], 137),
            "sequence": [f"peak_{i:03d}" for i in range(137)],
            "start": rng.integers(0, 200, 137),
            "end": rng.integers(200, 249, 137),
            "strand": rng.choice(["+", "-"], 137),
            "score": rng.normal(8, 2, 137),
        }
    )
    syntax = pd.DataFrame(
        [["m0", "m1", "1-2", "++", 8.0, "and", 0.41], ["m0", "m0", "any", "+-", float("nan"), "or", 0.12]],
        columns=["motif_1", "motif_2", "order", "orientation", "spacing", "logic", "support"],
    )
    return MotifReport(
        Sequences(np.zeros((0, 0, 4), np.uint8), ()),
        motifs=motifs,
        instances=instances,
        syntax=syntax,
        provenance=provenance("neuronmotif", (), ("10.1038/s42256-023-00680-1",), Cost(55.0, 10_000, 0)),
    )


@pytest.fixture(name="example_reports")
def example_reports_fixture() -> Callable[..., dict[str, MotifReport]]:
    """Return the function that makes the two reports."""
    return example_reports


@pytest.fixture(name="mask_report")
def mask_report_fixture() -> Callable[..., MotifReport]:
    """Return the function that makes a report of masks."""
    return mask_report


@pytest.fixture(name="motif_report")
def motif_report_fixture() -> Callable[..., MotifReport]:
    """Return the function that makes a report of motifs alone."""
    return motif_report


# ---- the browser -----------------------------------------------------------------------------------------

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

    def count(self, selector: str) -> int:
        return int(self.run(f"document.querySelectorAll('{selector}').length"))

    def text(self, selector: str) -> str:
        return str(self.run(f"document.querySelector('{selector}').textContent"))

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
