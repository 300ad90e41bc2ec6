"""Contributions of other tools: arrays (n, 4, length) beside the one-hot sequences that they belong to."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.exchange.importer import Importer
from cislens.exchange.windows import with_windows
from cislens.report import Attributions, MotifReport, Validity
from cislens.sequences import Sequences
from cislens.sequences.arrays import BLOCK_BYTES
from cislens.settings import setting

Array = npt.NDArray[Any]
Axes = Literal["4,length", "length,4"]
GAUGE_HELP = "Where the contributions are zero, for the record: DeepLIFT's are on average over a reference."
REGIONS_HELP = (
    "BED or narrowPeak with a line for each sequence, in their order: its window lies around the summit (column 10), "
    "or the middle where there is none."
)


@dataclass(frozen=True)
class ContributionImporter(Importer):
    """What importers of contributions share."""

    regions: str | None = setting(None, REGIONS_HELP)
    genome: str | None = setting(None, "FASTA of the genome, which the bases at the regions must agree with.")
    gauge: Literal["none", "uniform", "wild-type", "reference", "empirical"] = setting("reference", GAUGE_HELP)
    target: str = setting("not recorded", "What the contributions explain, for the record.")

    def report(self, path: Path, sequences: Sequences, values: Array, unit: str = "target") -> MotifReport:
        """Return the report of contributions (n, length, 4), with the places of its regions and its provenance."""
        sequences = with_windows(sequences, self.regions, self.genome)
        others = _elsewhere(values, sequences.onehot)
        said = () if others else ("the contributions are of the sequences' own bases alone, not hypothetical",)
        maps = Attributions(values[None], others, self.gauge, unit)
        made = self.provenance(path, self.target, hypothetical=others)
        return MotifReport(sequences, attributions=maps, validity=Validity(warnings=said), provenance=made)


def read_contributions(stored: Any, axes: Axes, sequences: Sequences, what: str) -> Array:
    """Return contributions (n, length, 4) of an open array as float32, or as float64 where it is that.

    Raises
    ------
    ReportError
        If they are not of the sequences' shape, or not finite.
    """
    n, length = len(sequences), sequences.length
    wanted = (n, 4, length) if axes == "4,length" else (n, length, 4)
    if stored.shape != wanted:
        raise ReportError(f"contributions must have their sequences' shape, {wanted}, got {stored.shape} in {what}")
    values = np.empty((n, length, 4), np.float64 if stored.dtype == np.float64 else np.float32)
    rows = max(1, BLOCK_BYTES // max(1, 4 * length * stored.dtype.itemsize))
    for start in range(0, n, rows):
        block = np.asarray(stored[start : start + rows])
        values[start : start + rows] = block.swapaxes(1, 2) if axes == "4,length" else block
    if not np.isfinite(values).all():
        raise ReportError(f"contributions must be finite numbers, got NaN or infinity in {what}")
    return values


def _elsewhere(values: Array, onehot: Array) -> bool:
    """Tell whether any base but the sequences' own has a value."""
    return any((block[bases == 0] != 0).any() for block, bases in zip(values, onehot, strict=True))


@contextmanager
def opened_h5(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for as long as the block lasts, with the further compressions that hdf5plugin knows.

    Raises
    ------
    ReportError
        If it is compressed in a way that cannot be read here.
    """
    import h5py

    # Importing it is what registers the filters. ChromBPNet's files are packed with Blosc.
    known = importlib.util.find_spec("hdf5plugin") is not None
    if known:
        importlib.import_module("hdf5plugin")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        # HDF5 names the filter, or the folder of plugins in which it looked for one.
        if not known and any(word in str(error) for word in ("filter", "plugin")):
            raise ReportError(
                f"{path} is packed in a way that h5py alone does not read ({error}): pip install hdf5plugin"
            ) from error
        raise
