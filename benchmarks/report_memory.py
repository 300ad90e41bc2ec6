"""Write, derive, read and export a report of 10,000 sequences of 1,000 bp, each in a process of its own: its memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import peak_memory, pin_to_one_core, record

SEQUENCES, LENGTH = 10_000, 1_000
BOUND = 2_000  # MB
NOISE = 0.5  # of the standard deviation of the gradients, whose sites are few
WORDS = ("TGACTCAGT", "GGAAGTGAAC")
EXPORTS = {"meme": "motifs.meme", "bed": "instances.bed", "bigwig": "maps.bw", "modisco": "maps.npz"}


def write(store: Path) -> None:
    """Explain planted words by the gradient of an oracle that knows them, which costs next to nothing, and noise."""
    import numpy as np

    from cislens import Attributions, Context, Explainer, MotifReport, Run, Targeted, explain
    from cislens.sequences import Region, Sequences
    from cislens.testing.toys.logic import LogicToy

    class NoisyGradient(Explainer):
        """The gradient and noise everywhere, as maps of trained networks have it."""

        name = "noisy_gradient"

        def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
            _, gradient = oracle.gradient(sequences.onehot)
            noise = np.stack([context.rng(i).normal(size=(LENGTH, 4)) for i in range(len(sequences))])
            return MotifReport(
                sequences, attributions=Attributions((gradient + NOISE * gradient.std() * noise).astype(np.float32))
            )

        def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
            return n, n * targets

    codes = (["ACGT".index(base) for base in word] for word in WORDS)
    first, second = (4.0 * np.eye(4)[code] - 2.0 for code in codes)
    toy = LogicToy((first, second), LENGTH, "or", midpoint=14.0, slope=0.2)
    planted = toy.examples(SEQUENCES, np.random.default_rng(0))
    regions = tuple(Region("chr1", i * LENGTH, (i + 1) * LENGTH) for i in range(SEQUENCES))
    explain(toy, Sequences(planted.onehot, planted.ids, regions), NoisyGradient(), run=Run(store=store))


def derive(store: Path) -> None:
    from cislens.derivation import derive as derived
    from cislens.report.store import ReportStore

    opened = ReportStore.open(store, "a")
    (label,) = opened.labels
    opened.keep_derived(label, derived(opened.read(label), "motifs", "instances", "syntax", "matches"))


def read(store: Path) -> None:
    from cislens import MotifReport

    report = MotifReport.load(store)
    tables = {"motifs": report.motifs, "instances": report.instances, "syntax": report.syntax}
    print(*(f"{len(table)} {part}," for part, table in tables.items() if table is not None))


def export(store: Path) -> None:
    from cislens.exchange import ReportBlocks
    from cislens.exchange import export as exported
    from cislens.report.store import ReportStore

    opened = ReportStore.open(store)
    held = ReportBlocks.of(opened.reader(*opened.labels))
    for exporter, file in EXPORTS.items():
        exported(held, exporter, store.parent / file)


STEPS: dict[str, Callable[[Path], None]] = {"write": write, "derive": derive, "read": read, "export": export}


def measured(step: str, store: Path) -> tuple[float, float]:
    """Return the peak memory in MB and the seconds of a step in a process of its own."""
    command = [sys.executable, __file__, step, str(store)]
    began = time.perf_counter()
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds = time.perf_counter() - began
    print(step, said.strip())
    return float(said.split()[-1]), round(seconds, 1)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = {step: measured(step, Path(folder) / "report.zarr") for step in STEPS}
    rows: list[dict[str, Any]] = [
        {"measure": f"peak memory of the step {step}", "value": peak, "unit": "MB", "bound": BOUND, "peer": None}
        for step, (peak, _) in found.items()
    ]
    settings = {
        "sequences": SEQUENCES,
        "length": LENGTH,
        "maps": "float32, dense",
        "derived": "motifs instances syntax matches",
        "exported": " ".join(EXPORTS),
        "seconds": {step: seconds for step, (_, seconds) in found.items()},
    }
    record("report_memory", rows, settings)


if __name__ == "__main__":
    pin_to_one_core()
    if len(sys.argv) > 1:
        STEPS[sys.argv[1]](Path(sys.argv[2]))
        print(peak_memory())
    else:
        main()
