"""Which share of a training epoch goes into making its batches, on one core: drawn from a grammar, and from memory."""

from __future__ import annotations

from measure import pin_to_one_core, record

pin_to_one_core()

import json  # noqa: E402
import statistics  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from cislens.simulation import load_grammar  # noqa: E402
from cislens.training import ArrayData, Examples, TrainingContext, TrainingData  # noqa: E402
from cislens.training.grammar_data import GrammarData, Sizes  # noqa: E402
from cislens.training.splits import Parts  # noqa: E402
from cislens.training.trainer import parse_trainer  # noqa: E402

EPOCHS, BATCH, LIMIT = 4, 128, 0.05
SIZES = Sizes(epoch=100 * BATCH, validation=512, test=512)
SHORT = 100  # bp


def arrays() -> ArrayData:
    """Return random sequences with random labels, as many as the grammar draws: what they say costs no time."""
    rng = np.random.default_rng(0)
    n = SIZES.epoch + SIZES.validation + SIZES.test
    onehot = np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (n, SHORT))]
    labels = rng.integers(0, 2, (n, 1)).astype(np.float32)
    parts = Parts(*np.split(np.arange(n), [SIZES.epoch, SIZES.epoch + SIZES.validation]))
    return ArrayData(f"arrays of {SHORT} bp", Examples(onehot, labels), parts, ("label",), "binary")


def epochs(trainer: str, data: TrainingData) -> list[dict[str, Any]]:
    """Return the history of a training, without the first epoch, in which memory is claimed."""
    with tempfile.TemporaryDirectory() as folder:
        settings = f"{trainer}:epochs={EPOCHS},batch_size={BATCH},patience=none,device=cpu"
        checkpoint = parse_trainer(settings).train(data, Path(folder), TrainingContext())
        history = json.loads((checkpoint.parent / "training.json").read_text())["history"]
    return list(history[1:])


def main() -> None:
    cases = (("standard_cnn", GrammarData(load_grammar("argminn_spi1"), SIZES)), ("basset_like", arrays()))
    rows: list[dict[str, Any]] = []
    for trainer, data in cases:
        history = epochs(trainer, data)
        share = statistics.median(epoch["seconds_of_data"] / epoch["seconds"] for epoch in history)
        steps = statistics.median(epoch["seconds"] for epoch in history) / data.steps(BATCH // 2)
        on = f"{trainer} on {data.name}"
        rows += [
            {"measure": f"making batches: {on}", "value": share, "unit": "of a step", "bound": LIMIT, "peer": None},
            {"measure": f"a step: {on}", "value": 1000 * steps, "unit": "ms", "bound": None, "peer": None},
        ]
    settings = {"batch": BATCH, "epochs": EPOCHS, "sequences an epoch": SIZES.epoch, "both strands": True}
    record("training", rows, settings)


if __name__ == "__main__":
    main()
