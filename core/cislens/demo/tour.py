"""The tour that `cislens demo` takes: open the bundled model, explain it, say what was found, write the page."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cislens.context import Progress, silent
from cislens.driver import Run, explain
from cislens.errors import CislensError
from cislens.opening import open_oracle
from cislens.oracle.base import Array, Oracle
from cislens.page import write_page
from cislens.report import MotifReport
from cislens.sequences import Sequences, read_sequences

CHECKPOINT = Path(__file__).parent / "checkpoint"
EXPLAINERS = ("ism", "saliency", "integrated_gradients")
PLANTED = re.compile(r"_(ap1|gata)@(\d+)[+-]")
WIDTHS = {"ap1": 7, "gata": 8}  # bp of the sites


@dataclass(frozen=True)
class Driver:
    """Say what an output was made to depend on.

    Parameters
    ----------
    output
        The output.
    site
        The site without which it does not rise, as ids name it.
    sites
        All sites that matter to it.
    described
        What it rises with, in words.
    """

    output: str
    site: str
    sites: tuple[str, ...]
    described: str


DRIVERS = (
    Driver("stimulated", "ap1", ("ap1", "gata"), "the site of AP-1, TGACTCA, and once more if GATA's is there too"),
    Driver("blood", "gata", ("gata",), "the site of GATA factors, AGATAAGG"),
)

Say = Callable[[str], None]


def run_demo(folder: str | Path, say: Say, progress: Progress = silent) -> Path:
    """Take the tour.

    Parameters
    ----------
    folder
        Where the checkpoint is copied to, and where the store and the page go.
    say
        Called with each line that the visitor is to read.
    progress
        Called with (done, total).

    Returns
    -------
    Path
        The page.

    Raises
    ------
    CislensError
        If neither PyTorch nor Keras is installed.
    """
    folder = Path(folder)
    model, weights = framework_files()
    shutil.copytree(CHECKPOINT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    store, page = folder / "report.zarr", folder / "report.html"
    named = shlex.quote(str(folder / model)) + (f" --weights {shlex.quote(str(folder / weights))}" if weights else "")
    oracle = open_oracle(str(folder / model), weights=folder / weights if weights else None)
    sequences = read_sequences(folder / "enhancers.fa", length=oracle.length)
    _introduce(oracle, sequences, named, say)
    reports = _explain(oracle, sequences, store, progress)
    _tell(reports, _line(f"cislens explain {named}", folder / "enhancers.fa", store), say)
    write_page(reports, page, title="The demo: what a small enhancer model has learned")
    say("")
    say("3. The page: each base as tall as it matters, with predictions, checks and provenance")
    say(f"   cislens report {shlex.quote(str(store))} -o {shlex.quote(str(page))}")
    say("")
    say("Your own model: the same three lines")
    say("   cislens inspect YOUR_MODEL                      (.keras, .h5, .json, or model.py:build --weights FILE)")
    say("   cislens explain YOUR_MODEL YOUR.fa -e ism -t OUTPUT -o report.zarr")
    say("   cislens report report.zarr -o report.html")
    say("")
    return page


def framework_files() -> tuple[str, str | None]:
    """Return the model and weights to open with the framework that is installed, PyTorch before Keras."""
    if importlib.util.find_spec("torch") is not None:
        return "model.py:torch_model", "enhancer.safetensors"
    if importlib.util.find_spec("keras") is not None:
        return "enhancer.keras", None
    raise CislensError(
        "the demo needs PyTorch or Keras, and neither is installed: pip install 'cislens[torch]' or 'cislens[keras]'"
    )


def _line(start: str, fasta: Path, store: Path) -> str:
    explainers = " ".join(f"-e {name}" for name in EXPLAINERS)
    targets = " ".join(f"-t {driver.output}" for driver in DRIVERS)
    return f"{start} {shlex.quote(str(fasta))} {explainers} {targets} -o {shlex.quote(str(store))}"


def _introduce(oracle: Oracle, sequences: Sequences, named: str, say: Say) -> None:
    say("1. The model: a small network that predicts how active an enhancer is, in two conditions")
    say(f"   cislens inspect {named}")
    heads = " and ".join(head.name for head in oracle.heads)
    say(f"   It answers with {heads}: log2 activities of {sequences.length} bp.")
    say("   It was trained on simulated DNA, so what it should have learned is known:")
    for driver in DRIVERS:
        say(f"   {driver.output:<11} rises with {driver.described}")
    say(f"   We ask about {len(sequences)} sequences, whose names say what was planted where:")
    say(f"   {sequences.ids[0]} holds both, with their starts and strands.")
    say("")


def _explain(oracle: Oracle, sequences: Sequences, store: Path, progress: Progress) -> dict[str, MotifReport]:
    targets = [driver.output for driver in DRIVERS]
    reports = {}
    for number, name in enumerate(EXPLAINERS):
        run = Run(store=store, overwrite=True, progress=_part(progress, number))
        reports[name] = explain(oracle, sequences, name, [*targets], run=run)
    return reports


def _part(progress: Progress, number: int) -> Progress:
    return lambda done, total: progress(number * total + done, len(EXPLAINERS) * total)


def _tell(reports: Mapping[str, MotifReport], line: str, say: Say) -> None:
    say("2. Three explainers, on both outputs: which bases drive the prediction?")
    say(f"   {line}")
    say("   In how many sequences is a planted site what stands out most in the map?")
    say("   " + " " * 22 + "".join(f"{driver.output:<12}" for driver in DRIVERS))
    for name, report in reports.items():
        cells = ""
        for number, driver in enumerate(DRIVERS):
            found, planted = count_found(report, number, driver)
            cells += f"{f'{found} of {planted}':<12}"
        cost = report.provenance.cost
        asked = f"{cost.predictions:,} predictions" + (f", {cost.pullbacks:,} pullbacks" if cost.pullbacks else "")
        say(f"   {name:<22}{cells}{cost.seconds:.1f} s, {asked}")


def count_found(report: MotifReport, target: int, driver: Driver) -> tuple[int, int]:
    """Return in how many sequences a planted site that matters stands out most, and how many hold the driving one."""
    found = planted = 0
    width = min(WIDTHS.values())
    for number, name in enumerate(report.sequences.ids):
        places = {site: int(start) for site, start in PLANTED.findall(name)}
        if driver.site not in places or name.startswith("decoy"):
            continue
        planted += 1
        start = most_prominent(report, target, number, width)
        mattering = [(places[site], places[site] + WIDTHS[site]) for site in driver.sites if site in places]
        found += any(first - 1 <= start and start + width <= last + 1 for first, last in mattering)
    return found, planted


def most_prominent(report: MotifReport, target: int, sequence: int, width: int) -> int:
    """Return where the stretch of `width` bp starts whose observed bases stand out most, up or down."""
    assert report.attributions is not None
    values: Array = report.attributions.values[target, sequence]
    heights = np.abs(((values - values.mean(-1, keepdims=True)) * report.sequences.onehot[sequence]).sum(-1))
    return int(np.convolve(heights, np.ones(width), "valid").argmax())
