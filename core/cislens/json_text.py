"""JSON that every reader takes, also of numbers that are missing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any


def json_text(values: Any, default: Callable[[Any], Any] | None = None) -> str:
    """Return values as JSON; NaN and infinity, for which it has no word, are null.

    Parameters
    ----------
    values
        Mappings, lists, tuples, texts, numbers.
    default
        Makes something of those of other types, as in `json.dumps`.
    """
    return json.dumps(_finite(values), indent=2, allow_nan=False, default=default)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
