"""Reports of surrogates as SQUID would write them, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cislens.report import MotifReport, Validity


def curve_rows(target: str, sequence: str, answers: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return a saturating curve with its band, answers scattered about it, and the wild type."""
    line = np.linspace(-2, 2, 50)
    latent = rng.normal(0, 0.8, answers)
    noisy = np.tanh(latent) + rng.normal(0, 0.1, answers)
    parts = [
        pd.DataFrame({"kind": "surrogate", "latent": line, "value": np.tanh(line)}),
        pd.DataFrame({"kind": "held out", "latent": latent, "value": noisy}),
        pd.DataFrame({"kind": "wild type", "latent": [1.2], "value": [0.9]}),
    ]
    parts[0]["lower"], parts[0]["upper"] = np.tanh(line) - 0.2, np.tanh(line) + 0.2
    return pd.concat(parts, ignore_index=True).assign(target=target, sequence=sequence)


def pair_rows(target: str, sequence: str, window: tuple[int, int], rng: np.random.Generator) -> pd.DataFrame:
    """Return a term for each pair of positions and bases of a window, none of them zero, the strongest first."""
    first, second = (axis + window[0] for axis in np.triu_indices(window[1] - window[0], 1))
    one, two = np.divmod(np.arange(16), 4)
    letters, k = np.array(list("ACGT")), len(first)
    table = pd.DataFrame(
        {
            "target": target,
            "sequence": sequence,
            "position_1": np.repeat(first, 16),
            "base_1": letters[np.tile(one, k)],
            "position_2": np.repeat(second, 16),
            "base_2": letters[np.tile(two, k)],
            "value": rng.uniform(0.01, 0.5, 16 * k) * rng.choice([-1, 1], 16 * k),
        }
    )
    return table.sort_values("value", key=np.abs, ascending=False, ignore_index=True)


@pytest.fixture
def surrogate_report(example_reports: Callable[..., dict[str, MotifReport]]) -> Callable[..., MotifReport]:
    """Return a function that makes a report of surrogates: maps with errors, curves, and pair terms of a window."""

    def made(
        n: int = 3,
        length: int = 120,
        targets: tuple[str, ...] = ("Dev", "Hk"),
        window: tuple[int, int] | None = (20, 30),
        answers: int = 200,
    ) -> MotifReport:
        rng = np.random.default_rng(11)
        report = example_reports(n, length, targets)["integrated_gradients"]
        maps = report.attributions
        assert maps is not None
        named = [(target, name) for name in report.sequences.ids for target in targets]
        pairs = [pair_rows(*names, window, rng) for names in named] if window else None
        measured = {"r2_mode": rng.uniform(0.5, 0.9, (len(targets), n))}
        measured["correlation_with_single_mutants"] = rng.uniform(0.8, 1.0, (len(targets), n))
        return replace(
            report,
            attributions=replace(maps, gauge="uniform", unit="target, as the latent phenotype"),
            standard_errors=rng.uniform(0.01, 0.04, maps.values.shape),
            curves=pd.concat([curve_rows(*names, answers, rng) for names in named], ignore_index=True),
            interactions=pd.concat(pairs, ignore_index=True) if pairs else None,
            validity=Validity(measured),
        )

    return made
