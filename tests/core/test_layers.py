from __future__ import annotations

import pytest

from cislens.errors import OracleError
from cislens.oracle.head import guess_axes
from cislens.oracle.layer import Layer, name_activations, same_padding, with_receptive_fields
from cislens.oracle.options import OracleOptions, short_names

INPUT = Layer("x", "input", units=4)


def fields(*layers: Layer) -> dict[str, tuple[int | None, int | None, int | None]]:
    return {la.name: (la.receptive_field, la.step, la.offset) for la in with_receptive_fields([INPUT, *layers])}


def test_receptive_fields_of_convolution_and_pooling_add_up() -> None:
    found = fields(
        Layer("c1", "convolution", ("x",), kernel=7, padding=(3, 3)),
        Layer("p1", "pool", ("c1",), kernel=2, stride=2),
        Layer("c2", "convolution", ("p1",), kernel=3, padding=(1, 1)),
    )
    assert found["c1"] == (7, 1, -3)
    assert found["p1"] == (8, 2, -3)
    assert found["c2"] == (12, 2, -5)


def test_dilation_widens_the_field() -> None:
    assert fields(Layer("c", "convolution", ("x",), kernel=3, dilation=8))["c"] == (17, 1, 0)


def test_a_residual_sum_sees_the_union_of_what_it_adds() -> None:
    found = fields(
        Layer("c", "convolution", ("x",), kernel=5, padding=(2, 2)),
        Layer("sum", "add", ("x", "c")),
    )
    assert found["sum"] == (5, 1, -2)


def test_a_dense_layer_after_flatten_sees_everything() -> None:
    found = fields(Layer("f", "flatten", ("x",)), Layer("d", "dense", ("f",)), Layer("a", "activation", ("d",)))
    assert found["f"] == found["d"] == found["a"] == (None, None, None)


def test_a_layer_is_given_the_activation_that_alone_follows_it() -> None:
    layers = (INPUT, Layer("c", "convolution", ("x",)), Layer("r", "activation", ("c",), activation="relu"))
    assert name_activations(layers)[1].activation == "relu"


def test_a_layer_that_others_read_too_keeps_no_activation() -> None:
    layers = (
        INPUT,
        Layer("c", "convolution", ("x",)),
        Layer("r", "activation", ("c",), activation="relu"),
        Layer("s", "add", ("c", "r")),
    )
    assert name_activations(layers)[1].activation is None


@pytest.mark.parametrize(
    ("length", "kernel", "stride", "padding"),
    [(10, 3, 1, (1, 1)), (10, 4, 1, (1, 2)), (10, 3, 2, (0, 1)), (9, 2, 2, (0, 1))],
)
def test_same_padding_is_tensorflows(length: int, kernel: int, stride: int, padding: tuple[int, int]) -> None:
    assert same_padding(length, kernel, stride, 1) == padding


def test_what_head_names_share_is_left_out() -> None:
    assert short_names(("Dense_Dev", "Dense_Hk")) == ("Dev", "Hk")
    assert short_names(("Dense_Dev",)) == ("Dense_Dev",)
    assert short_names(("a", "b")) == ("a", "b")
    assert short_names(("output_0", "output_1")) == ("output_0", "output_1")
    assert short_names(("task", "task_2")) == ("task", "task_2")
    assert short_names(("net/out:0", "net/aux:0")) == ("out_0", "aux_0")


def test_axes_are_guessed_only_where_a_guess_is_sensible() -> None:
    assert guess_axes((3,)) == ("output",)
    assert guess_axes((1000, 2)) == ("position", "output")
    assert guess_axes((5, 1000)) == ("output", "position")
    assert guess_axes((1000, 2, 3)) == ("position", "strand", "output")
    with pytest.raises(OracleError, match="--axes"):
        guess_axes((1000, 3, 4))


def test_declared_names_must_be_as_many_as_outputs() -> None:
    with pytest.raises(OracleError, match="all 2 outputs"):
        OracleOptions(heads=("one",)).declare({"a": (), "b": ()}, {})
    with pytest.raises(OracleError, match="as many names"):
        OracleOptions(outputs=("x", "y")).declare({"a": (3,)}, {})
    with pytest.raises(OracleError, match="--scale must name one of the heads a"):
        OracleOptions(scales={"b": "log"}).declare({"a": (3,)}, {})


def test_declared_scales_win_over_those_found() -> None:
    (head,) = OracleOptions(scales={"a": "logit"}).declare({"a": ()}, {"a": "probability"})
    assert head.scale == "logit"
