from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cislens.errors import TargetError
from cislens.oracle import Head
from cislens.target import REDUCTIONS, TRANSFORMS, Target, parse_targets

DEV, HK = Head("Dev", (1,), ("output",)), Head("Hk", (1,), ("output",))
TASKS = Head("tasks", (3,), ("output",), outputs=("liver", "brain", "gut"))
PROFILE = Head("profile", (100, 2), ("position", "strand"), scale="logit")


def test_one_head_with_one_output_needs_no_target() -> None:
    assert str(Target().resolve([DEV])) == "Dev"


def test_several_heads_without_a_target_are_an_error_that_lists_the_choices() -> None:
    with pytest.raises(TargetError, match="Dev, Hk"):
        Target().resolve([DEV, HK])


@pytest.mark.parametrize(
    ("text", "resolved"), [("brain", "tasks/brain"), ("1", "tasks/brain"), ("tasks/2", "tasks/gut")]
)
def test_an_output_is_found_by_name_or_index(text: str, resolved: str) -> None:
    assert str(Target.parse(text).resolve([TASKS])) == resolved


def test_an_output_name_is_found_among_several_heads() -> None:
    assert Target.parse("gut").resolve([DEV, TASKS]).head == "tasks"


def test_several_outputs_without_a_choice_are_an_error_and_no_silent_first_task() -> None:
    with pytest.raises(TargetError, match="3 outputs.*liver"):
        Target.parse("tasks").resolve([DEV, TASKS])


@pytest.mark.parametrize("text", ["tasks/3", "tasks/heart", "heart", "tasks/-1"])
def test_an_output_that_is_not_there_is_an_error(text: str) -> None:
    with pytest.raises(TargetError):
        Target.parse(text).resolve([TASKS])


def test_a_profile_without_a_reduction_is_an_error_that_names_them() -> None:
    with pytest.raises(TargetError, match=":contribution"):
        Target.parse("profile").resolve([PROFILE])


def test_a_window_without_a_reduction_takes_its_mean() -> None:
    assert str(Target.parse("profile:window=40-60").resolve([PROFILE])) == "profile:window=40-60:mean"


def test_a_window_beyond_the_profile_is_an_error() -> None:
    with pytest.raises(TargetError, match="0 to 100"):
        Target.parse("profile:window=90-110:sum").resolve([PROFILE])


def test_a_profile_reduction_of_a_scalar_head_is_an_error() -> None:
    with pytest.raises(TargetError, match="no profile"):
        Target.parse("Dev:contribution").resolve([DEV])


@pytest.mark.parametrize("text", ["Dev:median", "Dev:window=9-x", "Dev:window=5-5", "Dev:sum:mean", "Dev:logit:log"])
def test_a_step_outside_the_grammar_is_an_error(text: str) -> None:
    with pytest.raises(TargetError):
        Target.parse(text)


@given(
    head=st.sampled_from([None, "profile"]),
    output=st.sampled_from([None, "a", "3"]),
    window=st.none() | st.tuples(st.integers(0, 5), st.integers(6, 9)),
    reduction=st.none() | st.sampled_from(REDUCTIONS),
    transform=st.none() | st.sampled_from(TRANSFORMS),
)
@settings(deadline=None)
def test_the_text_form_of_a_target_reads_back_the_same(head, output, window, reduction, transform) -> None:
    target = Target(head, output, window, reduction, transform)
    again = Target.parse(str(target))
    # A lone head and a lone output look alike: which it is, the oracle's heads decide.
    assert str(again) == str(target)
    assert (again.window, again.reduction, again.transform) == (window, reduction, transform)


def test_targets_are_given_as_text_object_list_or_not_at_all() -> None:
    assert parse_targets("Dev") == [Target(output="Dev")]
    assert parse_targets([Target("Dev"), "Hk"]) == [Target("Dev"), Target(output="Hk")]
    assert parse_targets(None) == [Target()]


def test_a_principal_component_points_to_the_sequences_of_interest() -> None:
    rng = np.random.default_rng(0)
    direction = np.array([3.0, 4.0, 0.0]) / 5
    scores = np.concatenate([[5.0, 6.0], rng.normal(0, 1, 50)])
    fitted = Target("p", reduction="pc1").fitted(scores[:, None] * direction + 7.0, references=2)
    assert fitted.component is not None
    np.testing.assert_allclose(fitted.component[0], direction, atol=1e-12)


def test_a_principal_component_of_equal_profiles_is_an_error() -> None:
    with pytest.raises(TargetError, match="differ"):
        Target("p", reduction="pc1").fitted(np.ones((5, 4)), 1)
