"""Every operator that has a torch execution is compared with onnxruntime somewhere."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.adapters import (
    test_onnx_operators_convolution,
    test_onnx_operators_elementwise,
    test_onnx_operators_loop,
    test_onnx_operators_normalisation,
    test_onnx_operators_pooling,
    test_onnx_operators_recurrent,
    test_onnx_operators_reduction,
    test_onnx_operators_shaping,
)

from cislens_onnx.operators import OPERATORS

pytestmark = [pytest.mark.onnx, pytest.mark.torch]
FAMILIES = (
    test_onnx_operators_convolution,
    test_onnx_operators_elementwise,
    test_onnx_operators_loop,
    test_onnx_operators_normalisation,
    test_onnx_operators_pooling,
    test_onnx_operators_recurrent,
    test_onnx_operators_reduction,
    test_onnx_operators_shaping,
)


def test_every_operator_is_compared_with_onnxruntime() -> None:
    assert set().union(*(family.COVERED for family in FAMILIES)) == set(OPERATORS)
