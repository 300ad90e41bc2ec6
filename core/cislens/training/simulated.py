"""A set that `cislens simulate` wrote, as training data."""

from __future__ import annotations

from pathlib import Path

from cislens.errors import CislensError
from cislens.simulation.dataset import read_truth
from cislens.training.labelled import Labelled, as_values
from cislens.training.options import DataOptions


def read_simulated(folder: Path, options: DataOptions) -> Labelled:
    """Read the sequences of a simulated set and their labels.

    Raises
    ------
    CislensError
        If a file is missing, or another length is asked for.
    """
    truth = read_truth(folder)
    length = truth.sequences.length
    if options.length not in (None, length):
        raise CislensError(
            f"the sequences of {folder} stay as they are, {length} bp long, since their labels are of what is planted "
            f"in them, got a length of {options.length}: simulate a set of that length"
        )
    return Labelled(truth.sequences, as_values(truth.labels), ("positive",))
