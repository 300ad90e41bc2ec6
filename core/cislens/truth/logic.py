"""Rules over motifs: AND, OR and NOT in plain words."""

from __future__ import annotations

import ast
from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from cislens.errors import CislensError

FORM = "names joined by and, or, not and brackets, as in 'spi1 and not ctcf'"


@dataclass(frozen=True)
class Rule:
    """Hold one rule, such as "spi1 and not (ctcf or rest)".

    Parameters
    ----------
    text
        Names of motifs or of arrangements, joined by `and`, `or`, `not` and brackets.

    Raises
    ------
    CislensError
        If it is anything else.

    Examples
    --------
    >>> Rule("a and not b").holds({"a"}), Rule("a and not b").holds({"a", "b"})
    (True, False)
    """

    text: str

    def __post_init__(self) -> None:
        _check(self._tree, self.text)

    @cached_property
    def _tree(self) -> ast.expr:
        try:
            return ast.parse(self.text.strip(), mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise CislensError(f"a rule must be {FORM}, got {self.text!r}") from error

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it speaks of, in the order of their first mention."""
        found = (node for node in ast.walk(self._tree) if isinstance(node, ast.Name))
        return tuple(dict.fromkeys(node.id for node in sorted(found, key=lambda node: node.col_offset)))

    def holds(self, present: Set[str]) -> bool:
        """Tell whether the rule holds where just these names are present."""
        return _value(self._tree, present)


def smallest(items: int, suffices: Callable[[frozenset[int]], bool]) -> tuple[frozenset[int], ...]:
    """Return the smallest sets of 0 to items - 1 that suffice, none of them holding another that does."""
    found: list[frozenset[int]] = []
    for size in range(items + 1):
        for chosen in map(frozenset, combinations(range(items), size)):
            if not any(held <= chosen for held in found) and suffices(chosen):
                found.append(chosen)
    return tuple(found)


def _check(node: ast.expr, text: str) -> None:
    if isinstance(node, ast.Name):
        return
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            _check(part, text)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _check(node.operand, text)
    else:
        raise CislensError(f"a rule must be {FORM}, got {text!r}")


def _value(node: ast.expr, present: Set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in present
    if isinstance(node, ast.UnaryOp):
        return not _value(node.operand, present)
    assert isinstance(node, ast.BoolOp)
    values = (_value(part, present) for part in node.values)
    return all(values) if isinstance(node.op, ast.And) else any(values)
