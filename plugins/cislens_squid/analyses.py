"""What pairwise surrogates say of two sites: interactions within and between them, averaged or over their distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cislens import CislensError, MotifReport
from cislens.sequences.container import BASES

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
CRITICAL = 6  # positions of a site between which interactions are summarised, as in the paper


class Site(NamedTuple):
    """Where a site starts, 0-based on the plus strand, and whether it reads on the minus strand."""

    start: int
    reverse: bool = False


@dataclass(frozen=True, eq=False)
class SiteInteractions:
    """Hold the parameters of two sites, averaged over the sequences around them; each site as it reads forward.

    Parameters
    ----------
    additive
        The single terms of sites A and B, (width, 4) each, in the gauge of the report that they come from.
    within
        The pair terms inside A and inside B, (width, 4, width, 4) each: symmetric, zero within a position.
    between : (width of A, 4, width of B, 4)
        The pair terms of a base in A and a base in B.
    sequences
        Over how many they are averaged.
    """

    additive: tuple[Array, Array]
    within: tuple[Array, Array]
    between: Array
    sequences: int

    def epistasis(self, critical: int = CRITICAL) -> dict[str, float]:
        """Return the mean epistasis of two critical substitutions within A, within B, and between them.

        It is what two substitutions of a site's preferred bases do together beyond the sum of what each does alone, in
        the unit of the terms and in no gauge; critical positions are those whose single terms vary most over the bases.
        Where losing a site lowers the answer, it is positive within a site that one substitution already breaks,
        positive between sites that need each other, and negative between sites of which either is enough.
        """
        change = [contrasts(additive.argmax(1)) for additive in self.additive]
        kept = [critical_positions(additive, critical) for additive in self.additive]
        found = {}
        for name, block, one, two in (
            ("within A", self.within[0], 0, 0),
            ("within B", self.within[1], 1, 1),
            ("between", self.between, 0, 1),
        ):
            values = np.einsum("ia,iajb,jb->ij", change[one], block, change[two])[np.ix_(kept[one], kept[two])]
            values = values.ravel() if one != two else values[np.triu_indices(len(values), 1)]
            found[name] = float(values.mean()) if values.size else float("nan")
        return found


def context_averaged(
    report: MotifReport,
    sites: Mapping[str, tuple[Site, Site]],
    widths: tuple[int, int],
    target: str | None = None,
) -> SiteInteractions:
    """Average the parameters of a pair of sites over the sequences that hold it.

    An interaction that one sequence shows may be its own; what is left in the average belongs to the pair. The single
    and pair terms of each sequence's surrogate are cropped to both sites, turned to read forward, and averaged.

    Parameters
    ----------
    report
        Of `squid` with a pairwise map, whose window covers both sites in every sequence. A pair term that the report
        left out, because `interactions` stronger ones filled it, counts as zero.
    sites
        By the id of each sequence, where its sites A and B are.
    widths
        Of A and B, in bp.
    target
        Which of the report's targets; may be left out where it has but one.

    Raises
    ------
    CislensError
        If the report holds no pair terms or lacks a sequence or the target, or if sites overlap or end outside.

    References
    ----------
    Seitz et al. 2024, 10.1038/s42256-024-00851-5, Figure 6: there in the empirical gauge, by six positions a site.
    """
    if report.interactions is None or report.attributions is None:
        raise CislensError("context averages need single and pair terms: explain with squid:gp_map=pairwise")
    named = _only(report.targets, target)
    rows = dict(list(report.interactions[report.interactions["target"] == named].groupby("sequence")))
    missing = [name for name in sites if name not in rows or name not in report.sequences.ids]
    if missing or not sites:
        raise CislensError(
            f"sites must be given of sequences whose pair terms the report holds, got {', '.join(missing) or 'none'}"
        )
    maps = report.attributions.values[report.targets.index(named)]
    width, cut = sum(widths), widths[0]
    additive, pairs = np.zeros((width, 4)), np.zeros((width, 4, width, 4))
    for name, pair in sites.items():
        places = _places(pair, widths, report.sequences.length, name)
        found = maps[report.sequences.ids.index(name)]
        additive += np.concatenate([_forward(found, site, w) for site, w in zip(pair, widths, strict=True)])
        one, base_1, two, base_2, values = _terms(rows[name], places)
        np.add.at(pairs, (one, base_1, two, base_2), values)
        np.add.at(pairs, (two, base_2, one, base_1), values)
    additive, pairs = additive / len(sites), pairs / len(sites)
    return SiteInteractions(
        (additive[:cut], additive[cut:]),
        (pairs[:cut, :, :cut], pairs[cut:, :, cut:]),
        pairs[:cut, :, cut:],
        len(sites),
    )


def _forward(found: Array, site: Site, width: int) -> Array:
    cropped = found[site.start : site.start + width]
    return cropped[::-1, ::-1] if site.reverse else cropped


def _places(pair: tuple[Site, Site], widths: tuple[int, int], length: int, name: str) -> Array:
    """Return for each position of a sequence its place in A followed by B and whether it is reversed, (length, 2)."""
    places = np.full((length, 2), -1)
    for site, width, first in zip(pair, widths, (0, widths[0]), strict=True):
        held = places[site.start : site.start + width]
        if site.start < 0 or len(held) < width or (held >= 0).any():
            raise CislensError(
                f"sites must not overlap and must lie in the {length} bp of {name}, got starts {pair[0].start} and "
                f"{pair[1].start} of sites of {widths[0]} and {widths[1]} bp"
            )
        order = np.arange(width)[::-1] if site.reverse else np.arange(width)
        held[:] = np.column_stack([first + order, np.full(width, site.reverse)])
    return places


def _terms(rows: pd.DataFrame, places: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Return place and base of both ends, and the value, of the pair terms that lie in the sites."""
    ends = []
    for end in ("1", "2"):
        place, reverse = places[rows[f"position_{end}"].to_numpy()].T
        base = rows[f"base_{end}"].map(BASES.index).to_numpy()
        ends += [place, np.where(reverse == 1, 3 - base, base)]
    inside = (ends[0] >= 0) & (ends[2] >= 0)
    one, base_1, two, base_2 = (end[inside] for end in ends)
    return one, base_1, two, base_2, rows["value"].to_numpy()[inside]


