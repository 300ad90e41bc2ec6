"""Real peaks with coordinates in the human genome, on their way to other tools and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cislens.exchange import export, import_report
from cislens.report import Attributions, MotifReport, Provenance
from cislens.sequences import read_sequences

pytestmark = pytest.mark.real


@pytest.fixture
def report(real_data: Path) -> MotifReport:
    """A made-up map of 2,000 CTCF peaks of 100 bp, every other one read on the minus strand."""
    sequences = read_sequences(real_data / "sequences" / "ctcf.fa.gz").take(slice(2_000))
    regions = [region and region._replace(strand="+-"[i % 2]) for i, region in enumerate(sequences.regions)]
    rng = np.random.default_rng(0)
    maps = Attributions(rng.normal(size=(1, len(sequences), sequences.length, 4)).astype(np.float32))
    return MotifReport(
        replace(sequences, regions=tuple(regions)),
        attributions=maps,
        provenance=Provenance(targets=({"target": "t"},)),
    )


def test_a_bigwig_of_ctcf_peaks_holds_their_maps_at_their_places(report, tmp_path) -> None:
    pytest.importorskip("pyBigWig")
    pybigtools = pytest.importorskip("pybigtools")
    (path,) = export(report, "bigwig", tmp_path / "ctcf.bw").paths
    contributions = report.contributions()[0]
    placed = sorted((region.chrom, region.start, row) for row, region in enumerate(report.sequences.regions))
    alone = 0
    with pybigtools.open(str(path)) as file:
        for (before, first), (chrom, start, row), (after, next_start) in zip(
            [("", 0), *(p[:2] for p in placed[:-1])], placed, [*(p[:2] for p in placed[1:]), ("", 0)], strict=True
        ):
            if (chrom == before and start < first + 100) or (chrom == after and next_start < start + 100):
                continue
            alone += 1
            wanted = np.where(report.sequences.onehot[row].any(-1), contributions[row], np.nan)
            if report.sequences.regions[row].strand == "-":
                wanted = wanted[::-1]
            np.testing.assert_allclose(file.values(chrom, start, start + 100, fillna=None), wanted, rtol=1e-6)
    assert alone > 1_000


def test_ctcf_peaks_come_back_from_the_files_of_modisco_with_their_names_and_places(report, tmp_path) -> None:
    _, maps = export(report, "modisco:gauge=own", tmp_path / "ctcf.npz").paths
    back = import_report(maps)
    assert back.sequences.ids == report.sequences.ids
    assert back.sequences.regions == report.sequences.regions
    np.testing.assert_array_equal(back.attributions.values, report.attributions.values)
