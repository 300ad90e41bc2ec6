"""Curves as tab-separated text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cislens.errors import ReportError
from cislens.exchange import export
from cislens.exchange.tables import Tsv
from cislens.report import TABLES, MotifReport
from cislens.sequences import Sequences


def test_curves_are_exported_as_they_are(tmp_path: Path) -> None:
    rows = [["Dev", "only", "surrogate", -0.5, 0.25, 0.125, 0.5], ["Dev", "only", "held out", 0.5, 1.0, np.nan, np.nan]]
    curves = pd.DataFrame(rows, columns=list(TABLES["curves"]))
    report = MotifReport(Sequences.from_strings(["ACGT"]), curves=curves)
    (path,) = export(report, Tsv(table="curves"), tmp_path / "curves.tsv").paths
    pd.testing.assert_frame_equal(pd.read_csv(path, sep="\t"), curves)
    with pytest.raises(ReportError, match="holds no instances, only curves"):
        export(report, Tsv(), tmp_path / "instances.tsv")
