from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cislens.errors import CislensError
from cislens.settings import build, describe, parse_settings, setting, text, values


@dataclass(frozen=True)
class Everything:
    name = "everything"
    steps: int = setting(50, "how many")
    noise: float = setting(0.1, "how loud")
    correct: bool = setting(True, "whether")
    mode: Literal["mean", "max"] = setting("mean", "which")
    widths: tuple[int, ...] = setting((3, 5), "how wide")
    limit: int | None = setting(None, "at most")
    path: str | None = setting(None, "where")


plain_text = st.text("abcXYZ0189_./-", min_size=1).filter(lambda word: word != "none")
everything = st.builds(
    Everything,
    steps=st.integers(-(10**9), 10**9),
    noise=st.floats(allow_nan=False),
    correct=st.booleans(),
    mode=st.sampled_from(["mean", "max"]),
    widths=st.lists(st.integers(0, 99)).map(tuple),
    limit=st.none() | st.integers(0, 99),
    path=st.none() | plain_text,
)


@given(everything)
@settings(deadline=None, max_examples=200)
def test_settings_come_back_from_their_text_and_from_json(chosen: Everything) -> None:
    assert build(Everything, parse_settings(text(chosen))) == chosen
    assert build(Everything, json.loads(json.dumps(values(chosen)))) == chosen


def test_what_is_not_given_has_its_default() -> None:
    assert build(Everything, {"steps": "7"}) == Everything(steps=7)
    assert parse_settings("") == {}


@pytest.mark.parametrize(("word", "meant"), [("yes", True), ("On", True), ("1", True), ("no", False), ("FALSE", False)])
def test_a_switch_is_read_from_the_usual_words(word: str, meant: bool) -> None:
    assert build(Everything, {"correct": word}).correct is meant


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("steps=many", "everything's steps must be int, got 'many'"),
        ("steps=1.5", "must be int"),
        ("correct=perhaps", "correct must be bool"),
        ("mode=median", "mode must be mean | max, got 'median'"),
        ("widths=3+wide", r"widths must be int\+..., got '3\+wide'"),
        ("limit=lots", r"limit must be int \| none, got 'lots'"),
        ("noise=nan", "noise must be float, got 'nan'"),
        ("speed=3", "has no setting 'speed': its settings are steps, noise, correct"),
        ("steps", "written name=value,name=value, got 'steps'"),
    ],
)
def test_a_setting_that_does_not_fit_is_an_error_that_says_what_would(given: str, sentence: str) -> None:
    with pytest.raises(CislensError, match=sentence.replace(" | ", r" \| ")):
        build(Everything, parse_settings(given))


def test_a_whole_number_may_come_as_a_float_but_no_fraction() -> None:
    assert build(Everything, {"steps": 3.0}).steps == 3
    with pytest.raises(CislensError, match="must be int"):
        build(Everything, {"steps": 3.5})


def test_settings_describe_themselves() -> None:
    described: dict[str, Any] = {s.name: (s.type, s.default, s.help) for s in describe(Everything)}
    assert described["steps"] == ("int", 50, "how many")
    assert described["mode"] == ("mean | max", "mean", "which")
    assert described["widths"] == ("int+...", (3, 5), "how wide")
    assert described["limit"] == ("int | none", None, "at most")
