"""Models of a fixed batch, and profiles that grow with the input."""

from __future__ import annotations

import numpy as np
import pytest

from cislens import Target
from cislens.errors import OracleError, TargetError
from cislens.oracle import Head, Layer, Oracle
from cislens.oracle.head import guess_axes, open_shape
from cislens.oracle.layer import with_receptive_fields
from cislens.oracle.placing import placed_heads

RNG = np.random.default_rng(2)
WEIGHTS = RNG.normal(size=4)


class OfFour(Oracle):
    """A linear model that takes four rows at a time and no other number."""

    dtype = np.float64

    def __init__(self, **settings) -> None:
        super().__init__("of four", [Head("f", (), ())], 6, fixed_batch=4, **settings)

    def _predict(self, x):
        assert x.shape == (4, 6, 4)
        return {"f": (x @ WEIGHTS).sum(1)}

    def _linearize(self, x):
        def pullback(cotangent):
            assert cotangent["f"].shape == (4,)
            return cotangent["f"][:, None, None] * np.broadcast_to(WEIGHTS, x.shape)

        return self._predict(x), pullback


class Growing(Oracle):
    """The cumulative A content of each position but the two at either end, and its negative."""

    dtype = np.float64

    def __init__(self) -> None:
        super().__init__("growing", [Head("y", (None, 2), ("position", "output"), offset=2)])

    def _predict(self, x):
        a = x[:, 2:-2, 0]
        return {"y": np.stack([a, -a], -1)}


def sequences(n: int, length: int) -> np.ndarray:
    return np.eye(4)[RNG.integers(0, 4, (n, length))]


@pytest.mark.parametrize("n", [1, 3, 4, 9])
@pytest.mark.parametrize("batch_size", ["auto", 2, 100])
def test_a_model_of_a_fixed_batch_answers_any_number_of_sequences(n: int, batch_size) -> None:
    x, oracle = sequences(n, 6), OfFour(batch_size=batch_size)
    np.testing.assert_allclose(oracle.predict(x)["f"], (x @ WEIGHTS).sum(1))
    outputs, gradient = oracle.vjp(x, {"f": np.arange(n, dtype=float)})
    assert outputs["f"].shape == (n,)
    np.testing.assert_allclose(gradient, np.arange(n)[:, None, None] * np.broadcast_to(WEIGHTS, x.shape))
    assert oracle.counts.predictions == 2 * n


def test_a_shape_is_open_where_two_lengths_differ() -> None:
    assert open_shape((100, 3), (200, 3)) == (None, 3)
    with pytest.raises(OracleError, match="as many axes"):
        open_shape((3,), (3, 1))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((None,), ("position",)), ((None, 5000), ("position", "output")), ((2, None), ("output", "position"))],
)
def test_an_open_axis_counts_positions(shape, axes) -> None:
    assert guess_axes(shape) == axes


@pytest.mark.parametrize("length", [10, 33])
def test_a_growing_profile_answers_and_is_a_target_at_any_length(length: int) -> None:
    x, oracle = sequences(3, length), Growing()
    assert oracle.predict(x)["y"].shape == (3, length - 4, 2)
    np.testing.assert_array_equal(oracle.select("y/1:position=3").predict(x)[:, 0], -x[:, 5, 0])
    np.testing.assert_allclose(oracle.select("y/0:mean").predict(x)[:, 0], x[:, 2:-2, 0].mean(1))


def test_a_bp_of_the_input_names_the_position_that_covers_it() -> None:
    x, oracle = sequences(3, 12), Growing()
    np.testing.assert_array_equal(oracle.select("y/0:bp=7").predict(x)[:, 0], x[:, 7, 0])
    assert str(oracle.select("y/0:bp=7").targets[0]) == "y/0:window=5-6"
    binned = Head("y", (5,), ("position",), bin_width=8, offset=16)
    assert Target.parse("y:bp=31").resolve([binned]).window == (1, 2)
    with pytest.raises(TargetError, match="covers bp 16 to 55 of the input, got bp 56"):
        Target.parse("y:bp=56").resolve([binned])
    with pytest.raises(TargetError, match="covers bp 2 and on of the input, got bp 1"):
        oracle.select("y/0:bp=1")


def test_a_position_beyond_a_growing_profile_is_told_when_it_is_asked() -> None:
    with pytest.raises(TargetError, match="needs 20 positions, but head 'y' has 8"):
        Growing().select("y/0:position=19").predict(sequences(1, 12))


def test_a_wrong_number_of_outputs_is_told_of_a_growing_profile_too() -> None:
    class Wrong(Growing):
        def _predict(self, x):
            return {"y": x[:, :, :3]}

    with pytest.raises(OracleError, match=r"shape \(1, positions, 2\), got \(1, 9, 3\)"):
        Wrong().predict(sequences(1, 9))


def test_positions_lie_in_the_middle_of_what_they_see() -> None:
    layers = with_receptive_fields(
        [
            Layer("input", "input"),
            Layer("wide", "convolution", ("input",), kernel=11),
            Layer("pool", "pool", ("wide",), kernel=4, stride=4),
        ]
    )
    heads = (Head("y", (None,), ("position",)), Head("z", (1,), ("output",)))
    (placed, untouched) = placed_heads(heads, layers, {"y": "pool", "z": "pool"})
    # 4 windows of 11 bp: 14 bp, the middle 4 of which start at bp 5.
    assert (placed.offset, placed.bin_width) == (5, 4)
    assert untouched == heads[1]
