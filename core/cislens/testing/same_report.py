"""Whether two reports say the same."""

from __future__ import annotations

import numpy as np

from cislens.report import TABLES, MotifReport
from cislens.testing.contract import INVARIANCE, Array, require, require_close


def require_same_report(came: MotifReport, expected: MotifReport, what: str, exactly: bool = False) -> None:
    """Raise unless two reports hold the same sequences, maps, tables, motifs and measures.

    Numbers may differ by 1e-5 of the largest of their array, or not at all with `exactly`; where one report has no
    number (NaN), the other must have none. Cost, time and provenance are not compared.
    """
    require(
        came.sequences.ids == expected.sequences.ids,
        f"{what}: expected the sequences {expected.sequences.ids[:3]}..., got {came.sequences.ids[:3]}...",
    )
    require(came.emits == expected.emits, f"{what}: expected {expected.emits} in the report, got {came.emits}")
    for part, one, two in _arrays(came, expected, what):
        require(one.shape == two.shape, f"{what}, {part}: expected shape {two.shape}, got {one.shape}")
        if exactly:
            require(
                np.array_equal(one, two, equal_nan=True), f"{what}: expected the same {part} bit by bit, got others"
            )
        else:
            missing = np.isnan(two)
            require(
                np.array_equal(np.isnan(one), missing),
                f"{what}: expected numbers in the same places of {part}, got others",
            )
            require_close(np.where(missing, 0, one), np.where(missing, 0, two), f"{what}, {part}", INVARIANCE)


def _arrays(came: MotifReport, expected: MotifReport, what: str) -> list[tuple[str, Array, Array]]:
    pairs: list[tuple[str, Array, Array]] = []
    for part in ("attributions", "masks"):
        one, two = getattr(came, part), getattr(expected, part)
        if two is not None:
            pairs.append((part, one.values, two.values))
    one, two = came.standard_errors, expected.standard_errors
    require((one is None) == (two is None), f"{what}: expected standard errors in both reports or in none")
    if one is not None and two is not None:
        pairs.append(("standard errors", one, two))
    if expected.predictions is not None and came.predictions is not None:
        pairs.append(("predictions", came.predictions, expected.predictions))
    names = sorted(expected.validity.measures)
    require(
        sorted(came.validity.measures) == names,
        f"{what}: expected the measures {names}, got {sorted(came.validity.measures)}",
    )
    pairs += [(f"measure {name}", came.validity.measures[name], expected.validity.measures[name]) for name in names]
    require(
        [m.id for m in came.motifs] == [m.id for m in expected.motifs],
        f"{what}: expected motifs {[m.id for m in expected.motifs]}, got {[m.id for m in came.motifs]}",
    )
    pairs += [
        (f"motif {two.id}", one.matrix, two.matrix) for one, two in zip(came.motifs, expected.motifs, strict=True)
    ]
    for name in TABLES:
        one, two = getattr(came, name), getattr(expected, name)
        if two is None or not len(two):
            continue
        require(
            list(one.columns) == list(two.columns) and len(one) == len(two),
            f"{what}: expected {len(two)} rows of {name} with columns {list(two.columns)}, got {len(one)} rows",
        )
        for column in two.columns:
            if two[column].dtype.kind in "biuf":
                pairs.append((f"{name}.{column}", one[column].to_numpy(), two[column].to_numpy()))
            else:
                require(
                    list(one[column]) == list(two[column]), f"{what}: expected the same {name}.{column}, got others"
                )
    return pairs
