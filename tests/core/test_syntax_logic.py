"""The logic of two motifs by their effects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cislens.syntax.logic import Effects, effects_by_presence, logic_of

EFFECTS = st.floats(-3, 3, allow_nan=False)


@pytest.mark.parametrize(
    ("effects", "logic"),
    [
        ((0, 0, 1), ("and", False)),
        ((1, 1, 1), ("or", False)),
        ((1, 0, 0), ("and not", False)),
        ((0, 1, 0), ("and not", True)),
        ((0.5, -0.5, -0.5), ("and not", False)),
        ((1, 0, 1), ("beside", False)),
        ((1, 1, 2), ("beside", False)),
        ((0, 0, 0), ("beside", False)),
        ((0, 0, -1), ("and", False)),
        ((-1, -1, -1), ("or", False)),
    ],
)
def test_effects_of_each_logic_are_named(effects, logic) -> None:
    assert logic_of(Effects(*effects, error=0.0)) == logic


def test_an_interaction_within_two_standard_errors_is_none() -> None:
    assert logic_of(Effects(0, 0, 1, error=0.49))[0] == "and"
    assert logic_of(Effects(0, 0, 1, error=0.51))[0] == "beside"


@given(one=EFFECTS, two=EFFECTS, both=EFFECTS, scale=st.floats(0.1, 10))
def test_neither_scale_nor_the_names_of_the_motifs_change_the_logic(one, two, both, scale) -> None:
    logic, turned = logic_of(Effects(one, two, both, 0.0))
    assert logic_of(Effects(two, one, both, 0.0))[0] == logic
    if logic == "and not" and one != two:
        assert logic_of(Effects(two, one, both, 0.0))[1] != turned
    interaction, whole = abs(both - one - two), max(map(abs, (one, two, both)))
    if abs(interaction - whole / 2) > 1e-6 and abs(both - max(one, two) / 2) > 1e-6:
        assert logic_of(Effects(scale * one, scale * two, scale * both, 0.0))[0] == logic


def test_effects_are_differences_of_means_with_the_standard_error_of_their_interaction() -> None:
    rng = np.random.default_rng(0)
    kinds = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [20, 30, 40, 50], axis=0)
    predictions = rng.normal(kinds @ [1.0, 2.0], 1.0)
    parts = np.split(predictions, [20, 50, 90])
    effects = effects_by_presence(predictions, *kinds.T, same=False)
    assert effects is not None
    both, one, two, none = (part.mean() for part in parts)
    assert effects[:3] == pytest.approx((one - none, two - none, both - none))
    assert effects.error == pytest.approx(np.sqrt(sum(part.var(ddof=1) / len(part) for part in parts)))


def test_a_motif_that_never_comes_alone_is_taken_to_do_nothing_alone() -> None:
    kinds = np.repeat([[1, 1], [1, 0], [0, 0]], 10, axis=0)
    effects = effects_by_presence(np.repeat([0.0, 1.0, 0.0], 10), *kinds.T, same=False)
    assert effects == (1, 0, 0, 0)
    assert logic_of(effects) == ("and not", False)


@pytest.mark.parametrize("answer", [0.0, 0.1, 1 / 3, 0.7, -1e6 / 3])
def test_an_answer_that_does_not_vary_gives_no_effect_and_no_interaction(answer: float) -> None:
    kinds = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [73, 75, 71, 81], axis=0)
    assert effects_by_presence(np.full(300, answer), *kinds.T, same=False) == (0, 0, 0, 0)


def test_an_interaction_that_is_but_rounding_is_none() -> None:
    assert 0.3 - 0.1 - 0.2 != 0
    assert Effects(0.1, 0.2, 0.3, 0.0).interaction == 0


def test_too_few_sequences_of_a_kind_tell_nothing() -> None:
    kinds = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [10, 10, 10, 4], axis=0)
    assert effects_by_presence(np.zeros(34), *kinds.T, same=False) is None


def test_of_one_motif_two_instances_are_both_and_one_is_one() -> None:
    count = np.repeat([2, 1, 0], 10)
    assert effects_by_presence(np.repeat([1.0, 0.0, 0.0], 10), count, count, same=True) == (0, 0, 1, 0)
