"""Gauges leave every score alone, and fix what they say."""

from __future__ import annotations

from itertools import product
from typing import get_args

import numpy as np
import pytest

from cislens.errors import ReportError
from cislens.gauges import Gauge, project, to_gauge
from cislens.sequences import Sequences

GAUGES = get_args(Gauge)
LENGTH = 4
RNG = np.random.default_rng(0)
THETA = RNG.normal(size=(3, LENGTH, 4)) * 3
WILD_TYPE = Sequences.from_strings(["ACGT", "TTCA", "GNCA"]).onehot
FREQUENCIES = RNG.dirichlet(np.ones(4), (3, LENGTH))
ALL = Sequences.from_strings(["".join(letters) for letters in product("ACGT", repeat=LENGTH)]).onehot
# Sums of a few numbers of order one in float64.
CLOSE = {"rtol": 0, "atol": 1e-12}


def reference(gauge: str) -> np.ndarray | None:
    return {"uniform": None, "wild-type": WILD_TYPE, "empirical": FREQUENCIES}[gauge]


def scores(theta: np.ndarray) -> np.ndarray:
    """Score every sequence of four bases, (..., 256)."""
    return np.einsum("...lb,slb->...s", theta, ALL)


@pytest.mark.parametrize("gauge", GAUGES)
def test_the_score_of_every_sequence_is_unchanged(gauge) -> None:
    fixed, constant = to_gauge(THETA, gauge, reference=reference(gauge))
    assert constant.shape == (3,)
    np.testing.assert_allclose(scores(fixed) + constant[:, None], scores(THETA), **CLOSE)


@pytest.mark.parametrize("gauge", GAUGES)
def test_a_map_in_its_gauge_stays_as_it_is(gauge) -> None:
    once, _ = to_gauge(THETA, gauge, reference=reference(gauge))
    twice, constant = to_gauge(once, gauge, reference=reference(gauge))
    np.testing.assert_allclose(twice, once, **CLOSE)
    np.testing.assert_allclose(constant, 0, **CLOSE)


@pytest.mark.parametrize(("first", "second"), list(product(GAUGES, GAUGES)))
def test_conversions_compose(first, second) -> None:
    between, moved = to_gauge(THETA, first, reference=reference(first))
    through, more = to_gauge(between, second, reference=reference(second))
    straight, constant = to_gauge(THETA, second, reference=reference(second))
    np.testing.assert_allclose(through, straight, **CLOSE)
    np.testing.assert_allclose(moved + more, constant, **CLOSE)


@pytest.mark.parametrize("gauge", GAUGES)
def test_what_is_added_to_a_position_does_not_show_in_a_gauge(gauge) -> None:
    shifted, _ = to_gauge(THETA + RNG.normal(size=(3, LENGTH, 1)), gauge, reference=reference(gauge))
    np.testing.assert_allclose(shifted, to_gauge(THETA, gauge, reference=reference(gauge))[0], **CLOSE)


def test_each_gauge_makes_zero_what_it_says() -> None:
    np.testing.assert_allclose(to_gauge(THETA, "uniform")[0].mean(-1), 0, **CLOSE)
    wild_type, constant = to_gauge(THETA, "wild-type", reference=WILD_TYPE)
    np.testing.assert_allclose(project(wild_type, WILD_TYPE), 0, **CLOSE)
    np.testing.assert_allclose(constant[:2], project(THETA, WILD_TYPE)[:2].sum(-1), **CLOSE)
    empirical, constant = to_gauge(THETA, "empirical", reference=FREQUENCIES)
    np.testing.assert_allclose((empirical * FREQUENCIES).sum(-1), 0, **CLOSE)
    np.testing.assert_allclose(constant, (THETA * FREQUENCIES).sum((-1, -2)), **CLOSE)


def test_the_wild_type_gauge_is_the_uniform_one_where_the_reference_is_n() -> None:
    fixed, _ = to_gauge(THETA, "wild-type", reference=WILD_TYPE)
    np.testing.assert_allclose(fixed[2, 1], to_gauge(THETA, "uniform")[0][2, 1], **CLOSE)


