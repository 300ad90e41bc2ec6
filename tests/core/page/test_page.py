"""The page as a file: what it says, what it holds, and that it trusts nobody's text."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.core.page.reading import payload

from cislens.errors import ReportError
from cislens.page import render_page, svg_logo, write_page
from cislens.page.gathering import gather
from cislens.page.payload import decode, encode, plan
from cislens.report import Attributions, MotifReport, Validity
from cislens.sequences import Dropped, Sequences

Reports = dict[str, MotifReport]
MakeReports = Callable[..., Reports]


class Elements(HTMLParser):
    """Collect every element with its attributes, and the text outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] not in ("script", "style"):
            self.text.append(data)


def words(page: str) -> str:
    return " ".join(" ".join(Elements(page).text).split())


def test_nothing_is_fetched_from_anywhere(
    example_reports: MakeReports, motif_report: Callable[[], MotifReport]
) -> None:
    page = render_page(example_reports(2, 60) | {"motifs": motif_report()})
    elements = Elements(page).found
    assert not [
        tag for tag, _ in elements if tag in ("link", "img", "iframe", "object", "embed", "base", "audio", "video")
    ]
    for tag, attributes in elements:
        assert "src" not in attributes
        for name, value in attributes.items():
            if value and re.match(r"https?:", value) and name != "xmlns":
                assert (tag, name) == ("a", "href")
                assert value.startswith("https://doi.org/10.")
    assert "url(http" not in page
    assert "@import" not in page


def test_the_security_policy_allows_its_own_script_and_no_other(example_reports: MakeReports) -> None:
    page = render_page(example_reports(1, 60))
    policy = next(a["content"] for tag, a in Elements(page).found if a.get("http-equiv") == "Content-Security-Policy")
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize("copies", [1, 3])
def test_fifty_sequences_of_1000_bp_and_two_targets_stay_under_5_mb(
    example_reports: MakeReports, tmp_path: Path, copies: int
) -> None:
    reports = example_reports(50, 1000)
    many = {f"{label} {k}": report for k in range(copies) for label, report in reports.items()}
    path = write_page(many, tmp_path / "report.html")
    assert path.stat().st_size < 5_000_000
    assert len(payload(path.read_text(encoding="utf-8"))["sequences"]) == 50


def test_ten_targets_and_300_sequences_stay_under_5_mb_and_the_page_says_what_it_left_out(
    example_reports: MakeReports,
) -> None:
    page = render_page(example_reports(300, 1000, tuple(f"task {i}" for i in range(10))))
    held = len(payload(page)["sequences"])
    assert len(page.encode()) < 5_000_000
    assert 10 <= held < 300
    assert f"this page holds the first {held} of 300 sequences" in words(page)


def test_hundreds_of_targets_are_cut_before_sequences_are(example_reports: MakeReports) -> None:
    gathered = gather(example_reports(12, 200, tuple(f"task {i}" for i in range(400))))
    held = plan(gathered, budget=1_000_000)
    assert held.targets < 400
    assert held.sequences >= 10


@pytest.mark.parametrize("bits", [8, 16])
def test_rounded_values_lie_within_half_a_step(bits: int) -> None:
    values = np.random.default_rng(0).normal(0, 3, (500, 4))
    scale, text = encode(values, bits)
    assert scale == pytest.approx(np.abs(values).max() / (2 ** (bits - 1) - 1))
    assert np.abs(decode(scale, text, bits, 4) - values).max() <= scale / 2 * (1 + 1e-9)


def test_a_map_of_zeros_stays_zero() -> None:
    scale, text = encode(np.zeros((7, 4)), 16)
    assert decode(scale, text, 16, 4).tolist() == np.zeros((7, 4)).tolist()


def test_the_maps_in_the_page_are_those_of_the_reports(
    example_reports: MakeReports, mask_report: Callable[..., MotifReport]
) -> None:
    reports = example_reports(3, 120)
    reports["mem"] = mask_report(reports["ism"].sequences, ("Dev", "Hk"))
    data = payload(render_page(reports))
    assert len(data["tracks"]) == 6
    for track in data["tracks"]:
        report = reports[track["label"]]
        part = report.attributions if track["kind"] == "map" else report.masks
        assert part is not None
        for i, (scale, text) in enumerate(zip(track["scales"], track["data"], strict=True)):
            values = part.values[track["target"], i].reshape(120, -1)
            found = decode(scale, text, data["bits"], track["channels"])
            assert np.abs(found - values).max() <= scale / 2 * (1 + 1e-6)


