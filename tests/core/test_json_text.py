"""JSON of numbers that may be missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cislens.json_text import json_text


@pytest.mark.parametrize("missing", [float("nan"), float("inf"), -float("inf"), np.float64("nan")])
def test_what_is_no_number_is_null_wherever_it_stands(missing: float) -> None:
    text = json_text({"a": missing, "b": [1.5, (missing, {"c": missing})]})
    assert json.loads(text, parse_constant=pytest.fail) == {"a": None, "b": [1.5, [None, {"c": None}]]}


def test_everything_else_is_as_it_was() -> None:
    values = {"a": [1, 2.5, True, None, "NaN"], "b": {}}
    assert json.loads(json_text(values)) == values
    assert json.loads(json_text({"p": Path("x")}, default=str)) == {"p": "x"}
