"""Small data for training tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from cislens.motif import Motif
from cislens.plugins import registry
from cislens.simulation.grammar import Arrangement, Grammar
from cislens.simulation.layout import parse_layout
from cislens.training import ArrayData, Examples, TrainingContext, TrainingData
from cislens.training.grammar_data import GrammarData, Sizes
from cislens.training.splits import Parts
from cislens.truth import Rule

LENGTH = 100
# A network with dropout that trains in no time.
SMALL: dict[str, Any] = {"name": "basset_like", "filters": 8, "hidden": 8}
QUICK: dict[str, Any] = {"epochs": 2, "batch_size": 16, "device": "cpu"}


def grammar(word: str = "GATTACAT", name: str = "word", length: int = LENGTH) -> Grammar:
    """Return a grammar whose positives hold a word."""
    motif = Motif("word", np.eye(4)[["ACGT".index(letter) for letter in word]])
    kinds = (Arrangement("with", (parse_layout("word"),)), Arrangement("without", (parse_layout(""),)))
    return Grammar(name, (motif,), kinds, {"bound": Rule("word")}, length)


def grammar_data(**changes: Any) -> GrammarData:
    return GrammarData(grammar(**changes), Sizes(epoch=64, validation=48, test=32))


def array_data(seed: int = 0, labels: str = "counts", n: int = 96) -> ArrayData:
    """Return sequences whose two values are counts of G and of A less C, or random labels."""
    rng = np.random.default_rng(seed)
    onehot = np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (n, LENGTH))]
    counts = onehot.sum(1).astype(np.float32)
    if labels == "random":
        values, outputs, task = rng.integers(0, 2, (n, 1)).astype(np.float32), ("on",), "binary"
    else:
        values = np.stack([counts[:, 2] - 25, counts[:, 0] - counts[:, 1]], 1) / 5
        outputs, task = ("guanine", "excess"), "regression"
    third = n // 4
    parts = Parts(np.arange(2 * third), np.arange(2 * third, 3 * third), np.arange(3 * third, n))
    return ArrayData("counts", Examples(onehot, values), parts, outputs, task)  # type: ignore[arg-type]


def trained(
    folder: Path,
    data: TrainingData,
    name: str = "standard_cnn",
    context: TrainingContext | None = None,
    **settings: Any,
) -> Path:
    """Train quickly, and return the checkpoint."""
    trainer = registry().trainers[name](**{**QUICK, **settings})
    return trainer.train(data, folder, context or TrainingContext())


def facts(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "training.json").read_text())


def told_by(folder: Path, *arguments: Any, **settings: Any) -> list[str]:
    sentences: list[str] = []
    trained(folder, *arguments, context=TrainingContext(tell=sentences.append), **settings)
    return sentences