def test_a_map_of_the_observed_base_alone_is_held_as_one_number_a_position(example_reports: MakeReports) -> None:
    report = example_reports(2, 50)["integrated_gradients"]
    assert report.attributions is not None
    values = report.attributions.values * report.sequences.onehot
    alone = replace(report, attributions=Attributions(values, hypothetical=False))
    data = payload(render_page({"input_x_gradient": alone}))
    track = data["tracks"][1]
    found = decode(track["scales"][1], track["data"][1], data["bits"], 1)
    assert track["channels"] == 1
    assert found[:, 0] == pytest.approx(alone.projected()[1, 1], abs=track["scales"][1])


def letters_of(svg: str) -> list[tuple[str, float, float, float]]:
    """Return (letter, x, top, signed height) of each letter, y upwards positive heights."""
    found = []
    for path in ElementTree.fromstring(svg).iter():
        name = path.get("class") or ""
        if name.startswith("base-"):
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", path.get("transform") or "")]
            found.append((name[-1], numbers[0], numbers[1], numbers[3] * 100))
    return found


def test_letter_heights_are_proportional_to_the_values_and_negative_ones_stand_on_their_heads() -> None:
    matrix = np.diag([1.0, 0.5, -0.25, 2.0])
    letters = letters_of(svg_logo(matrix, 400, 200))
    assert [letter for letter, *_ in letters] == list("ACGT")
    heights = np.array([height for *_, height in letters])
    assert heights / heights[0] == pytest.approx([1.0, 0.5, -0.25, 2.0], abs=1e-4)
    assert heights.max() + abs(heights.min()) == pytest.approx(200 - 8 - 24, abs=0.01)  # the margins of `Frame`


def test_letters_are_stacked_without_gaps_the_largest_outermost() -> None:
    letters = letters_of(svg_logo(np.array([[0.1, 0.4, 0.2, 0.3]]), 100, 200))
    assert [letter for letter, *_ in letters] == list("AGTC")
    for (_, _, below, _), (_, _, top, height) in itertools.pairwise(letters):
        assert top + height == pytest.approx(below, abs=0.01)


def test_a_logo_of_another_shape_or_with_nan_is_refused() -> None:
    with pytest.raises(ReportError, match=r"matrix \(length, 4\), got \(4, 10\)"):
        svg_logo(np.zeros((4, 10)))
    with pytest.raises(ReportError, match="finite"):
        svg_logo(np.full((3, 4), np.nan))


def test_mutagenesis_is_drawn_though_its_observed_bases_are_zero(example_reports: MakeReports) -> None:
    report = example_reports(1, 100, ("Dev",))["ism"]
    assert report.attributions is not None
    assert not report.projected().any()
    track = gather({"ism": report}).tracks[0]
    expected = -report.attributions.values[0, 0].mean(-1)
    assert track.observed(0, report.sequences.onehot[0]) == pytest.approx(expected, abs=1e-6)


def test_without_javascript_the_first_sequence_is_still_drawn(example_reports: MakeReports) -> None:
    page = render_page(example_reports(3, 249))
    fallback = re.search(r"<noscript>(.*?)</noscript>", page, re.DOTALL)
    assert fallback
    assert "peak_000" in fallback[1]
    assert fallback[1].count("<svg") == 4
    assert fallback[1].count('class="base-') > 200


def test_hostile_text_is_escaped_everywhere(example_reports: MakeReports) -> None:
    hostile = "</script ><!--<script></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    reports = example_reports(2, 60, (f"head{hostile}", "Hk"), ids=(hostile, "plain"))
    report = reports["ism"]
    made = replace(report.provenance, settings={hostile: hostile}, references=(hostile, f"10.1234/{hostile}"))
    warned = Validity({f"delta {hostile}": np.zeros((2, 2))}, {hostile: 1.0}, (f"beware {hostile}",))
    changed = replace(report, provenance=made, validity=warned, dropped=(Dropped(hostile, hostile),))
    page = render_page({hostile: changed}, title=hostile)
    elements = Elements(page)
    assert [tag for tag, _ in elements.found].count("script") == 2
    assert not [tag for tag, _ in elements.found if tag == "img"]
    assert not [a for _, a in elements.found if any(name.startswith("on") for name in a)]
    assert payload(page)["sequences"][0]["id"] == hostile
    assert not set("<>&") & set(page.partition('id="data">')[2].partition("</script>")[0])
    assert f"beware {hostile}" in words(page)


def test_warnings_stand_before_everything_else(example_reports: MakeReports) -> None:
    text = words(render_page(example_reports(2, 60)))
    assert text.index("explain Dev:logit instead") < text.index("Model DeepSTARR.model")


