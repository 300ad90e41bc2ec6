"""Fidelity of discovery: what ISM and the embedded steps make of networks and of oracles whose grammar is known.

CISLENS_REAL_DATA is needed for real sequences. Networks are those of ground_truth.py, trained if they are not there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt
from fidelity import ground_truth
from fidelity.cells import Cell, main

from cislens import MotifReport, Oracle, Sequences, explain, open_oracle
from cislens.databases import compared, load
from cislens.derivation import derive
from cislens.scores import area_under_roc
from cislens.simulation import load_grammar, simulate
from cislens.testing.toys.scanner import BothStrands
from cislens.training.reading import read_training_data
from cislens.truth import Truth, recovery
from cislens.truth.instance_recovery import instance_recovery

Array = npt.NDArray[Any]
SEQUENCES = 200
STEPS = ("motifs", "instances")
DATABASE = "jaspar_vertebrates"
DRAWS, TOGETHER = 20, 64  # of random bases in a window's place; windows that are predicted at once
WINDOWS = 500  # of background, which say what random bases change where nothing is planted
NOISE = 0.99  # quantile of that change; what does more is in use
# Effects of the presences of A and B on an oracle of the grammar; all are monotone where the rule is.
LOGIC: dict[str, Callable[[Array, Array], Array]] = {
    "cooperative": lambda a, b: a + b + 2 * a * b,
    "redundant": lambda a, b: a + b - a * b / 2,
    "repressive": lambda a, b: a - 0.7 * a * b - 0.3 * b,
}
SLOPE, PRESENT = 100, 0.9  # a motif is present from 0.9 of its best match on, as all sites are and chance is not


def closed_form(logic: str) -> Oracle:
    """Return the oracle that knows a strong grammar: the presences of its two motifs, joined by their logic."""
    grammar = load_grammar(f"mem_{logic}_strong")
    matrices = [motif.probabilities() for motif in grammar.motifs]
    scanners = [BothStrands(matrix / matrix.max(1).sum(), "max") for matrix in matrices]

    def answer(x: Array) -> Array:
        held = (1 / (1 + np.exp(-SLOPE * (scanner.score(x.astype(float)) - PRESENT))) for scanner in scanners)
        return LOGIC[logic](*held)

    return open_oracle(answer, length=grammar.length)


def trained(logic: str, seed: int, scratch: Path) -> Oracle:
    """Return the residual network of ground_truth.py, which is trained if it is not there."""
    return checkpoint(f"train.mem_{logic}_strong.{seed}", scratch)


def checkpoint(name: str, scratch: Path) -> Oracle:
    """Return the network that a cell of ground_truth.py trains, which is done if it is not there."""
    file = scratch / name / "model.safetensors"
    if not file.exists():
        (cell,) = (cell for cell in ground_truth.cells() if cell.name == name)
        cell.run(scratch / name)
    return open_oracle(file)


# ---- planted motifs -------------------------------------------------------------------------------------------


def planted(oracle_of: Callable[[Path], Oracle], logic: str, seed: int, folder: Path) -> Mapping[str, Any]:
    """Return what is recovered of the motifs and instances of a strong grammar."""
    truth = simulate(load_grammar(f"mem_{logic}_strong"), SEQUENCES, seed)
    oracle = oracle_of(folder.parent)
    values = answers(oracle, truth.sequences.onehot)
    report = derive(explain(oracle, truth.sequences, "ism"), *STEPS)
    found = recovery(report, truth, expected=("motifs", "instances"))
    motifs, instances = found.comparison.motifs, found.comparison.instances
    return {
        "auroc": area_under_roc(values[truth.labels], values[~truth.labels])[0],
        "found": motifs.found,
        "missed": motifs.missed,
        "redundant": motifs.redundant,
        "extraneous": motifs.extraneous,
        "largest q": largest_q(report, truth),
        "calls": instances.calls,
        "instances": instances.instances,
        "precision": instances.precision,
        "recall": instances.recall,
        **Use.of(oracle, truth, seed).recall(report),
    }


def largest_q(report: MotifReport, truth: Truth) -> float:
    """Return the largest over planted motifs of the best q-value, among all of a database and the planted ones."""
    database = load(DATABASE).joined(truth.motifs)
    places = [motif.id for motif in database.motifs]
    known = [places.index(motif.id) for motif in truth.motifs]
    return float(compared(report.motifs, database).q_value[:, known].min(0).max()) if report.motifs else 1.0


@dataclass(frozen=True)
class Use:
    """Hold which planted instances a network uses, found by intervention and not from any map.

    An instance is in use where random bases in its place change the answer, on average over draws, by more than
    they do at nearly all places of the same sequences where nothing is planted.
    """

    truth: Truth
    change: Array
    noise: float

    @classmethod
    def of(cls, oracle: Oracle, truth: Truth, seed: int) -> Use:
        """Return the use of each instance of a truth."""
        rng = np.random.default_rng(seed)
        place = {name: i for i, name in enumerate(truth.sequences.ids)}
        rows = truth.instances["sequence"].map(place).to_numpy(int)
        starts, ends = (truth.instances[column].to_numpy(int) for column in ("start", "end"))
        width = int((ends - starts).max())
        free = np.lib.stride_tricks.sliding_window_view(~truth.covered(), width, axis=1).all(-1)
        others = rng.permutation(np.argwhere(free))[:WINDOWS]
        by_chance = changes(oracle, truth.sequences, others[:, 0], others[:, 1], others[:, 1] + width, rng)
        return cls(
            truth,
            np.abs(changes(oracle, truth.sequences, rows, starts, ends, rng)),
            float(np.quantile(np.abs(by_chance), NOISE)),
        )

    def recall(self, report: MotifReport) -> dict[str, Any]:
        """Return the recall of what is in use and of what is not, with the changes that tell the two apart."""
        used = self.change > self.noise

        def of(asked: Array) -> float | None:
            true = self.truth.instances[asked]
            return instance_recovery(report.instances, true, report.sequences.ids).recall if len(true) else None

        return {
            "change that is noise": self.noise,
            "in use": int(used.sum()),
            "median change of those in use": _median(self.change[used]),
            "recall of those in use": of(used),
            "not in use": int((~used).sum()),
            "median change of those not in use": _median(self.change[~used]),
            "recall of those not in use": of(~used),
        }


def _median(values: Array) -> float | None:
    return float(np.median(values)) if len(values) else None


def changes(oracle: Oracle, sequences: Sequences, rows: Array, starts: Array, ends: Array, rng: Any) -> Array:
    """Return by how much the answer falls, on average, with random bases from start to end of each row."""
    fallen = np.zeros(len(rows))
    before = answers(oracle, sequences.onehot)
    for first in range(0, len(rows), TOGETHER):
        some = slice(first, first + TOGETHER)
        replaced = np.repeat(sequences.onehot[rows[some], None], DRAWS, axis=1)
        for window, start, end in zip(replaced, starts[some], ends[some], strict=True):
            window[:, start:end] = np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (DRAWS, end - start))]
        after = answers(oracle, replaced.reshape(-1, *replaced.shape[2:])).reshape(-1, DRAWS)
        fallen[some] = before[rows[some]] - after.mean(1)
    return fallen


def answers(oracle: Oracle, x: Array) -> Array:
    (answer,) = oracle.predict(x).values()
    return np.asarray(answer, float).reshape(len(x))


# ---- real sequences -------------------------------------------------------------------------------------------


def real(folder: Path) -> Mapping[str, Any]:
    """Return how a network that was trained on peaks of CTCF names what it has learned."""
    file, _, options = ground_truth.REAL["ctcf"]
    test = read_training_data(Path(os.environ["CISLENS_REAL_DATA"], "sequences", file), options).held_out("test")
    peaks = Sequences.from_onehot(test.onehot[test.values[:, 0] > 0][:SEQUENCES])
    oracle = checkpoint("train.ctcf.0", folder.parent)
    report = derive(explain(oracle, peaks, "ism"), *STEPS, f"matches:database={DATABASE},q_max=1")
    best = report.matches.groupby("motif", sort=False).first()
    motifs = [
        {
            "motif": motif.id,
            "consensus": motif.consensus(),
            "sites": motif.sites,
            "match": best.name[motif.id],
            "q": float(best.q_value[motif.id]),
        }
        for motif in report.motifs
    ]
    ranked = sorted(motifs, key=lambda motif: motif["q"])
    rank = next((k for k, motif in enumerate(ranked, 1) if motif["match"] == "CTCF"), None)
    return {"motifs": motifs, "rank of CTCF by q": rank, "instances": len(report.instances)}


def cells() -> Iterator[Cell]:
    settings = {"explainer": "ism", "steps": STEPS, "sequences": SEQUENCES}
    for logic in LOGIC:
        for seed in ground_truth.SEEDS:
            name, fixed = f"mem_{logic}_strong.{seed}", {**settings, "grammar": f"mem_{logic}_strong", "seed": seed}
            run = partial(planted, lambda _, logic=logic: closed_form(logic), logic, seed)
            yield Cell(f"discovery.closed_form.{name}", run, {**fixed, "slope": SLOPE, "present": PRESENT})
            run = partial(planted, partial(trained, logic, seed), logic, seed)
            yield Cell(f"discovery.trained.{name}", run, {**fixed, "network": ground_truth.RESIDUAL})
    if "CISLENS_REAL_DATA" in os.environ:
        _, network, _ = ground_truth.REAL["ctcf"]
        yield Cell("discovery.ctcf.0", real, {**settings, "database": DATABASE, "network": network})


if __name__ == "__main__":
    main(list(cells()))
