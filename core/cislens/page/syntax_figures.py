"""Pictures of syntax: how many pairs of motifs stand at each spacing, or what they do there, and motif patterns."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.page.gathering import Gathered
from cislens.page.logo import text_of, tick_step, ticks
from cislens.report import MotifReport
from cislens.syntax import CountedSyntax, SpacingCounts, patterns, spacing_counts
from cislens.syntax.sites import ARRANGEMENTS

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
MOST_PAIRS = 12  # that are drawn
MOST_PATTERNS = 12
HALF_LETTER = 3.2  # of what is written above bars, so that it keeps off the axis
MOST_PLACES = 3  # runs of spacings whose bp are written above their bars
# Three pictures stand beside each other on a page of common width.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 364.0, 156.0, 54.0, 10.0, 16.0, 36.0
# How an arrangement reads, with the motifs' names.
READINGS = {
    ("1-2", "++"): "{0} ▶ {1} ▶",
    ("2-1", "++"): "{1} ▶ {0} ▶",
    ("1-2", "+-"): "{0} ▶ ◀ {1}",
    ("2-1", "+-"): "◀ {1} {0} ▶",
}


def syntax_figures(gathered: Gathered) -> list[dict[str, Any]]:
    """Return for each report with syntax its pairs, each with its pictures, and how many pairs there are."""
    found = []
    for label, report in gathered.reports.items():
        if report.syntax is None or not len(report.syntax):
            continue
        pairs = _best_supported(report.syntax)
        measured = {"target", "interaction", "standard_error"} <= set(report.syntax.columns)
        draw = _by_intervention if measured else _by_counting
        drawn = list(draw(report, pairs[:MOST_PAIRS]))
        if drawn:
            found.append({"label": label, "pairs": drawn, "total": len(pairs), "measured": measured})
    return found


def _best_supported(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the pairs: those that need each other first, then those with the most support over all their rows."""
    ranked = []
    for (one, two), rows in table.groupby(["motif_1", "motif_2"], sort=False):
        # Of one motif "or" says but that one site is enough.
        trivial = set(rows["logic"]) <= ({"beside", "or"} if one == two else {"beside"})
        ranked.append(((trivial, one == two, -float(rows["support"].astype(float).sum())), str(one), str(two)))
    return [(one, two) for _, one, two in sorted(ranked, key=lambda pair: pair[0])]


def pattern_rows(gathered: Gathered) -> list[dict[str, Any]]:
    """Return for each report with instances its most frequent motif patterns."""
    found = []
    for label, report in gathered.reports.items():
        if report.instances is None or not len(report.instances) or not len(report.sequences):
            continue
        table = patterns(report)
        rows = [
            {
                "pattern": row["pattern"],
                "count": f"{row['count']:,}",
                "share": f"{row['share']:.1%}",
                "prediction": text_of(float(row["prediction"])) if "prediction" in row else "",
            }
            for row in table.head(MOST_PATTERNS).to_dict("records")
        ]
        found.append({"label": label, "rows": rows, "total": len(table), "predicted": "prediction" in table})
    return found


# ---- by counting ------------------------------------------------------------------------------------------


