"""The JSON of a store: plain values, and groups written in one step."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cislens.errors import ReportError
from cislens.files import write_text

# Marks a float that JSON has no number for.
NOT_FINITE = "__float__"


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: tuples and arrays as lists, nan and inf marked.

    Raises
    ------
    ReportError
        If it is nothing that JSON can hold.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {NOT_FINITE: repr(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    raise ReportError(
        f"a report keeps numbers, texts, lists and mappings of its settings, got {type(value).__name__} {value!r}: "
        "give it as one of these"
    )


def restored(value: Any) -> Any:
    """Return what `plain` was given, tuples and arrays as lists."""
    if isinstance(value, dict):
        if set(value) == {NOT_FINITE}:
            return float(value[NOT_FINITE])
        return {name: restored(item) for name, item in value.items()}
    if isinstance(value, list):
        return [restored(item) for item in value]
    return value


def write_group(folder: Path, attributes: Mapping[str, Any] | None = None) -> None:
    """Make a folder a zarr group with these attributes; a kill leaves the old ones or the new ones, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"zarr_format": 3, "node_type": "group", "attributes": plain(attributes or {})}
    write_text(folder / "zarr.json", json.dumps(metadata, indent=1, allow_nan=False))


def read_attributes(folder: Path) -> dict[str, Any]:
    """Return the attributes of a group.

    Raises
    ------
    ReportError
        If there is none, or it is damaged.
    """
    path = folder / "zarr.json"
    try:
        attributes = json.loads(path.read_text(encoding="utf-8"))["attributes"]
    except OSError as error:
        raise ReportError(f"{path} must be readable, got {error.strerror}: is the store complete?") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ReportError(f"{path} must hold the JSON of a group, got something else: the store is damaged") from error
    return dict(restored(attributes))