def interaction_over_distance(report: MotifReport, target: str | None = None) -> pd.DataFrame:
    """Return how the interaction of two elements goes with the distance between them.

    Parameters
    ----------
    report
        Of `squid_global` with two motifs and a pairwise map.
    target
        Which of the report's targets; may be left out where it has but one.

    Returns
    -------
    pandas.DataFrame
        A row for each distance, the nearest first: `spacing` (bp), `between` (mean epistasis of two critical
        substitutions, one in either element, in the target's unit) and its `standard_error`, `within_1` and `within_2`
        (of two in the same element).

    Raises
    ------
    CislensError
        If the report holds no such table, or not of the target.

    References
    ----------
    Seitz et al. 2024, 10.1038/s42256-024-00851-5, Figure 7.
    """
    columns = ["spacing", "interaction", "standard_error", "within_1", "within_2"]
    if report.syntax is None or not set(columns) <= set(report.syntax.columns):
        raise CislensError("interactions over distance are read from squid_global with two motifs and a pairwise map")
    rows = report.syntax[report.syntax["target"] == _only(report.targets, target)]
    return rows[columns].rename(columns={"interaction": "between"}).sort_values("spacing", ignore_index=True)


def _only(targets: tuple[str, ...], target: str | None) -> str:
    if target is None and len(targets) == 1:
        return targets[0]
    if target not in targets:
        raise CislensError(f"the target must be one of the report's, {', '.join(targets)}, got {target}")
    return target


def contrasts(wild: Array) -> Array:
    """Return what turns terms into the mean change by a substitution, (width, 4): -1 at the wild type, 1/3 elsewhere.

    Contracted with both ends of a pair term it gives the mean epistasis of substitutions at both positions, in which
    every gauge agrees.
    """
    return np.asarray((1 - 4 * np.eye(4)[wild]) / 3)


def critical_positions(additive: Array, count: int) -> Array:
    """Return the positions, ascending, at most so many, whose single terms (width, 4) vary most over the bases."""
    return np.sort(np.argsort(-additive.std(1), kind="stable")[:count])
