"""Recurrent layers and attention of ONNX: the torch execution against onnxruntime, and its pullback."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import torch
from tests.adapters.onnx_models import check_pullback, compare
from torch import nn

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators import OPERATORS
from cislens_torch.operation import Axes
from cislens_torch.trace import trace

pytestmark = [pytest.mark.onnx, pytest.mark.torch]

RNG = np.random.default_rng(3)
LENGTH, ROWS, FEATURES, SIZE = 5, 2, 3, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
DIRECTIONS = ("forward", "reverse", "bidirectional")
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
    for direction in DIRECTIONS
    for states in (False, True)
]
RECURRENT += [recurrent("RNN", "forward", True, activations=["Relu"])]
for _operator, _inputs, _ in RECURRENT[1::6]:
    _inputs[4] = np.full(ROWS, LENGTH, np.int32)  # whole sequences, said in so many words
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
WHOLE, PART = normal(2, 5, 4), normal(2, 5, 3)  # angles of four and of three pairs of features, by sequence
PLACES = RNG.integers(0, 5, (2, 5))
ROTATED: list[Case] = [
    ("RotaryEmbedding", [normal(2, 3, 5, 8), np.cos(WHOLE), np.sin(WHOLE)], {}),
    ("RotaryEmbedding", [normal(2, 3, 5, 8), np.cos(WHOLE), np.sin(WHOLE)], {"interleaved": 1}),
    ("RotaryEmbedding", [normal(2, 5, 24), np.cos(PART), np.sin(PART)], {"num_heads": 3, "rotary_embedding_dim": 6}),
    ("RotaryEmbedding", [normal(2, 5, 16), np.cos(WHOLE[0]), np.sin(WHOLE[0]), PLACES], {"num_heads": 2}),
]
ATTENTION += ROTATED
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


@settings(max_examples=40, deadline=None)
@drawn(st.data())
def test_recurrent_layers_of_any_size_answer_as_onnxruntime_does(data: st.DataObject) -> None:
    operator, direction = (data.draw(st.sampled_from(names)) for names in (sorted(GATES), DIRECTIONS))
    length, n, features, size = data.draw(st.tuples(*[st.integers(1, 6)] * 4))
    directions, rows = 2 if direction == "bidirectional" else 1, GATES[operator] * size
    inputs: list[Any] = [
        normal(length, n, features),
        normal(directions, rows, features),
        normal(directions, rows, size),
    ]
    inputs.append(normal(directions, 2 * rows) if data.draw(st.booleans()) else None)
    if data.draw(st.booleans()):
        inputs += [None, *(normal(directions, n, size) for _ in range(2 if operator == "LSTM" else 1))]
    chosen = {"linear_before_reset": data.draw(st.integers(0, 1))} if operator == "GRU" else {}
    outputs = 3 if operator == "LSTM" else 2
    compare(operator, inputs, 22, outputs, hidden_size=size, direction=direction, **chosen)


class OneNode(nn.Module):
    """One node over positions that lie last, with everything but the sequence held."""

    def __init__(self, node: Node, held: list[torch.Tensor]) -> None:
        super().__init__()
        self.node, self.held = node, held

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.node.operator == "Attention":
            x = x.transpose(1, 2)
            return OPERATORS["Attention"](self.node, x, x, x, *self.held)  # type: ignore[no-any-return]
        return OPERATORS[self.node.operator](self.node, x.permute(2, 0, 1), *self.held)[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    ("operator", "chosen"), [("LSTM", {}), ("GRU", {}), ("GRU", {"linear_before_reset": 1}), ("RNN", {})]
)
def test_a_recurrent_node_reads_as_one_recurrent_layer(operator: str, chosen: dict[str, Any], direction: str) -> None:
    _, (_, *weights), known = recurrent(operator, direction, **chosen)
    node = Node("node", operator, ("x", "w", "r"), ("y",), known, 22)
    kinds = kinds_of(node, [torch.from_numpy(weight) for weight in weights])
    assert [kind for kind in kinds if kind is not None] == ["recurrent"]


@pytest.mark.parametrize("chosen", [{}, {"is_causal": 1}, {"softcap": 2.0}])
def test_an_attention_node_reads_as_one_attention_layer(chosen: dict[str, Any]) -> None:
    node = Node("node", "Attention", ("q", "k", "v"), ("y",), {"q_num_heads": 1, "kv_num_heads": 1, **chosen}, 23)
    assert kinds_of(node, []).count("attention") == 1


def kinds_of(node: Node, held: list[torch.Tensor]) -> list[str]:
    module = OneNode(node, held)
    watched, _ = trace(module, torch.randn(2, FEATURES, LENGTH), Axes(0, 2), lambda x: {"y": module(x)})
    return [operation.does.kind for operation in watched.operations.values()]


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


@pytest.mark.parametrize(
    ("operator", "place", "said"),
    [
        ("LSTM", 4, "LSTM with sequence_lens"),
        ("GRU", 4, "GRU with sequence_lens"),
        ("RNN", 4, "RNN with sequence_lens"),
        ("LSTM", 7, "LSTM with peepholes"),
    ],
)
def test_an_input_that_is_not_covered_is_named(operator: str, place: int, said: str) -> None:
    _, inputs, known = recurrent(operator, "forward")
    tensors = [torch.from_numpy(array) for array in inputs]
    with pytest.raises(Uncovered, match=said):
        OPERATORS[operator](
            Node("node", operator, (), ("y",), known, 14), *tensors, *[None] * (place - 3), torch.ones(ROWS)
        )


def test_attention_that_answers_with_its_cache_is_named() -> None:
    node = Node("node", "Attention", ("q", "k", "v"), ("y", "keys", "values"), {}, 23)
    with pytest.raises(Uncovered, match="a cache of keys and values"):
        OPERATORS["Attention"](node, *(torch.zeros(1, 1, 2, 4) for _ in range(3)))


@pytest.mark.parametrize("place", [4, 5, 6])
def test_attention_that_is_given_a_cache_or_its_length_is_named(place: int) -> None:
    inputs: list[Any] = [*(torch.zeros(1, 1, 2, 4) for _ in range(3)), *[None] * (place - 3), torch.zeros(1)]
    with pytest.raises(Uncovered, match="a cache of keys and values"):
        OPERATORS["Attention"](Node("node", "Attention", (), ("y",), {}, 24), *inputs)
