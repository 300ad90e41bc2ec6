"""The values of maps that other tools are given."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cislens.discovery.maps import maps_of
from cislens.gauges import to_gauge
from cislens.report import MotifReport

Array = npt.NDArray[Any]
# Which zero exported maps have: that of the mean base, which is comparable over explainers, or their own.
ExportGauge = Literal["uniform", "own"]
GAUGE_HELP = "Zero of the values: that of the mean base (uniform), or as the explainer gave them (own)."


def observed(block: MotifReport, gauge: ExportGauge) -> Array:
    """Return what the sequences' own bases contribute, or masks, (t, n, length); NaN at N."""
    values = block.projected() if gauge == "own" and block.attributions is not None else maps_of(block)
    return np.where(block.sequences.onehot.any(-1), values, np.nan)


def hypothetical(block: MotifReport, gauge: ExportGauge) -> Array:
    """Return what each base would contribute, (t, n, length, 4); of maps of own bases alone, these and else zeros."""
    maps = block.attributions
    assert maps is not None
    if not maps.hypothetical:
        return np.asarray(maps.projected(block.sequences.onehot)[..., None] * block.sequences.onehot)
    return maps.values if gauge == "own" else to_gauge(maps.values, "uniform")[0]
