"""Recurrent layers and attention of ONNX: the torch execution against onnxruntime, and its pullback."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import torch
from tests.adapters.onnx_models import check_pullback, compare

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators import OPERATORS

pytestmark = [pytest.mark.onnx, pytest.mark.torch]

RNG = np.random.default_rng(3)
LENGTH, ROWS, FEATURES, SIZE = 5, 2, 3, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
Case = tuple[str, list[Any], dict[str, Any]]


def normal(*shape: int) -> np.ndarray:
    return np.float32(RNG.normal(size=shape) / 2)


def recurrent(operator: str, direction: str, states: bool = False, **given: Any) -> Case:
    """Return a recurrent layer with random weights; several of its outputs are compared."""
    directions = 2 if direction == "bidirectional" else 1
    rows = GATES[operator] * SIZE
    batch_first = bool(given.get("layout"))
    x = normal(ROWS, LENGTH, FEATURES) if batch_first else normal(LENGTH, ROWS, FEATURES)
    inputs: list[Any] = [x, normal(directions, rows, FEATURES), normal(directions, rows, SIZE)]
    if states:
        first = (ROWS, directions, SIZE) if batch_first else (directions, ROWS, SIZE)
        inputs += [normal(directions, 2 * rows), None, *(normal(*first) for _ in range(2 if operator == "LSTM" else 1))]
    outputs = 3 if operator == "LSTM" else 2
    return operator, inputs, {"hidden_size": SIZE, "direction": direction, "outputs": outputs, **given}


RECURRENT: list[Case] = [
    recurrent(operator, direction, states, **given)
    for operator, given in (
        ("LSTM", {}),
        ("GRU", {"linear_before_reset": 1}),
        ("GRU", {"linear_before_reset": 0}),
        ("RNN", {}),
    )
    for direction in ("forward", "reverse", "bidirectional")
    for states in (False, True)
]
RECURRENT += [recurrent("RNN", "forward", True, activations=["Relu"])]
QUERY, KEY, VALUE = normal(2, 3, 8), normal(2, 5, 8), normal(2, 5, 8)
# Four heads of queries share two of keys and values, whose widths differ; the first query sees nothing.
HEADS = [normal(2, 4, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 3)]
SEEN = np.array([[False] * 5, [True, False, True, True, False], [True] * 5])
ATTENTION: list[Case] = [
    ("Attention", [normal(2, 2, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 4)], {}),
    ("Attention", [QUERY, KEY, VALUE], {"q_num_heads": 2, "kv_num_heads": 2}),
    ("Attention", [QUERY, KEY, VALUE], {"q_num_heads": 4, "kv_num_heads": 4, "scale": 0.3}),
    ("Attention", [QUERY, KEY[..., :4].copy(), VALUE[..., :4].copy()], {"q_num_heads": 4, "kv_num_heads": 2}),
    ("Attention", [normal(2, 2, 5, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 4)], {"is_causal": 1}),
    ("Attention", [normal(2, 2, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 4), normal(3, 5)], {}),
    ("Attention", [*HEADS, normal(2, 1, 3, 5)], {"is_causal": 1}),
    ("Attention", [*HEADS, SEEN], {}),
    ("Attention", [*HEADS, SEEN], {"is_causal": 1, "scale": 0.3}),
    ("Attention", HEADS, {"softcap": 0.5}),
    ("Attention", HEADS, {"softcap": 0.5, "is_causal": 1}),
    ("Attention", [*HEADS, normal(4, 3, 5)], {"softcap": 0.5, "scale": 0.3}),
    ("Attention", [*HEADS, SEEN], {"softcap": 0.5}),
]
CASES = RECURRENT + ATTENTION
COVERED = {operator for operator, *_ in CASES}


def named(case: Case) -> str:
    return f"{case[0]}-{case[2].get('direction', '')}"


@pytest.mark.parametrize("opset", [11, 22])
@pytest.mark.parametrize("case", RECURRENT, ids=named)
def test_a_recurrent_layer_answers_as_onnxruntime_does(case: Case, opset: int) -> None:
    operator, inputs, given = case
    compare(operator, inputs, opset, **given)


@pytest.mark.parametrize("opset", [23, 24])
@pytest.mark.parametrize("case", ATTENTION, ids=named)
def test_attention_answers_as_onnxruntime_does(case: Case, opset: int) -> None:
    operator, inputs, given = case
    compare(operator, inputs, opset, **given)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_pullback_is_the_derivative(case: Case) -> None:
    operator, inputs, given = case
    check_pullback(operator, inputs, 23, **given)


@pytest.mark.parametrize("operator", ["LSTM", "GRU", "RNN"])
def test_batches_that_come_first_are_turned(operator: str) -> None:
    _, (x, *weights), given = recurrent(operator, "forward")
    turned, settings = torch.from_numpy(x.swapaxes(0, 1).copy()), dict(given)
    settings.pop("outputs")
    tensors = [torch.from_numpy(weight) for weight in weights]
    plain = OPERATORS[operator](Node("node", operator, (), (), settings, 14), torch.from_numpy(x), *tensors)
    first = OPERATORS[operator](Node("node", operator, (), (), settings | {"layout": 1}, 14), turned, *tensors)
    torch.testing.assert_close(first[0], plain[0].permute(2, 0, 1, 3))
    torch.testing.assert_close(first[1], plain[1].transpose(0, 1))


@pytest.mark.parametrize(
    ("operator", "given", "said"),
    [
        ("LSTM", {"activations": ["Relu", "Tanh", "Tanh"]}, "LSTM with activations Relu"),
        ("GRU", {"clip": 3.0}, "GRU with clip"),
        ("RNN", {"activations": ["Elu"]}, "RNN with activations"),
    ],
)
def test_a_form_that_is_not_covered_is_named(operator: str, given: dict[str, Any], said: str) -> None:
    _, inputs, known = recurrent(operator, "forward")
    node = Node("node", operator, (), ("y",), {**known, **given}, 14)
    with pytest.raises(Uncovered, match=said):
        OPERATORS[operator](node, *(torch.from_numpy(array) for array in inputs))


def test_attention_that_answers_with_its_cache_is_named() -> None:
    node = Node("node", "Attention", ("q", "k", "v"), ("y", "keys", "values"), {}, 23)
    with pytest.raises(Uncovered, match="a cache of keys and values"):
        OPERATORS["Attention"](node, *(torch.zeros(1, 1, 2, 4) for _ in range(3)))


@pytest.mark.parametrize("place", [4, 5, 6])
def test_attention_that_is_given_a_cache_or_its_length_is_named(place: int) -> None:
    inputs: list[Any] = [*(torch.zeros(1, 1, 2, 4) for _ in range(3)), *[None] * (place - 3), torch.zeros(1)]
    with pytest.raises(Uncovered, match="a cache of keys and values"):
        OPERATORS["Attention"](Node("node", "Attention", (), ("y",), {}, 24), *inputs)
