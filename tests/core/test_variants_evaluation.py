from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cislens.errors import CislensError
from cislens.scores import area_under_roc
from cislens.variants.evaluation import agreement, discrimination


def table(effects, values, contigs=None) -> pd.DataFrame:
    chrom = ["one"] * len(values) if contigs is None else contigs
    return pd.DataFrame({"chrom": chrom, "reference:y": 0.0, "model:y": effects, "INFO/V": values})


def correlated(n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    effects = rng.normal(size=n)
    return effects, effects + rng.normal(size=n)


def test_pearson_and_its_interval_are_scipys() -> None:
    effects, measured = correlated(50)
    row = agreement(table(effects, measured), "INFO/V").iloc[0]
    interval = stats.pearsonr(effects, measured).confidence_interval(0.95)
    assert row.pearson == pytest.approx(stats.pearsonr(effects, measured)[0])
    assert (row.pearson_low, row.pearson_high) == pytest.approx((interval.low, interval.high), abs=1e-6)
    assert row.spearman == pytest.approx(stats.spearmanr(effects, measured)[0])
    assert row.spearman_low < row.spearman < row.spearman_high


def test_the_interval_of_spearman_holds_the_truth_as_often_as_it_says() -> None:
    # Of bivariate normal values, Spearman's correlation is 6/pi asin(r/2).
    truth = 6 / np.pi * np.arcsin(np.sqrt(0.5) / 2)
    held = 0
    for seed in range(400):
        row = agreement(table(*correlated(40, seed)), "INFO/V").iloc[0]
        held += row.spearman_low <= truth <= row.spearman_high
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 400) <= held / 400 <= 0.99


def test_the_interval_of_spearman_is_wider_than_fishers_by_half_its_square() -> None:
    effects, measured = correlated(50)
    row = agreement(table(effects, measured), "INFO/V").iloc[0]
    half = (np.arctanh(row.spearman_high) - np.arctanh(row.spearman_low)) / 2
    assert half == pytest.approx(stats.norm.ppf(0.975) * np.sqrt((1 + row.spearman**2 / 2) / 47), rel=1e-6)


def test_contigs_are_told_apart_and_averaged() -> None:
    effects, measured = correlated(60)
    contigs = np.array(["a"] * 30 + ["b"] * 30)
    measured[30:] *= -1
    found = agreement(table(effects, measured, contigs), "INFO/V").set_index("contig")
    assert list(found.index) == ["all", "a", "b", "mean of contigs"]
    assert found.pearson["a"] == pytest.approx(np.corrcoef(effects[:30], measured[:30])[0, 1])
    assert found.pearson["mean of contigs"] == pytest.approx((found.pearson["a"] + found.pearson["b"]) / 2)
    assert found.n.tolist() == [60, 30, 30, 60]
    assert len(agreement(table(effects, measured), "INFO/V")) == 1


def test_rows_without_effect_or_measurement_are_left_out() -> None:
    effects, measured = correlated(30)
    effects[3], measured[7] = np.nan, np.nan
    row = agreement(table(effects, measured), "INFO/V").iloc[0]
    known = ~np.isnan(effects) & ~np.isnan(measured)
    assert row.n == 28
    assert row.pearson == pytest.approx(np.corrcoef(effects[known], measured[known])[0, 1])


def test_a_contig_with_too_few_variants_has_no_interval() -> None:
    row = agreement(table([1.0, 2.0, 3.0], [1.0, 3.0, 2.0]), "INFO/V").iloc[0]
    assert row.pearson == pytest.approx(0.5)
    assert np.isnan(row.pearson_low)
    assert np.isnan(agreement(table([1.0], [1.0]), "INFO/V").iloc[0].pearson)


def test_areas_are_those_of_pairs_counted_one_by_one() -> None:
    rng = np.random.default_rng(4)
    effects, labels = rng.normal(size=40).round(1), rng.integers(0, 2, 40)
    row = discrimination(table(effects, labels), "INFO/V").iloc[0]
    wins = [(a > b) + (a == b) / 2 for a in effects[labels == 1] for b in effects[labels == 0]]
    assert row.auroc == pytest.approx(np.mean(wins))
    assert row.positives == labels.sum()


def test_the_intervals_of_areas_hold_the_truth_as_often_as_they_say() -> None:
    # Normal scores, one apart: the area under the ROC curve is Phi(1 / sqrt(2)); the other is averaged over draws.
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], [40, 60])
    rows = [discrimination(table(rng.normal(size=100) + labels, labels), "INFO/V").iloc[0] for _ in range(300)]
    many = np.repeat([1, 0], [40_000, 60_000])
    truths = {
        "auroc": stats.norm.cdf(1 / np.sqrt(2)),
        "auprc": discrimination(table(rng.normal(size=100_000) + many, many), "INFO/V").iloc[0].auprc,
    }
    for name, truth in truths.items():
        held = np.mean([row[f"{name}_low"] <= truth <= row[f"{name}_high"] for row in rows])
        assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300) <= held <= 0.999, name


def test_an_interval_of_an_area_is_as_wide_as_delongs_error_says() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([1, 0], 500)
    effects = rng.normal(size=1000) + labels
    row = discrimination(table(effects, labels), "INFO/V").iloc[0]
    error = area_under_roc(effects[labels == 1], effects[labels == 0])[1]
    assert row.auroc_high - row.auroc_low == pytest.approx(2 * 1.96 * error, rel=1e-2)


def test_an_effect_of_either_sign_speaks_for_a_label_if_told_so() -> None:
    effects, labels = [-3.0, -2.0, 2.0, 3.0, -0.1, 0.1, 0.2, -0.2], [1, 1, 1, 1, 0, 0, 0, 0]
    given = table(effects, labels)
    assert discrimination(given, "INFO/V").iloc[0].auroc == pytest.approx(0.5)
    both = discrimination(given, "INFO/V", absolute=True).iloc[0]
    assert (both.auroc, both.auprc) == (1, 1)
    assert np.isnan([both.auroc_low, both.auprc_high]).all()


def test_the_interval_of_an_area_near_0_lies_within_0_and_1() -> None:
    row = discrimination(table(np.arange(300_000.0), np.arange(300_000) == 0), "INFO/V").iloc[0]
    assert row.auprc == pytest.approx(1 / 300_000)
    assert 0 <= row.auprc_low < row.auprc < row.auprc_high <= 1


def test_labels_of_one_kind_have_no_area() -> None:
    row = discrimination(table([1.0, 2.0], [1, 1]), "INFO/V").iloc[0]
    assert np.isnan(row.auroc)


def test_measurements_are_no_labels() -> None:
    with pytest.raises(CislensError, match=r"labels must be 0 or 1, got 0\.5 in INFO/V"):
        discrimination(table([1.0, 2.0], [0.5, 1.0]), "INFO/V")
