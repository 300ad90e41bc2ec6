"""How columns and entries of INFO are called."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cislens.variants.scores import MODEL, REFERENCE

OWN = "CISLENS_"
STATUS, REASON = f"{OWN}STATUS", f"{OWN}REASON"
FORBIDDEN = re.compile(r"[^0-9A-Za-z_.]")


def columns_of(sources: tuple[str, ...], targets: tuple[str, ...]) -> list[str]:
    """Return the names of a table's columns of numbers: the references of each target, then the effects."""
    return [f"{source}:{target}" for source in (REFERENCE, *sources) for target in targets]


def info_keys(sources: tuple[str, ...], targets: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Return for each key of INFO, in the order of `columns_of`, its number and its description."""
    keys: dict[str, tuple[str, str]] = {}
    for words, number, description in _described(sources, targets):
        key = plain = OWN + FORBIDDEN.sub("_", "_".join(words))
        repeat = 1
        while key in keys or key in (STATUS, REASON):
            repeat += 1
            key = f"{plain}_{repeat}"
        keys[key] = (number, description)
    return keys


def _described(sources: tuple[str, ...], targets: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    for target in targets:
        yield ("REF", target), "1", f"prediction of {target} for the reference"
    for source in sources:
        for target in targets:
            if source == MODEL:
                yield (target,), "A", f"effect on {target}, prediction of the alternative minus that of the reference"
            else:
                yield (source, target), "A", f"effect on {target} by the map of {source}"
