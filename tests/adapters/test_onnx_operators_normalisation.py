"""Normalisation and dropout of ONNX: the torch execution against onnxruntime, and its pullback."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import torch
from tests.adapters.onnx_models import check_pullback, compare

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators import OPERATORS

pytestmark = [pytest.mark.onnx, pytest.mark.torch]

# Operator, shapes of its inputs, operator set, settings.
CASES: list[tuple[str, list[tuple[int, ...]], int, dict[str, Any]]] = [
    ("BatchNormalization", [(2, 3, 5), (3,), (3,), (3,), (3,)], 11, {}),
    ("BatchNormalization", [(2, 3, 4, 5), (3,), (3,), (3,), (3,)], 14, {"epsilon": 1e-3}),
    ("BatchNormalization", [(2, 3), (3,), (3,), (3,), (3,)], 26, {"epsilon": 1e-2}),
    ("LayerNormalization", [(2, 3, 5), (5,), (5,)], 17, {}),
    ("LayerNormalization", [(2, 3, 5), (5,)], 17, {"epsilon": 1e-3}),
    ("LayerNormalization", [(2, 3, 5), (1,), ()], 17, {}),
    ("LayerNormalization", [(2, 3, 5), (3, 5), (3, 5)], 26, {"axis": 1}),
    ("LayerNormalization", [(2, 3, 5), (5,), (5,)], 17, {"outputs": 3}),
    ("RMSNormalization", [(2, 3, 5), (5,)], 23, {}),
    ("RMSNormalization", [(2, 3, 5), (3, 5)], 26, {"axis": -2, "epsilon": 1e-2}),
    ("RMSNormalization", [(2, 3, 5), (1, 3, 5)], 23, {}),
    ("InstanceNormalization", [(2, 3, 5), (3,), (3,)], 11, {}),
    ("InstanceNormalization", [(1, 3, 4, 5), (3,), (3,)], 22, {"epsilon": 1e-2}),
    ("GroupNormalization", [(2, 6, 5), (3,), (3,)], 18, {"num_groups": 3}),
    ("GroupNormalization", [(2, 6, 5), (6,), (6,)], 21, {"num_groups": 3, "epsilon": 1e-2}),
    ("GroupNormalization", [(1, 6, 4, 5), (6,), (6,)], 26, {"num_groups": 2}),
    ("LpNormalization", [(2, 3, 5)], 11, {}),
    ("LpNormalization", [(2, 3, 5)], 22, {"p": 1, "axis": 1}),
    ("MeanVarianceNormalization", [(2, 3, 4, 5)], 11, {}),
    ("MeanVarianceNormalization", [(2, 3, 5)], 13, {"axes": [2]}),
    ("LRN", [(2, 7, 3, 2)], 11, {"size": 3}),
    ("LRN", [(2, 7, 4, 5)], 13, {"size": 5, "alpha": 0.1, "beta": 0.5, "bias": 2.0}),
    ("Dropout", [(2, 3, 5)], 11, {"ratio": 0.3}),
    ("Dropout", [(2, 3, 5)], 12, {"outputs": 2}),
    ("Dropout", [(2, 3, 5)], 22, {}),
]
COVERED = {operator for operator, *_ in CASES}


def drawn(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = [np.asarray(rng.normal(size=shape), np.float32) for shape in shapes]
    if len(arrays) == 5:
        arrays[4] = np.square(arrays[4]) + np.float32(0.5)  # a variance
    return arrays


@pytest.mark.parametrize(("operator", "shapes", "opset", "chosen"), CASES)
def test_the_torch_execution_answers_as_onnxruntime_does(
    operator: str, shapes: list[Any], opset: int, chosen: dict[str, Any]
) -> None:
    compare(operator, drawn(shapes), opset, **chosen)


# torch has no derivative by the statistics of a batch normalisation, which are constants of a model.
@pytest.mark.parametrize(
    ("operator", "shapes", "opset", "chosen"), [case for case in CASES if case[0] != "BatchNormalization"]
)
def test_the_pullback_agrees_with_finite_differences(
    operator: str, shapes: list[Any], opset: int, chosen: dict[str, Any]
) -> None:
    check_pullback(operator, drawn(shapes), opset, **chosen)


def test_the_pullback_of_batch_normalisation_is_its_scale_over_the_deviation() -> None:
    arrays = drawn([(2, 3, 5), (3,), (3,), (3,), (3,)])
    x, scale, offset, mean, variance = (torch.from_numpy(array).double() for array in arrays)
    node = Node("node", "BatchNormalization", ("x", "s", "b", "m", "v"), ("y",), {"epsilon": 0.1})
    x.requires_grad_()
    OPERATORS["BatchNormalization"](node, x, scale, offset, mean, variance).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, (scale / torch.sqrt(variance + 0.1))[:, None].expand(2, 3, 5))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_normalisation_of_any_shape_answers_as_onnxruntime_does(data: st.DataObject) -> None:
    groups, each = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    channels = groups * each
    shape = (data.draw(st.integers(1, 3)), channels, *data.draw(st.lists(st.integers(2, 5), min_size=1, max_size=2)))
    epsilon = data.draw(st.sampled_from([1e-5, 1e-3]))
    by_channel, axis = (channels,), data.draw(st.integers(-len(shape) + 1, -1))
    compare("BatchNormalization", drawn([shape, *[by_channel] * 4]), 15, epsilon=epsilon)
    compare("InstanceNormalization", drawn([shape, by_channel, by_channel]), 13, epsilon=epsilon)
    compare("GroupNormalization", drawn([shape, by_channel, by_channel]), 21, epsilon=epsilon, num_groups=groups)
    compare("GroupNormalization", drawn([shape, (groups,), (groups,)]), 18, epsilon=epsilon, num_groups=groups)
    compare("LayerNormalization", drawn([shape, shape[axis:], shape[axis:]]), 17, epsilon=epsilon, axis=axis)
    compare("RMSNormalization", drawn([shape, shape[axis:]]), 23, epsilon=epsilon, axis=axis)
    compare("LpNormalization", drawn([shape]), 22, axis=axis, p=data.draw(st.integers(1, 2)))
    if len(shape) == 4:
        compare("LRN", drawn([shape]), 13, size=data.draw(st.sampled_from([1, 3, 5])), alpha=0.5)


def test_zeros_divided_by_their_norm_stay_zeros_and_have_a_gradient() -> None:
    compare("LpNormalization", [np.zeros((2, 3), np.float32)], 22)
    x = torch.zeros(2, 3, requires_grad=True)
    OPERATORS["LpNormalization"](Node("node", "LpNormalization", ("x",), ("y",)), x).sum().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


def test_a_scale_over_other_axes_than_the_normalised_has_no_torch_execution() -> None:
    node = Node("node", "LayerNormalization", ("x", "s"), ("y",))
    with pytest.raises(Uncovered, match="LayerNormalization with a scale or offset over more axes"):
        OPERATORS["LayerNormalization"](node, torch.ones(2, 3, 4), torch.ones(3, 1))


def test_training_has_no_torch_execution() -> None:
    x, one = torch.ones(2, 3, 4), torch.ones(3)
    for outputs, chosen in ((("y", "m", "v", "s", "t"), {}), (("y",), {"training_mode": 1})):
        node = Node("node", "BatchNormalization", ("x", "s", "b", "m", "v"), outputs, chosen, 13)
        with pytest.raises(Uncovered, match="BatchNormalization in training mode"):
            OPERATORS["BatchNormalization"](node, x, one, one, one, one)
    node = Node("node", "Dropout", ("x", "", "t"), ("y",))
    with pytest.raises(Uncovered, match="Dropout in training mode"):
        OPERATORS["Dropout"](node, x, None, torch.tensor(True))
    assert torch.equal(OPERATORS["Dropout"](node, x, None, torch.tensor(False)), x)
