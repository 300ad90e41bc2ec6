"""The pages' part on consistency: attribution errors beside the peer's, their change by overfitting, weak sites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from fidelity.cells import RESULTS, result, row

Array = npt.NDArray[Any]
EXPLAINERS = {
    "ism": "ISM",
    "saliency": "saliency",
    "smoothgrad": "SmoothGrad",
    "deeplift_shap": "DeepLIFT/SHAP",
    "ridge": "SQUID, ridge",
    "squid": "SQUID",
    "shared": "control: one map for all",
}
MODELS = {"deepstarr": "DeepSTARR, AP-1", "gabpa_early": "GABPA, early", "gabpa_final": "GABPA, final"}
# squid-nn 0.4.9 with mavenn 1.1.4 on 12 sequences of the same kind: mean and standard deviation.
PEER = {
    "deepstarr": {"ism": (13.83, 2.85), "saliency": (13.99, 3.06), "ridge": (13.00, 3.02), "squid": (12.46, 3.52)},
    "gabpa_early": {"ism": (10.47, 2.00), "saliency": (11.87, 1.93), "ridge": (9.50, 2.24), "squid": (8.15, 1.94)},
    "gabpa_final": {"ism": (13.48, 1.54), "saliency": (13.86, 1.24), "ridge": (11.74, 2.05), "squid": (10.73, 1.96)},
}
# Held-out R2 of the same programs on the enhancer, 10% rate, by library.
PEER_FIT = {("squid", 10_000): "0.754", ("ridge", 10_000): "0.658", ("ridge", 20_000): "0.669"}
ERRORS = """
## Consistency: attribution errors

Maps of 50 random sequences with one site written into them, by the protocol of SQUID's benchmark: standardised, cut to
the site and 15 bp on either side; the error is the distance to the mean of the maps. DeepSTARR, Dev: dinucleotide
shuffles of an enhancer with TGACTCA at 121; GABPA, logit: independent bases with ACCGGAAGT at 96; kept are sequences
whose prediction gains 0.5 by the site. Explainers have their defaults (libraries of 20,000 at 10%), SmoothGrad the
paper's noise of 0.25. The peer is squid-nn 0.4.9 with mavenn 1.1.4 on 12 other sequences of the kind, whose
mean lies nearer to each of them than that of 50 does: by 3%. p: paired one-sided Wilcoxon test that SQUID's errors are
lower; near 1, they are higher. Consistency alone can be had for nothing: the last row is one map for all sequences,
whatever the model.

| model | explainer | peer, mean (sd) | ours, mean (sd) | SQUID is lower: p | in sequences | held-out R2, mean (least) |
|---|---|---|---|---|---|---|
"""
FIT = """
How well the surrogates of DeepSTARR fit on the enhancer itself, where the peer's were measured: R2 of the most probable
answer on an independent library of 10,000; ours is the median over three libraries, each in brackets.

| surrogate | library | peer | ours |
|---|---|---|---|
"""
CHANGE = """
## Consistency: before and after overfitting

The distance between the standardised maps, all 200 bp, of GABPA early and final, on the {n} of the sequences above that
both were explained on. As in the paper's Figure 4, maps should change little, since both predict alike.

| explainer | mean (sd) | SQUID is lower: p | in sequences |
|---|---|---|---|
"""
WEAK = """
## Consistency: weak sites

GABPA's site with none, one or two of its bases changed, 50 sequences each, kept as above; the error is the distance to
the mean map of the sites without change. The score is that of JASPAR's GABPA, in bits. p: paired one-sided Wilcoxon
test that SQUID's errors are lower than these.

| model | explainer | {0} | SQUID is lower: p, by mutations |
|---|---|---|---|---|---|
"""


def lines() -> Iterator[str]:
    """Yield the parts of the page that were computed."""
    if any(RESULTS.glob("consistency.*.json")):
        yield ERRORS
        for model in MODELS:
            yield from _errors(model)
        yield FIT
        yield from _fits()
    if squid := result("consistency_change.gabpa.squid"):
        yield CHANGE.format(n=len(squid["distances"]))
        for label, name in EXPLAINERS.items():
            if other := result(f"consistency_change.gabpa.{label}"):
                values = np.array(other["distances"])
                yield row(name, _spread(values), *_compared(np.array(squid["distances"]), values, label))
    if squid := result("consistency_weak.gabpa_early.squid"):
        scores = (f"{mutations} changed, {score:.1f} bits" for mutations, score in _grouped(squid, "pwm_score"))
        yield WEAK.format(" | ".join(scores))
        for model in MODELS:
            yield from _weak(model)


def _errors(model: str) -> Iterator[str]:
    squid = result(f"consistency.{model}.squid")
    for label, name in EXPLAINERS.items():
        cell = result(f"consistency.{model}.{label}")
        if cell is None or squid is None:
            continue
        values = np.array(cell["errors"])
        peer = PEER[model].get(label)
        r2 = cell.get("r2_mode")
        yield row(
            MODELS[model],
            name,
            f"{peer[0]:.2f} ({peer[1]:.2f})" if peer else "-",
            _spread(values),
            *_compared(np.array(squid["errors"]), values, label),
            f"{np.mean(r2):.3f} ({np.min(r2):.3f})" if r2 else "-",
        )


def _fits() -> Iterator[str]:
    for label in ("ridge", "squid"):
        for library in (10_000, 20_000):
            if cell := result(f"consistency_fit.deepstarr.{label}.{library}"):
                peer = PEER_FIT.get((label, library), "-")
                yield row(EXPLAINERS[label], f"{library:,}", peer, _each(cell["r2_mode"]))


def _weak(model: str) -> Iterator[str]:
    squid = result(f"consistency_weak.{model}.squid")
    for label, name in EXPLAINERS.items():
        cell = result(f"consistency_weak.{model}.{label}")
        if cell is None or squid is None:
            continue
        errors = [_spread(np.array(values)) for _, values in _groups(cell, "error")]
        pairs = zip(_groups(squid, "error"), _groups(cell, "error"), strict=True)
        p = [_compared(np.array(ours), np.array(theirs), label)[0] for (_, ours), (_, theirs) in pairs]
        yield row(MODELS[model], name, *errors, ", ".join(p))


def _groups(cell: Mapping[str, Any], column: str) -> list[tuple[int, Array]]:
    mutations = np.array(cell["mutations"])
    return [(int(group), np.array(cell[column])[mutations == group]) for group in np.unique(mutations)]


def _grouped(cell: Mapping[str, Any], column: str) -> list[tuple[int, float]]:
    return [(group, float(values.mean())) for group, values in _groups(cell, column)]


def _compared(squid: Array, other: Array, label: str) -> tuple[str, str]:
    """Return the p-value of lower errors of SQUID, and in how many sequences they are."""
    if label in ("squid", "shared"):
        return "-", "-"
    from scipy.stats import wilcoxon  # type: ignore[import-untyped]

    _, p = wilcoxon(squid, other, alternative="less")
    return f"{p:.1e}", f"{int((squid < other).sum())} of {len(other)}"


def _each(values: list[float]) -> str:
    return f"{np.median(values):.3f} ({', '.join(f'{value:.3f}' for value in values)})"


def _spread(values: Array) -> str:
    return f"{values.mean():.2f} ({values.std(ddof=1):.2f})"