def test_the_page_says_what_was_explained_what_was_dropped_and_at_what_cost(example_reports: MakeReports) -> None:
    text = words(render_page(example_reports(5, 249)))
    for said in (
        "5 sequences of 249 bp",
        "8f14e45fceea167a5a36dedd4bea2543",
        "Dev (1 output; scale not declared)",
        "steps = 50, correct = yes",
        "it holds 61 N, more than the 10% that were allowed",
        "3 ambiguous bases were read as N",
        "how far the map's sum is from the difference it should explain; 0 is exact",
        "10.1186/s13059-023-02956-3",
        "the store holds exact values",
        "Letters above the axis raise the target",
    ):
        assert said in text, said


def test_measures_are_summarised_by_median_and_range(example_reports: MakeReports) -> None:
    report = example_reports(3, 60, ("Dev",))["ism"]
    measured = replace(report, validity=Validity({"noise floor": np.array([[0.5, 0.25, 4.0]])}))
    assert "Dev noise floor 0.5 0.25 to 4" in words(render_page({"ism": measured}))


@pytest.mark.parametrize("count", [1, 2, 10])
def test_any_number_of_targets_is_listed_and_mapped(example_reports: MakeReports, count: int) -> None:
    targets = tuple(f"task {i}" for i in range(count))
    page = render_page(example_reports(2, 60, targets))
    data = payload(page)
    assert data["targets"] == list(targets)
    assert len(data["tracks"]) == 2 * count
    assert all(f'data-column="{i + 1}">task {i}<' in page for i in range(count))


def test_a_report_of_the_model_alone_shows_its_motifs_and_tables(motif_report: Callable[[], MotifReport]) -> None:
    page = render_page({"neuronmotif": motif_report()})
    text = words(page)
    assert "No sequences" in text
    assert "first 20 of 137 rows" in text
    assert "TGACTCA" in text
    assert "m0 m1 1-2 ++ 8 and 0.41" in text
    assert page.count('aria-label="logo of motif') == 3
    assert 'id="viewer"' not in page


def test_a_motif_of_probabilities_is_as_tall_as_its_information(motif_report: Callable[[], MotifReport]) -> None:
    motif = motif_report().motifs[0]
    page = render_page({"m": motif_report()})
    svg = re.search(r"<svg[^>]*logo of motif AP-1.*?</svg>", page)
    assert svg
    total: dict[float, float] = {}
    for _, x, _, height in letters_of(svg[0]):
        total[x] = total.get(x, 0.0) + height
    information = motif.information()
    pixels = np.array([total[x] for x in sorted(total)])
    assert pixels / pixels.max() == pytest.approx(information / information.max(), abs=0.01)


def test_a_sequence_that_one_explainer_dropped_is_shown_for_the_others(example_reports: MakeReports) -> None:
    reports = example_reports(3, 60)
    reports["ism"] = reports["ism"].take([0, 2])
    data = payload(render_page(reports))
    held = {track["label"]: [text is not None for text in track["data"]] for track in data["tracks"]}
    assert sorted(sequence["id"] for sequence in data["sequences"]) == ["peak_000", "peak_001", "peak_002"]
    assert sum(held["ism"]) == 2
    assert sum(held["integrated_gradients"]) == 3


def test_reports_of_different_sequences_under_one_id_are_refused(example_reports: MakeReports) -> None:
    one, other = example_reports(2, 60, seed=0)["ism"], example_reports(2, 60, seed=1)["ism"]
    with pytest.raises(ReportError, match="'peak_000' differs between 'a' and 'b'"):
        render_page({"a": one, "b": other})
    with pytest.raises(ReportError, match="at least one report, got none"):
        render_page({})


def test_reports_of_different_models_are_flagged(example_reports: MakeReports) -> None:
    reports = example_reports(2, 60)
    made = reports["ism"].provenance
    reports["ism"] = replace(reports["ism"], provenance=replace(made, model={**made.model, "fingerprint": "other"}))
    assert "models with different fingerprints" in words(render_page(reports))


def test_a_bare_report_without_provenance_or_maps_makes_a_page() -> None:
    onehot = np.eye(4, dtype=np.uint8)[[[0, 1, 2, 3]]]
    report = MotifReport(Sequences(onehot, ("only",)), predictions=np.array([[np.nan]]))
    text = words(render_page({"bare": report}))
    assert "unnamed model" in text
    assert "target 0" in text


def test_a_map_with_nan_is_drawn_as_zero_and_the_page_says_so(example_reports: MakeReports) -> None:
    report = example_reports(1, 60, ("Dev",))["integrated_gradients"]
    assert report.attributions is not None
    values = report.attributions.values.copy()
    values[0, 0, 5, 1] = np.nan
    page = render_page({"ig": replace(report, attributions=replace(report.attributions, values=values))})
    assert "holds NaN or infinity, which is drawn as 0" in words(page)


def test_importing_the_page_loads_neither_jinja_nor_pandas() -> None:
    code = "import sys, cislens.page; print([m for m in ('jinja2', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
