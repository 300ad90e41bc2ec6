"""The motifs of a sequence, one after the other, and how many sequences read the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cislens.report import MotifReport
from cislens.syntax.sites import Sites

if TYPE_CHECKING:
    import pandas as pd

NONE = "none"  # the pattern of a sequence without instances


def patterns(report: MotifReport) -> pd.DataFrame:
    """Return the motif patterns of a report's sequences, the most frequent first.

    A pattern names the motifs in their order, as in "CTCF - FOXA - FOXA". A sequence reads on either strand: the
    reading on which more instances are forward is taken, of equal ones the one that comes first in the alphabet, and so
    are both readings of one and the same pattern brought together.

    Returns
    -------
    DataFrame
        pattern, count (sequences), share (of all), and, where the report has predictions, prediction: their mean, of
        the first target.

    Raises
    ------
    ReportError
        If the report holds no table of instances.
    """
    import pandas as pd

    sites = Sites.of(report)
    names = dict(zip(sites.motifs, sites.motifs, strict=True)) | {motif.id: motif.name for motif in report.motifs}
    bounds = np.searchsorted(sites.sequence, np.arange(sites.n + 1))
    read = [_pattern(sites, names, slice(*bounds[i : i + 2])) for i in range(sites.n)]
    table = pd.DataFrame({"pattern": read})
    if report.predictions is not None and len(report.predictions):
        table["prediction"] = np.asarray(report.predictions[0], float)
    found = table.groupby("pattern", sort=False)
    result = pd.DataFrame({"count": found.size(), "share": found.size() / max(sites.n, 1)})
    if "prediction" in table:
        result["prediction"] = found["prediction"].mean()
    result = result.reset_index()
    return result.sort_values(["count", "pattern"], ascending=[False, True], ignore_index=True)


def _pattern(sites: Sites, names: dict[str, str], held: slice) -> str:
    reverse = sites.reverse[held]
    forwards = [names[sites.motifs[m]] for m in sites.motif[held]]
    backwards = forwards[::-1]
    lead = int((~reverse).sum()) - int(reverse.sum())
    reading = forwards if lead > 0 or (lead == 0 and forwards <= backwards) else backwards
    return " - ".join(reading) or NONE