def _by_counting(report: MotifReport, pairs: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    if report.instances is None or not len(report.sequences):
        return
    counted = _settings(report).counted(report)
    number = {name: i for i, name in enumerate(counted.sites.motifs)}
    for one, two in pairs:
        if one not in number or two not in number:
            continue
        low, high = sorted((number[one], number[two]))
        counts = spacing_counts(counted.sites, counted.pairs, low, high, counted.spacings)
        kept = _kept(report, counts, turned=number[one] > number[two])
        pictures = [
            {"caption": _reading(report, counts, code), "svg": _histogram(counts, code, kept[code])}
            for code in range(len(ARRANGEMENTS))
            if (kept[code].any() if kept.any() else counts.count[code].any())
        ]
        if pictures:
            yield {**_heading(report, one, two), "pictures": pictures}


def _settings(report: MotifReport) -> CountedSyntax:
    """Return the settings with which the syntax was counted, the defaults where that is not known."""
    from cislens import settings

    steps = [step for step in report.provenance.derivations if step["derivation"] == CountedSyntax.name]
    held: CountedSyntax = settings.build(CountedSyntax, steps[-1]["settings"] if steps else {})
    return held


def _kept(report: MotifReport, counts: SpacingCounts, *, turned: bool) -> Array:
    """Return which orders, orientations and spacings have a row in the table, (4, d)."""
    table = report.syntax
    assert table is not None
    pair = (counts.motif_2, counts.motif_1) if turned else (counts.motif_1, counts.motif_2)
    kept = np.zeros(counts.count.shape, bool)
    place = {float(spacing): i for i, spacing in enumerate(counts.spacings)}
    for row in table[(table["motif_1"] == pair[0]) & (table["motif_2"] == pair[1])].to_dict("records"):
        read = (row["order"], row["orientation"])
        if read in ARRANGEMENTS and row["spacing"] in place:
            code = ARRANGEMENTS.index(read)
            # Said of the pair the other way round, on the strand on which that motif reads forward.
            kept[1 - code if turned and code < 2 else code, place[row["spacing"]]] = True
    return kept


def _heading(report: MotifReport, one: str, two: str) -> dict[str, str]:
    table = report.syntax
    assert table is not None
    rows = table[(table["motif_1"] == one) & (table["motif_2"] == two)]
    held = list(dict.fromkeys(map(str, rows["logic"])))
    told = [logic for logic in held if logic != "beside"] or held
    names = _names(report)
    return {"title": f"{names.get(one, one)}, {names.get(two, two)}", "logic": ", ".join(told)}


def _names(report: MotifReport) -> dict[str, str]:
    names = {motif.id: motif.name for motif in report.motifs}
    # Two motifs of one name are told apart by their ids.
    return {key: name if list(names.values()).count(name) == 1 else key for key, name in names.items()}


def _reading(report: MotifReport, counts: SpacingCounts, code: int) -> str:
    names = _names(report)
    pair = (names.get(name, name) for name in (counts.motif_1, counts.motif_2))
    return READINGS[ARRANGEMENTS[code]].format(*pair)


def _histogram(counts: SpacingCounts, code: int, kept: Array) -> str:
    count, expected = counts.count[code], counts.expected[code]
    high = max(float(count.max()), float(expected.max()), 1.0)
    frame = _Frame(counts.spacings, 0.0, high, "pairs", whole=True)
    wide = max(frame.step * 0.84, 0.8)
    bars = {"kept": "", "rest": ""}
    for spacing, value, told in zip(counts.spacings, count, kept, strict=True):
        if value:
            x, y = frame.x(float(spacing)) - wide / 2, frame.y(float(value))
            bars["kept" if told else "rest"] += f"M{x:.1f} {frame.y(0):.1f}V{y:.1f}h{wide:.1f}V{frame.y(0):.1f}z"
    places = zip(counts.spacings.tolist(), expected.tolist(), strict=True)
    line = "L".join(f"{frame.x(spacing):.1f} {frame.y(value):.1f}" for spacing, value in places)
    body = "".join(f'<path class="{name}" d="{d}"/>' for name, d in bars.items() if d)
    body += "".join(_places(frame, counts.spacings, np.where(kept, count, 0)))
    return frame.drawn(f'{body}<path class="chance" d="M{line}"/>', "pairs at each spacing, and by chance")


def _places(frame: _Frame, spacings: Array, count: Array) -> Iterator[str]:
    """Yield the bp of the runs of spacings that hold most pairs, written above them."""
    held = np.flatnonzero(count)
    runs = np.split(held, np.flatnonzero(np.diff(held) > 1) + 1)
    for run in sorted(runs, key=lambda run: -count[run].sum())[:MOST_PLACES] if len(held) else []:
        first, last = (f"{spacings[end]:g}".replace("-", "\N{MINUS SIGN}") for end in (run[0], run[-1]))
        text = f"{first} bp" if first == last else f"{first} to {last} bp"
        half = HALF_LETTER * len(text)
        x = min(max(frame.x(float(spacings[run].mean())), LEFT + half), WIDTH - RIGHT - half)
        y = frame.y(float(count[run].max())) - 4
        yield f'<text class="place" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{text}</text>'


# ---- by intervention --------------------------------------------------------------------------------------


def _by_intervention(report: MotifReport, pairs: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    table = report.syntax
    assert table is not None
    names = _names(report)
    for one, two in pairs:
        rows = table[(table["motif_1"] == one) & (table["motif_2"] == two)]
        error = rows["standard_error"].fillna(0.0)
        ends = float((rows["interaction"] - error).min()), float((rows["interaction"] + error).max())
        pictures = [
            {
                "caption": READINGS.get((str(order), str(strands)), "{0}, {1}").format(
                    names.get(one, one), names.get(two, two)
                )
                + (f", {target}" if rows["target"].nunique() > 1 else ""),
                "svg": _effects(part, ends),
            }
            for (order, strands, target), part in rows.groupby(["order", "orientation", "target"], sort=False)
        ]
        yield {**_heading(report, one, two), "pictures": pictures[: 2 * len(ARRANGEMENTS)]}


def _effects(part: pd.DataFrame, ends: tuple[float, float]) -> str:
    part = part.sort_values("spacing")
    spacings = part["spacing"].to_numpy(float)
    frame = _Frame(spacings, min(ends[0], 0.0), max(ends[1], 0.0), "interaction")
    body = []
    for row in part.to_dict("records"):
        x, value, error = frame.x(row["spacing"]), row["interaction"], row["standard_error"]
        name = "rest" if row["logic"] == "beside" else "kept"
        low, high = (frame.y(value + sign * error) for sign in (-1, 1))
        if np.isfinite(error):
            body.append(f'<path class="error" d="M{x:.1f} {low:.1f}V{high:.1f}"/>')
        body.append(f'<circle class="{name}" cx="{x:.1f}" cy="{frame.y(value):.1f}" r="2.6"/>')
    return frame.drawn("".join(body), "interaction at each spacing, with its standard error")


class _Frame:
    """The axes of a picture over spacings."""

    def __init__(self, spacings: Array, low: float, high: float, unit: str, *, whole: bool = False) -> None:
        self.first, self.last = float(spacings.min()) - 0.5, float(spacings.max()) + 0.5
        low, high = (low, high) if high > low else (low - 1.0, high + 1.0)
        between = max(tick_step(low, high, 3), 1.0 if whole else 0.0)
        # Both ends are marked, so that nothing is drawn on the edge.
        self.marks = between * np.arange(np.floor(low / between), np.ceil(high / between) + 1)
        self.low, self.high = float(self.marks[0]), float(self.marks[-1])
        self.unit = unit
        self.step = (WIDTH - LEFT - RIGHT) / (self.last - self.first)

    def x(self, spacing: float) -> float:
        return LEFT + (spacing - self.first) * self.step

    def y(self, value: float) -> float:
        return TOP + (self.high - value) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)

    def drawn(self, body: str, title: str) -> str:
        base, marks = HEIGHT - BOTTOM, ""
        for value in self.marks:
            marks += f'<path d="M{LEFT - 4} {self.y(value):.1f}h4"/>'
            marks += f'<text x="{LEFT - 7}" y="{self.y(value) + 3.6:.1f}" text-anchor="end">{text_of(value, 3)}</text>'
        for value in ticks(self.first + 0.5, self.last - 0.5, 6) if self.last - self.first > 1 else []:
            if float(value).is_integer():
                marks += f'<path d="M{self.x(value):.1f} {base}v4"/>'
                marks += f'<text x="{self.x(value):.1f}" y="{base + 16}" text-anchor="middle">{text_of(value)}</text>'
        middle = (LEFT + WIDTH - RIGHT) / 2
        marks += f'<text x="{middle}" y="{HEIGHT - 3}" text-anchor="middle">bp between them</text>'
        marks += f'<path d="M{LEFT} {TOP}V{base}M{LEFT} {self.y(0):.1f}H{WIDTH - RIGHT}"/>'
        marks += (
            f'<text transform="translate(10 {(TOP + base) / 2}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.unit)}</text>"
        )
        return (
            f'<svg class="spacing" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" width="{WIDTH:g}" height="{HEIGHT:g}" '
            f'font-size="11" role="img" aria-label="{escape(title)}"><g class="axis">{marks}</g>{body}</svg>'
        )
