"""Whether two reports say the same: what differs is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cislens.report import Attributions, MotifReport
from cislens.sequences import Sequences
from cislens.testing.contract import ContractViolation
from cislens.testing.same_report import require_same_report

SEQUENCES = Sequences.from_strings(["ACGT", "GGCA"])
VALUES = np.random.default_rng(0).normal(size=(1, 2, 4, 4))
ERRORS = np.where(np.arange(4) == 3, np.nan, np.abs(VALUES))
REPORT = MotifReport(SEQUENCES, attributions=Attributions(VALUES), standard_errors=ERRORS)
exactly = pytest.mark.parametrize("exactly", [False, True])


@exactly
def test_a_report_is_the_same_as_itself_also_where_it_has_no_number(exactly: bool) -> None:
    require_same_report(REPORT, replace(REPORT, standard_errors=ERRORS.copy()), "it", exactly)


@exactly
@pytest.mark.parametrize(
    "errors",
    [None, np.nan_to_num(ERRORS), np.where(np.arange(4) == 2, np.nan, ERRORS), 1.001 * ERRORS],
    ids=["none", "numbers where there are none", "none where there are numbers", "others"],
)
def test_other_standard_errors_are_found_whichever_report_has_them(errors: np.ndarray | None, exactly: bool) -> None:
    other = replace(REPORT, standard_errors=errors)
    for pair in ((REPORT, other), (other, REPORT)):
        with pytest.raises(ContractViolation, match="it.*standard errors"):
            require_same_report(*pair, "it", exactly)


@exactly
def test_maps_of_another_shape_are_found(exactly: bool) -> None:
    twice = replace(REPORT, attributions=Attributions(np.repeat(VALUES, 2, axis=0)), standard_errors=None)
    with pytest.raises(ContractViolation, match=r"it, attributions: expected shape \(1, 2, 4, 4\), got \(2, 2"):
        require_same_report(twice, replace(REPORT, standard_errors=None), "it", exactly)
