"""Two lists side by side, where they ought to agree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

SHOWN = 12


def side_by_side(left: Sequence[tuple[str, str]], right: Sequence[tuple[str, str]]) -> str:
    """Return the rows around the first that differs, each that differs marked.

    Parameters
    ----------
    left, right
        (name, form) of each entry; rows agree where the forms do.
    """
    rows = [(_shown(a), _shown(b), a is not None and b is not None and a[1] == b[1]) for a, b in _paired(left, right)]
    first = next((i for i, row in enumerate(rows) if not row[2]), 0)
    start = max(min(first - 2, len(rows) - SHOWN), 0)
    shown = rows[start : start + SHOWN]
    width = max((len(text) for text, _, _ in shown), default=0)
    lines = [f"  {a:<{width}}   {b}{'' if agrees else '   <-'}" for a, b, agrees in shown]
    above = [f"  ... {start} more"] if start else []
    below = [f"  ... {len(rows) - start - len(shown)} more"] if start + len(shown) < len(rows) else []
    return "\n".join([*above, *lines, *below])


def _paired(
    left: Sequence[tuple[str, str]], right: Sequence[tuple[str, str]]
) -> list[tuple[tuple[str, str] | None, tuple[str, str] | None]]:
    return list(zip_longest(left, right))


def _shown(entry: tuple[str, str] | None) -> str:
    return "-" if entry is None else f"{entry[0]}: {entry[1]}"
