"""Training data of published files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest

from cislens.sequences import read_sequences
from cislens.training import ArrayData, DataOptions, read_training_data
from cislens.training.splits import leaks, twins

pytestmark = pytest.mark.real


def test_ctcf_peaks_against_their_shuffles_split_by_chromosome(real_data: Path) -> None:
    path = real_data / "sequences" / "ctcf.fa.gz"
    options = DataOptions(negatives="dinucleotide", validation=("chr8", "chr10"), test=("chr1",))
    data = read_training_data(path, options)
    peaks = read_sequences(path)
    on = Counter(region.chrom for region in peaks.regions if region is not None)
    held = {"validation": 2 * (on["chr8"] + on["chr10"]), "test": 2 * on["chr1"]}
    assert data.record()["sizes"] == {"train": 2 * len(peaks) - sum(held.values()), **held}
    assert (data.task, data.length) == ("binary", 100)
    test = data.held_out("test")
    pairs = [
        (
            test.onehot[test.values[:, 0] == value][:, :-1, :, None]
            & test.onehot[test.values[:, 0] == value][:, 1:, None]
        )
        for value in (1, 0)
    ]
    positive, negative = (pair.sum(1, dtype=int) for pair in pairs)
    assert np.array_equal(positive, negative)


def test_ctcf_peaks_split_at_random_do_not_leak(real_data: Path) -> None:
    data = read_training_data(real_data / "sequences" / "ctcf.fa.gz", DataOptions(negatives="dinucleotide"))
    assert isinstance(data, ArrayData)
    assert leaks(data.parts, twins(data.examples.onehot)) == 0
    total = sum(data.record()["sizes"].values())
    assert data.record()["sizes"]["test"] == pytest.approx(0.1 * total, abs=4)


def test_irf1_needs_no_options_and_keeps_its_split(real_data: Path) -> None:
    path = real_data / "sequences" / "IRF1_400_h3k27ac.h5"
    data = read_training_data(path)
    assert (data.length, data.outputs, data.task) == (400, ("Y",), "binary")
    assert data.record()["sizes"] == {"train": 2724, "validation": 389, "test": 779}
    with h5py.File(path) as file:
        for part, suffix in (("validation", "valid"), ("test", "test")):
            held = data.held_out(part)  # type: ignore[arg-type]
            assert np.array_equal(held.onehot.swapaxes(1, 2), file[f"X_{suffix}"][()])
            assert np.array_equal(held.values, file[f"Y_{suffix}"][()])
