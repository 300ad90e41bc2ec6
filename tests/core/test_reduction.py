from __future__ import annotations

import numpy as np
import pytest

from cislens.errors import TargetError
from cislens.oracle import Head
from cislens.reduction import pull, reduce
from cislens.target import Target

RNG = np.random.default_rng(5)
CASES = [
    ("h", Head("h", (), ())),
    ("h/1", Head("h", (3,), ("output",))),
    ("h:sum", Head("h", (12, 2), ("position", "strand"))),
    ("h:contribution", Head("h", (12, 2), ("position", "strand"))),
    ("h:contribution", Head("h", (2, 12), ("strand", "position"))),
    ("h/2:mean", Head("h", (3, 12), ("output", "position"))),
    ("h/2:window=3-8:max", Head("h", (12, 3), ("position", "output"))),
    ("h/0:window=3-8:counts", Head("h", (12, 2, 3), ("position", "strand", "output"), scale="log")),
    ("h:mean", Head("h", (2,), ("strand",))),
    ("h:position=4", Head("h", (12,), ("position",))),
    ("h:sum:log", Head("h", (12,), ("position",))),
    ("h/1:logit", Head("h", (3,), ("output",))),
]


def values_for(head: Head, target: Target) -> np.ndarray:
    return RNG.uniform(0.1, 0.9, (4, *head.shape))


@pytest.mark.parametrize(("text", "head"), CASES)
def test_the_pullback_of_a_reduction_equals_finite_differences(text: str, head: Head) -> None:
    target = Target.parse(text).resolve([head])
    y = values_for(head, target)
    cotangent = RNG.normal(size=4)
    gradient = pull(target, head, y, cotangent)
    direction = RNG.normal(size=y.shape)
    step = 1e-6
    if target.reduction == "contribution":  # its softmax is held fixed, so differences are of the linear form
        weights = np.exp(y) / np.exp(y).sum(1 + head.axes.index("position"), keepdims=True)
        difference = (weights * direction).reshape(4, -1).sum(1) / 2
    else:
        ahead, behind = (reduce(target, head, y + s * step * direction) for s in (1, -1))
        difference = (ahead - behind) / (2 * step)
    # central differences in float64 with a step of 1e-6 err by about 1e-10 of the value
    np.testing.assert_allclose(
        (gradient * direction).reshape(4, -1).sum(1), cotangent * difference, rtol=1e-6, atol=1e-8
    )


def test_counts_of_a_log_head_are_the_log_of_the_total() -> None:
    head = Head("h", (2,), ("strand",), scale="log")
    value = reduce(Target("h", reduction="counts"), head, np.log([[3.0, 5.0]]))
    np.testing.assert_allclose(value, np.log(8.0))


def test_counts_of_a_counts_head_are_the_total() -> None:
    head = Head("h", (3, 2), ("position", "strand"), scale="counts")
    np.testing.assert_allclose(reduce(Target("h", reduction="counts"), head, np.ones((1, 3, 2))), 6)


def test_a_contribution_score_is_the_softmax_weighted_mean_of_logits_over_strands() -> None:
    head = Head("h", (4, 2), ("position", "strand"))
    y = RNG.normal(size=(1, 4, 2))
    by_hand = np.mean([(np.exp(s) / np.exp(s).sum() * s).sum() for s in y[0].T])
    np.testing.assert_allclose(reduce(Target("h", reduction="contribution"), head, y), by_hand)


def test_a_logit_of_what_is_no_probability_is_an_error() -> None:
    head = Head("h", (1,), ("output",))
    with pytest.raises(TargetError, match="drop :logit"):
        reduce(Target("h", transform="logit"), head, np.array([[1.5]]))


def test_a_log_of_what_is_not_positive_is_an_error() -> None:
    head = Head("h", (1,), ("output",))
    with pytest.raises(TargetError, match="drop :log"):
        reduce(Target("h", transform="log"), head, np.array([[0.0]]))


def test_a_saturated_logit_is_finite() -> None:
    head = Head("h", (1,), ("output",))
    values = reduce(Target("h", transform="logit"), head, np.array([[0.0], [1.0], [0.5]]))
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values, [-values[1], values[1], 0], atol=1e-6)


def test_a_strand_left_over_is_an_error_that_names_reductions() -> None:
    head = Head("h", (2,), ("strand",))
    with pytest.raises(TargetError, match=":sum, :mean"):
        reduce(Target("h"), head, np.ones((1, 2)))
