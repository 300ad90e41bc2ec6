"""How well a trained model does, and whether it learned anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.scores import area_under_roc, average_precision, pearson, spearman
from cislens.training.data import Task

Array = npt.NDArray[Any]
NAMES = {"auroc": "AUROC", "auprc": "AUPRC", "pearson": "Pearson's r", "spearman": "Spearman's rho"}
DEVIATIONS = 3.0  # standard errors above chance, without which a model counts as having learned nothing


def scores(answers: Array, values: Array, task: Task) -> dict[str, float]:
    """Return accuracy, AUROC and AUPRC, or Pearson's and Spearman's correlation, each the mean over outputs.

    Parameters
    ----------
    answers : (n, outputs)
        Logits where the task is binary. An output of which only one label was seen is left out.
    values : (n, outputs)
        What was measured.
    """
    columns = list(zip(answers.T, values.T, strict=True))
    if task == "regression":
        return {
            "pearson": float(np.mean([pearson(a, v) for a, v in columns])),
            "spearman": float(np.mean([spearman(a, v) for a, v in columns])),
        }
    both = [(a, v == 1) for a, v in columns if 0 < v.sum() < len(v)]
    rocs = [area_under_roc(a[v], a[~v]) for a, v in both]
    return {
        "accuracy": float(np.mean((answers > 0) == (values == 1))),
        "auroc": float(np.mean([area for area, _ in rocs])) if rocs else float("nan"),
        "auroc_error": float(np.mean([error for _, error in rocs])) if rocs else float("nan"),
        "auprc": float(np.mean([average_precision(a, v) for a, v in both])) if both else float("nan"),
    }


def at_chance(found: Mapping[str, float], n: int, task: Task) -> bool:
    """Tell whether scores on n sequences are what a model gets that has learned nothing."""
    if task == "binary":
        return not found["auroc"] - DEVIATIONS * found["auroc_error"] > 0.5
    return not found["pearson"] > DEVIATIONS / np.sqrt(n)


def told(found: Mapping[str, float | None]) -> str:
    """Return scores in words, each with its standard error; None, as training.json has it, and NaN are not known."""
    numbers = {name: float("nan") if value is None else value for name, value in found.items()}
    words = []
    for name, value in numbers.items():
        if not name.endswith("_error"):
            error = numbers.get(f"{name}_error", float("nan"))
            known = "not known" if np.isnan(value) else f"{value:.3f}"
            words.append(f"{NAMES.get(name, name)} {known}" + ("" if np.isnan(error) else f" ± {error:.3f}"))
    return ", ".join(words)