def test_frequencies_that_are_one_hot_give_the_wild_type_gauge() -> None:
    for x in WILD_TYPE[:2]:
        np.testing.assert_allclose(
            to_gauge(THETA, "empirical", reference=x)[0], to_gauge(THETA, "wild-type", reference=x)[0], **CLOSE
        )


def test_the_uniform_gauge_is_the_corrected_gradient() -> None:
    # The part of a gradient within the simplex: what is left after projecting out its normal, (1, 1, 1, 1) / 2.
    normal = np.full(4, 0.5)
    expected = THETA - (THETA @ normal)[..., None] * normal
    np.testing.assert_allclose(to_gauge(THETA, "uniform")[0], expected, **CLOSE)


def test_references_are_broadcast_over_targets() -> None:
    theta = RNG.normal(size=(2, 3, LENGTH, 4))
    together, constant = to_gauge(theta, "wild-type", reference=WILD_TYPE)
    assert constant.shape == (2, 3)
    for t in range(2):
        np.testing.assert_array_equal(together[t], to_gauge(theta[t], "wild-type", reference=WILD_TYPE)[0])


def test_the_type_of_a_map_is_kept_and_whole_numbers_become_float() -> None:
    assert to_gauge(THETA.astype(np.float32), "uniform")[0].dtype == np.float32
    fixed, constant = to_gauge(np.arange(8).reshape(2, 4), "uniform")
    np.testing.assert_allclose(fixed, [[-1.5, -0.5, 0.5, 1.5]] * 2, **CLOSE)
    assert constant == 7


def test_the_map_that_is_passed_is_left_alone() -> None:
    before = THETA.copy()
    to_gauge(THETA, "empirical", reference=FREQUENCIES)
    np.testing.assert_array_equal(THETA, before)


def test_projection_reads_the_value_at_the_observed_base_and_zero_at_n() -> None:
    values = project(THETA, WILD_TYPE)
    assert values.shape == (3, LENGTH)
    assert values[2, 1] == 0
    for i, text in enumerate(["ACGT", "TTCA", "GNCA"]):
        for position, base in enumerate(text):
            if base != "N":
                assert values[i, position] == THETA[i, position, "ACGT".index(base)]


@pytest.mark.parametrize(
    ("gauge", "given", "sentence"),
    [
        ("flat", None, "a gauge must be one of 'uniform', 'wild-type', 'empirical', got 'flat'"),
        ("wild-type", None, "needs the one-hot sequence: pass reference="),
        ("empirical", None, "needs the base frequencies of each position: pass reference="),
        ("wild-type", FREQUENCIES, "needs a one-hot reference, got other values: use gauge 'empirical'"),
        ("wild-type", WILD_TYPE[:, :3], r"must fit a map of shape \(3, 4, 4\), got shape \(3, 3, 4\)"),
        ("wild-type", WILD_TYPE[:2], r"must fit a map of shape \(3, 4, 4\), got shape \(2, 4, 4\)"),
        ("wild-type", np.stack([WILD_TYPE] * 2), r"must fit a map .* got shape \(2, 3, 4, 4\)"),
        ("empirical", FREQUENCIES * 2, "must not be negative and must sum to 1"),
        ("empirical", WILD_TYPE, "must not be negative and must sum to 1"),
    ],
)
def test_a_gauge_that_cannot_be_fixed_is_an_error(gauge, given, sentence: str) -> None:
    with pytest.raises(ReportError, match=sentence):
        to_gauge(THETA, gauge, reference=given)


def test_a_map_of_another_shape_is_an_error() -> None:
    with pytest.raises(ReportError, match=r"must have shape \(\.\.\., length, 4\), got \(4, 3\)"):
        to_gauge(np.zeros((4, 3)), "uniform")
    with pytest.raises(ReportError, match="must fit a map"):
        project(THETA, WILD_TYPE[:, :3])
