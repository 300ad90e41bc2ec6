"""What a model answers without a filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cislens import Sequences, Targeted
from cislens.context import Progress, silent
from cislens_filters.units import units_of

if TYPE_CHECKING:
    import pandas as pd


def nullified(
    oracle: Targeted,
    sequences: Sequences,
    layer: str | None = None,
    units: Sequence[int] | None = None,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Return what holding each filter at 0, after its nonlinearity, does to each target.

    Costs a prediction of every sequence, and one more for each filter. What a filter adds to a sum is lost with it; of
    two filters that stand in for each other either shows nothing.

    Parameters
    ----------
    oracle
        The model as its targets; it must offer interventions.
    sequences
        On which the effect is averaged.
    layer
        The layer of the filters; the first convolution by default.
    units
        Which filters; all by default.
    progress
        Called with (done, total).

    Returns
    -------
    pandas.DataFrame
        filter (its number), target, mean_change (without the filter less with it, in the target's unit) and
        root_mean_square of that change over the sequences, in the order of filters and targets.

    References
    ----------
    Kelley et al. 2016, 10.1101/gr.200535.115, hold a filter at its mean, so that only its variation is lost; 0 is
    what a filter that never fires gives.
    """
    import pandas as pd

    read = units_of(oracle.layers(), layer).read
    number = next(other.units for other in oracle.layers() if other.name == read)
    chosen = range(number or 0) if units is None else units
    before = oracle.predict(sequences.onehot)
    rows = []
    for done, unit in enumerate(chosen, 1):
        change = oracle.intervene({read: {unit: 0.0}}).predict(sequences.onehot).astype(float) - before
        for t, target in enumerate(oracle.targets):
            rows.append((unit, str(target), change[:, t].mean(), np.sqrt((change[:, t] ** 2).mean())))
        progress(done, len(chosen))
    return pd.DataFrame(rows, columns=["filter", "target", "mean_change", "root_mean_square"])
