from __future__ import annotations

import numpy as np
import pytest

from cislens.errors import OracleError
from cislens.oracle.encoding import LAYOUTS, Encoding

X = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(0, 4, (3, 7))]
SHAPES = {"length": 7, "4": 4, "1": 1}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("base_order", ["ACGT", "AGCT", "TGCA"])
def test_undoing_an_encoding_gives_back_the_sequence(layout: str, base_order: str) -> None:
    encoding = Encoding(layout, base_order)
    encoded = encoding.apply(X)
    assert encoded.shape == (3, *(SHAPES[axis] for axis in layout.split(",")))
    np.testing.assert_array_equal(encoding.undo(encoded), X)


def test_a_base_order_puts_each_base_in_its_channel() -> None:
    encoded = Encoding("length,4", "AGCT").apply(np.eye(4, dtype=np.float32)[None])
    # rows are A, C, G, T; in the order AGCT, C is channel 2 and G channel 1
    np.testing.assert_array_equal(encoded[0].argmax(-1), [0, 2, 1, 3])


def test_an_n_gets_its_value_and_other_rows_keep_theirs() -> None:
    x = X.copy()
    x[0, 3] = 0
    encoded = Encoding(n_value=0.25).apply(x)
    np.testing.assert_array_equal(encoded[0, 3], 0.25)
    np.testing.assert_array_equal(encoded[1:], x[1:])


@pytest.mark.parametrize(("layout", "order"), [("4", "ACGT"), ("length,5", "ACGT"), ("length,4", "ACGU")])
def test_an_encoding_that_is_none_is_an_error(layout: str, order: str) -> None:
    with pytest.raises(OracleError):
        Encoding(layout, order)
