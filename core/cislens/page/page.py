"""Reports as one HTML file that works offline."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from cislens.files import whole_file
from cislens.page import measures, sections
from cislens.page.curve_figures import curve_figures
from cislens.page.figures import static_logos, strip
from cislens.page.gathering import Gathered, gather
from cislens.page.instance_bands import Band, instance_bands
from cislens.page.interaction_figures import interaction_figures
from cislens.page.logo import GLYPHS
from cislens.page.motif_rows import motifs
from cislens.page.payload import Plan, build_payload, embed, plan
from cislens.page.sequence_figures import Drawn
from cislens.page.syntax_figures import pattern_rows, syntax_figures
from cislens.report import MotifReport

STRIPS = 6  # targets whose predictions are drawn
# In the order in which each uses what stands before it.
SCRIPTS = ("draw.js", "numbers.js", "draw_curve.js", "draw_pairs.js", "draw_neighbours.js", "figures.js", "page.js")


def write_page(reports: Mapping[str, MotifReport], path: str | Path, *, title: str | None = None) -> Path:
    """Write reports as one self-contained page.

    It shows what was explained, predictions, maps as logos that zoom with motif instances above them, curves and pair
    terms of surrogates, motifs beside their best matches, syntax, validity and provenance. It needs no network and
    fetches nothing, so it can be mailed, archived, or put into a supplement. Drawing is rounded so that 50 sequences of
    1,000 bp stay under 5 MB; the store keeps the exact values.

    Parameters
    ----------
    reports
        By label, on the same sequences; a report without sequences may stand beside them.
    path
        Where the file goes.
    title
        Heading of the page; by default it names the model.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ReportError
        If there is no report, or if reports disagree on their sequences.

    Examples
    --------
    >>> write_page({"ism": report}, "report.html")  # doctest: +SKIP
    PosixPath('report.html')
    """
    path = Path(path)
    page = render_page(reports, title=title)
    with whole_file(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8", newline="\n")
    return path


def render_page(reports: Mapping[str, MotifReport], *, title: str | None = None) -> str:
    """Return the page that `write_page` writes, as text."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    gathered = gather(reports)
    held = plan(gathered)
    bands = instance_bands(gathered, held.sequences)
    pictures = {"curves": curve_figures(gathered, held), "interactions": interaction_figures(gathered, held)}
    script = "".join(map(_asset, SCRIPTS))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["svg"] = Markup  # only for pictures that cislens drew, whose text is escaped
    template = environment.from_string(_asset("template.html.j2"))
    return template.render(
        **_context(gathered, held, bands),
        pictures=pictures,
        title=title or _title(gathered),
        style=Markup(_asset("page.css")),
        script=Markup(script),
        script_hash=_hash(script),
        payload=Markup(embed(build_payload(gathered, held, bands) | _drawn(pictures))),
    )


def _context(gathered: Gathered, held: Plan, bands: Sequence[Band]) -> dict[str, Any]:
    drops, total_dropped = sections.dropped(gathered)
    targets = gathered.targets
    pairs = list(zip(targets[:STRIPS], gathered.predictions[:STRIPS], strict=True)) if held.sequences else []
    strips = [(target, strip(values, f"distribution of predictions of {target}")) for target, values in pairs]
    return {
        "n": len(gathered.sequences),
        "length": gathered.sequences.length,
        "targets": targets,
        "columns": targets[: sections.MOST_COLUMNS],
        "models": sections.models(gathered),
        "explainers": sections.explainers(gathered),
        "warnings": sections.warnings(gathered),
        "limits": sections.limits(gathered, held, bands),
        "rows": sections.prediction_rows(gathered, held),
        "strips": [pair for pair in strips if pair[1]],
        "has_maps": bool(gathered.tracks),
        "has_errors": any(track.errors is not None for track in gathered.tracks),
        "static_logos": static_logos(gathered),
        "measures": measures.measures(gathered),
        "summaries": measures.summaries(gathered),
        "meanings": measures.meanings(gathered),
        "dropped": drops,
        "total_dropped": total_dropped,
        "notes": sections.notes(gathered),
        "glyphs": GLYPHS,
        "motifs": motifs(gathered),
        "tables": sections.tables(gathered),
        "syntax": syntax_figures(gathered),
        "patterns": pattern_rows(gathered),
        "steps": sections.steps(gathered),
        "provenance": sections.provenance(gathered),
    }


def _drawn(pictures: Mapping[str, Drawn]) -> dict[str, Any]:
    return {name: list(drawn.pictures) for name, drawn in pictures.items()}


def _title(gathered: Gathered) -> str:
    names = [model["name"] for model in sections.models(gathered)]
    return f"What {' and '.join(names)} has learned" if len(names) == 1 else f"What {', '.join(names)} have learned"


def _asset(name: str) -> str:
    return resources.files("cislens.page").joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
