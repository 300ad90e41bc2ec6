"""How well effects agree with what was measured, or tell what is labelled 1 from what is labelled 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cislens.errors import CislensError
from cislens.scores import area_under_roc, average_precision, pearson, spearman
from cislens.variants.scores import REFERENCE, Array

if TYPE_CHECKING:
    import pandas as pd

Measure = Callable[[Array, Array], dict[str, float]]
ALL, MEAN = "all", "mean of contigs"
QUANTILE = 1.959964  # of the normal distribution, for intervals of 95%
FEWEST = 4  # below which Fisher's z has no error


def agreement(table: pd.DataFrame, measured: str) -> pd.DataFrame:
    """Return the correlations of effects with measurements, over all variants and contig by contig.

    Parameters
    ----------
    table
        As `score_variants` returns it. Rows without an effect or without a measurement are left out.
    measured
        The column of measurements, such as "INFO/EFFECT".

    Returns
    -------
    DataFrame
        A row for each column of effects and each contig, the first of them "all", the last, "mean of contigs", the
        mean of the contigs' correlations: effect, contig, n, pearson and spearman, each with the ends of its interval
        of 95% (pearson_low, pearson_high, ...). Intervals come from Fisher's z, whose variance is 1 / (n - 3), and for
        Spearman (1 + rho^2 / 2) / (n - 3).

    References
    ----------
    Bonett & Wright 2000, 10.1007/BF02294183, for the interval of Spearman's correlation.
    """
    return _by_contig(table, table[measured].to_numpy(float), _correlations)


def discrimination(table: pd.DataFrame, labels: str, absolute: bool = False) -> pd.DataFrame:
    """Return how well effects tell variants labelled 1 from those labelled 0, over all and contig by contig.

    Parameters
    ----------
    table
        As `score_variants` returns it. Rows without an effect or without a label are left out.
    labels
        The column of labels, 0 or 1, such as "INFO/CAUSAL".
    absolute
        Whether a large effect of either sign speaks for the label, as of a QTL.

    Returns
    -------
    DataFrame
        A row for each column of effects and each contig, as in `agreement`: effect, contig, n, positives, auroc and
        auprc, each with the ends of its interval of 95% (auroc_low, auroc_high, ...). Chance is 0.5 and positives / n.
        Both intervals are symmetric on the logit: with DeLong's error for the one, with that of as many draws as there
        are positives for the other. An area of 0 or 1 has none.

    References
    ----------
    DeLong et al. 1988, 10.2307/2531595; Boyd et al. 2013, 10.1007/978-3-642-40994-3_29, for the area under the
    precision-recall curve.
    """
    values = table[labels].to_numpy(float)
    require_labels(values, labels)

    def measure(effects: Array, labelled: Array) -> dict[str, float]:
        return _areas(np.abs(effects) if absolute else effects, labelled == 1)

    return _by_contig(table, values, measure)


def require_labels(values: Array, name: str) -> None:
    """Refuse numbers other than 0, 1 and NaN.

    Raises
    ------
    CislensError
        If there is one.
    """
    if strange := set(values[~np.isnan(values)]) - {0.0, 1.0}:
        raise CislensError(f"labels must be 0 or 1, got {min(strange):g} in {name}: measurements are for --measured")


def _by_contig(table: pd.DataFrame, values: Array, measure: Measure) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    contigs = table["chrom"].to_numpy()
    for column in effect_columns(table):
        effects = table[column].to_numpy(float)
        known = ~(np.isnan(effects) | np.isnan(values))
        named = list(dict.fromkeys(contigs[known]))
        rows.append(_row(column, ALL, effects[known], values[known], measure))
        if len(named) > 1:
            found = []
            for name in named:
                here = known & (contigs == name)
                found.append(_row(column, name, effects[here], values[here], measure))
            rows += [*found, _mean(column, found)]
    return pd.DataFrame(rows)


def effect_columns(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns of effects."""
    return [name for name in table.columns if ":" in name and not name.startswith((f"{REFERENCE}:", "INFO/"))]


def _row(column: str, contig: str, effects: Array, values: Array, measure: Measure) -> dict[str, Any]:
    return {"effect": column, "contig": contig, "n": len(effects), **measure(effects, values)}


def _mean(column: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean of the contigs for which there is a value; an error or interval it has none."""
    means: dict[str, Any] = {}
    for name in ("n", "positives"):
        if name in rows[0]:
            means[name] = sum(row[name] for row in rows)
    for name in ("pearson", "spearman", "auroc", "auprc"):
        values = [row[name] for row in rows if not np.isnan(row.get(name, np.nan))]
        if values:
            means[name] = float(np.mean(values))
    return {"effect": column, "contig": MEAN, **means}


def _correlations(effects: Array, measured: Array) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, correlation in (("pearson", pearson), ("spearman", spearman)):
        value = correlation(effects, measured) if len(effects) > 1 else float("nan")
        spread = 1.0 if name == "pearson" else 1 + value**2 / 2
        low, high = _interval(value, spread, len(effects))
        found |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return found


def _interval(correlation: float, spread: float, n: int) -> tuple[float, float]:
    if n < FEWEST or np.isnan(correlation) or abs(correlation) >= 1:
        return float("nan"), float("nan")
    centre, half = np.arctanh(correlation), QUANTILE * np.sqrt(spread / (n - 3))
    return float(np.tanh(centre - half)), float(np.tanh(centre + half))


def _areas(scores: Array, positive: Array) -> dict[str, float]:
    positives = int(positive.sum())
    roc = precision = (float("nan"),) * 2  # each with its standard error
    if 0 < positives < len(positive):
        roc = area_under_roc(scores[positive], scores[~positive])
        area = average_precision(scores, positive)
        precision = area, float(np.sqrt(area * (1 - area) / positives))
    found: dict[str, float] = {"positives": positives}
    for name, (area, error) in (("auroc", roc), ("auprc", precision)):
        low, high = _logit_interval(area, error)
        found |= {name: area, f"{name}_low": low, f"{name}_high": high}
    return found


def _logit_interval(share: float, error: float) -> tuple[float, float]:
    from scipy.special import expit, logit  # type: ignore[import-untyped]

    slope = share * (1 - share)
    if not slope > 0 or not error > 0:
        return float("nan"), float("nan")
    half = QUANTILE * error / slope
    return float(expit(logit(share) - half)), float(expit(logit(share) + half))
