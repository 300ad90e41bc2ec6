"""Recurrent layers, as torch's fused functions wherever these compute the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators.registry import operator

# Where torch's gates stand among ONNX's: input, output, forget, cell there; input, forget, cell, output here.
LSTM_GATES = (0, 2, 3, 1)
# Update, reset, new there; reset, update, new here.
GRU_GATES = (1, 0, 2)
DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
Tensor = torch.Tensor


def _directions(node: Node) -> int:
    return 2 if node.setting("direction", "forward") == "bidirectional" else 1


def _check(node: Node, lengths: Tensor | None, peepholes: Tensor | None = None) -> None:
    known = DEFAULTS[node.operator] * _directions(node)
    asked = [name.capitalize() for name in node.setting("activations") or known]
    if node.operator != "RNN" and asked != known:
        raise Uncovered(f"{node.operator} with activations {', '.join(asked)}")
    for name, held in (("sequence_lens", lengths), ("peepholes", peepholes)):
        if held is not None:
            raise Uncovered(f"{node.operator} with {name}")
    for name in ("clip", "input_forget", "activation_alpha", "activation_beta"):
        if node.setting(name):
            raise Uncovered(f"{node.operator} with {name}")


def _reordered(weight: Tensor, gates: Sequence[int]) -> Tensor:
    """Return the rows of a weight or bias with its gates in torch's order."""
    if len(gates) == 1:
        return weight
    parts = weight.chunk(len(gates))
    return torch.cat([parts[gate] for gate in gates])


def _flat(weight: Tensor, recurrence: Tensor, bias: Tensor | None, gates: Sequence[int]) -> list[Tensor]:
    """Return the weights of every direction as torch's functions want them."""
    flat = []
    for direction in range(len(weight)):
        flat += [_reordered(weight[direction], gates), _reordered(recurrence[direction], gates)]
        if bias is not None:
            flat += [_reordered(part, gates) for part in bias[direction].chunk(2)]
    return flat


def _states(node: Node, x: Tensor, size: int, *given: Tensor | None) -> list[Tensor]:
    """Return the first states (directions, n, size), zero where none are given."""
    batch_first = node.setting("layout", 0)
    n = x.shape[1]
    zeros = x.new_zeros((_directions(node), n, size))
    return [zeros if state is None else state.transpose(0, 1) if batch_first else state for state in given]


def _ran(node: Node, x: Tensor, size: int, run: Any, *states: Tensor | None) -> tuple[Tensor, ...]:
    """Run a fused function over (positions, n, features), and return its answers in ONNX's form."""
    batch_first, backwards = bool(node.setting("layout", 0)), node.setting("direction", "forward") == "reverse"
    x = x.transpose(0, 1) if batch_first else x
    x = x.flip(0) if backwards else x
    values, *last = run(x, _states(node, x, size, *states))
    values = values.flip(0) if backwards else values
    split = values.reshape(*values.shape[:2], _directions(node), size)
    if batch_first:
        return split.transpose(0, 1), *(state.transpose(0, 1) for state in last)
    return split.transpose(1, 2), *last


@operator("LSTM")
def lstm(
    node: Node,
    x: Tensor,
    weight: Tensor,
    recurrence: Tensor,
    bias: Tensor | None = None,
    lengths: Tensor | None = None,
    hidden: Tensor | None = None,
    cell: Tensor | None = None,
    peepholes: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Run a long short-term memory over positions."""
    _check(node, lengths, peepholes)
    flat = _flat(weight, recurrence, bias, LSTM_GATES)

    def run(x: Tensor, states: list[Tensor]) -> Any:
        return torch.lstm(x, states, flat, bias is not None, 1, 0.0, False, _directions(node) == 2, False)

    return _ran(node, x, node.setting("hidden_size"), run, hidden, cell)


@operator("GRU")
def gru(
    node: Node,
    x: Tensor,
    weight: Tensor,
    recurrence: Tensor,
    bias: Tensor | None = None,
    lengths: Tensor | None = None,
    hidden: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Run gated recurrent units over positions; torch's own reset gate acts after the product, as ONNX may ask for."""
    _check(node, lengths)
    size = node.setting("hidden_size")
    if not node.setting("linear_before_reset", 0):
        return _ran(node, x, size, lambda x, states: _reset_before(x, states[0], weight, recurrence, bias), hidden)
    flat = _flat(weight, recurrence, bias, GRU_GATES)

    def run(x: Tensor, states: list[Tensor]) -> Any:
        return torch.gru(x, states[0], flat, bias is not None, 1, 0.0, False, _directions(node) == 2, False)

    return _ran(node, x, size, run, hidden)


def _reset_before(
    x: Tensor, first: Tensor, weight: Tensor, recurrence: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Run gated recurrent units whose reset gate acts on the state itself, which torch has no function for."""
    answers, last = [], []
    for direction in range(len(weight)):
        steps = x.flip(0) if direction else x
        both = bias[direction] if bias is not None else x.new_zeros(2 * len(weight[direction]))
        inner, outer = both.chunk(2)
        driven = torch.matmul(steps, weight[direction].T) + inner
        update, reset, new = recurrence[direction].chunk(3)
        outer_update, outer_reset, outer_new = outer.chunk(3)
        state, states = first[direction], []
        for step in driven.unbind(0):
            to_update, to_reset, to_new = step.chunk(3, -1)
            kept = torch.sigmoid(to_update + state @ update.T + outer_update)
            open_ = torch.sigmoid(to_reset + state @ reset.T + outer_reset)
            proposed = torch.tanh(to_new + (open_ * state) @ new.T + outer_new)
            state = (1 - kept) * proposed + kept * state
            states.append(state)
        values = torch.stack(states)
        answers.append(values.flip(0) if direction else values)
        last.append(state)
    return torch.cat(answers, -1), torch.stack(last)


@operator("RNN")
def rnn(
    node: Node,
    x: Tensor,
    weight: Tensor,
    recurrence: Tensor,
    bias: Tensor | None = None,
    lengths: Tensor | None = None,
    hidden: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Run plain recurrent units over positions."""
    _check(node, lengths)
    names = {name.capitalize() for name in node.setting("activations") or ["Tanh"]}
    function = {"Tanh": torch.rnn_tanh, "Relu": torch.rnn_relu}.get(names.pop()) if len(names) == 1 else None
    if function is None:
        raise Uncovered(f"RNN with activations {node.setting('activations')}")
    flat = _flat(weight, recurrence, bias, (0,))

    def run(x: Tensor, states: list[Tensor]) -> Any:
        return function(x, states[0], flat, bias is not None, 1, 0.0, False, _directions(node) == 2, False)

    return _ran(node, x, node.setting("hidden_size"), run, hidden)
