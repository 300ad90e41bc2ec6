"""The measures of validity: what they are called, what they say, and their values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cislens.page.gathering import Gathered, target_texts
from cislens.page.logo import text_of

Array = npt.NDArray[Any]


class Measure(NamedTuple):
    """How a measure is called in the page, and what it says."""

    title: str
    meaning: str


# Measures of surrogates, by their names in a report.
MEASURES = {
    "r2_mode": Measure(
        "held-out R² of the most probable answer",
        "share of the variance of held-out variants that the surrogate's curve explains; 1 is perfect, 0 is no better "
        "than the mean",
    ),
    "r2_mean": Measure(
        "held-out R² of the mean answer",
        "the same with the mean of the noise in place of its most probable answer; none where the noise has no mean",
    ),
    "pearson_squared": Measure(
        "held-out squared correlation", "of the surrogate's most probable answers with the model's; 1 is perfect"
    ),
    "log_likelihood": Measure(
        "held-out log-likelihood (nats)",
        "how probable the surrogate finds the answer to a held-out variant, on average; of two surrogates of one "
        "library the one with more fits better",
    ),
    "variational_information": Measure(
        "variational information (bits)",
        "how much the latent phenotype tells of the answer, as far as the noise model says; where that model is good, "
        "nearly the predictive information",
    ),
    "predictive_information": Measure(
        "predictive information (bits)", "how much the latent phenotype tells of the answer, whatever the noise model"
    ),
    "iterations": Measure("iterations of the fit", "steps until the fit ended"),
    "correlation_with_single_mutants": Measure(
        "correlation with single mutants",
        "of the surrogate's effects of all single substitutions with the model's own; below 1 also where the model "
        "saturates near the sequence and the surrogate looks past it",
    ),
}
# What another measure means, by a part of its name.
MEANINGS = {
    "convergence delta": "how far the map's sum is from the difference it should explain; 0 is exact",
    "noise floor": "how large a value may be by chance alone; only what stands well above it is to be believed",
    "r2": "share of the variance on held-out sequences that the surrogate explains; 1 is perfect, 0 is no better "
    "than the mean",
    "correlation": "agreement with the model on held-out sequences; 1 is perfect, 0 is none",
    "sufficiency": "how much of the prediction the kept positions alone uphold",
    "necessity": "how much of the prediction is lost without the marked positions",
    "dead": "units that never respond; nothing can be said of them",
    "mixed": "units that respond to several unlike patterns; one motif does not describe them",
}


def title_of(name: str) -> str:
    """Return how the page calls a measure; "MEASURE of WHAT" speaks of one part of a report."""
    known, of, what = name.partition(" of ")
    return f"{MEASURES[known].title}{of and ': '}{what}" if known in MEASURES else name


def measures(gathered: Gathered) -> list[dict[str, str]]:
    """Return a row for each measure of each report and target: its median and range over the sequences."""
    rows = []
    for label, report in gathered.reports.items():
        names = target_texts(report)
        for name, values in report.validity.measures.items():
            for target, row in zip(names, np.asarray(values, float), strict=False):
                known = row[np.isfinite(row)]
                spread = (np.median(known), known.min(), known.max()) if len(known) else (np.nan,) * 3
                median, low, high = (text_of(float(value), 3) for value in spread)
                said = {"name": title_of(name), "median": median, "range": f"{low} to {high}"}
                rows.append({"label": label, "target": target, **said})
    return rows


def summaries(gathered: Gathered) -> list[dict[str, str]]:
    """Return a row for each number that speaks of a whole report."""
    return [
        {"label": label, "name": title_of(name), "value": text_of(float(value))}
        for label, report in gathered.reports.items()
        for name, value in report.validity.summary.items()
    ]


def meanings(gathered: Gathered) -> list[tuple[str, str]]:
    """Return (measure, sentence) for the measures of these reports that have a known meaning."""
    named = dict.fromkeys(
        name for report in gathered.reports.values() for name in (*report.validity.measures, *report.validity.summary)
    )
    return list(dict.fromkeys(pair for name in named for pair in _meanings_of(name)))


def _meanings_of(name: str) -> Iterator[tuple[str, str]]:
    known = MEASURES.get(name.partition(" of ")[0])
    if known is not None:
        yield known
        return
    plain = name.lower().replace("_", " ").replace("²", "2")
    yield from ((name, text) for part, text in MEANINGS.items() if part in plain)
