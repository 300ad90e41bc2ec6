"""Recurrent layers, as torch's fused functions wherever these compute the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import handle_torch_function, has_torch_function

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


def recurrence(x: Tensor, run: Callable[[Tensor], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Run what torch has no one function for as one call, which is one recurrent layer to whoever watches."""
    if has_torch_function((x,)):
        return handle_torch_function(recurrence, (x,), x, run)
    return run(x)


def _check(node: Node, x: Tensor, lengths: Tensor | None, peepholes: Tensor | None = None) -> None:
    known = DEFAULTS[node.operator] * _directions(node)
    asked = [name.capitalize() for name in node.setting("activations") or known]
    if node.operator != "RNN" and asked != known:
        raise Uncovered(f"{node.operator} with activations {', '.join(asked)}")
    positions = x.shape[1] if node.setting("layout", 0) else x.shape[0]
    if lengths is not None and any(length != positions for length in lengths.tolist()):
        raise Uncovered(f"{node.operator} with sequence_lens shorter than the sequences")
    if peepholes is not None:
        raise Uncovered(f"{node.operator} with peepholes")
    for name in ("clip", "input_forget", "activation_alpha", "activation_beta"):
        if node.setting(name):
            raise Uncovered(f"{node.operator} with {name}")


def _reordered(weight: Tensor, gates: Sequence[int]) -> Tensor:
    """Return the rows of a weight or bias with its gates in torch's order."""
    if len(gates) == 1:
        return weight
    parts = weight.chunk(len(gates))
    return torch.cat([parts[gate] for gate in gates])


def _flat(weight: Tensor, hidden_weight: Tensor, bias: Tensor | None, gates: Sequence[int]) -> list[Tensor]:
    """Return the weights of every direction as torch's functions want them."""
    flat = []
    for direction in range(len(weight)):
        flat += [_reordered(weight[direction], gates), _reordered(hidden_weight[direction], gates)]
        if bias is not None:
            flat += [_reordered(part, gates) for part in bias[direction].chunk(2)]
    return flat


def _states(node: Node, x: Tensor, size: int, *given: Tensor | None) -> list[Tensor]:
    """Return the first states (directions, n, size), zero where none are given."""
    batch_first = node.setting("layout", 0)
    zeros = torch.zeros((_directions(node), x.shape[1], size), dtype=x.dtype, device=x.device)
    states = [zeros if state is None else state.to(x.device) for state in given]
    return [state.transpose(0, 1) if batch_first and state is not zeros else state for state in states]


def _ran(node: Node, x: Tensor, size: int, run: Any, *states: Tensor | None) -> tuple[Tensor, ...]:
    """Run a fused function over (positions, n, features), and return its answers in ONNX's form."""
    batch_first = bool(node.setting("layout", 0))
    x = x.transpose(0, 1) if batch_first else x

    def forwards(x: Tensor) -> tuple[Tensor, ...]:
        return run(x, _states(node, x, size, *states))  # type: ignore[no-any-return]

    def backwards(x: Tensor) -> tuple[Tensor, ...]:
        values, *last = forwards(x.flip(0))
        return values.flip(0), *last

    values, *last = recurrence(x, backwards) if node.setting("direction") == "reverse" else forwards(x)
    split = values.reshape(*values.shape[:2], _directions(node), size)
    if batch_first:
        return split.transpose(0, 1), *(state.transpose(0, 1) for state in last)
    return split.transpose(1, 2), *last


@operator("LSTM")
def lstm(
    node: Node,
    x: Tensor,
    weight: Tensor,
    hidden_weight: Tensor,
    bias: Tensor | None = None,
    lengths: Tensor | None = None,
    hidden: Tensor | None = None,
    cell: Tensor | None = None,
    peepholes: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Run a long short-term memory over positions."""
    _check(node, x, lengths, peepholes)
    flat = _flat(weight, hidden_weight, bias, LSTM_GATES)

    def run(x: Tensor, states: list[Tensor]) -> Any:
        return torch.lstm(x, states, flat, bias is not None, 1, 0.0, False, _directions(node) == 2, False)

    return _ran(node, x, node.setting("hidden_size"), run, hidden, cell)


@operator("GRU")
def gru(
    node: Node,
    x: Tensor,
    weight: Tensor,
    hidden_weight: Tensor,
    bias: Tensor | None = None,
    lengths: Tensor | None = None,
    hidden: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Run gated recurrent units over positions; torch's own reset gate acts after the product, as ONNX may ask for."""
    _check(node, x, lengths)
    size = node.setting("hidden_size")
    if not node.setting("linear_before_reset", 0):

        def stepwise(x: Tensor, states: list[Tensor]) -> tuple[Tensor, ...]:
            return recurrence(x, lambda x: _reset_before(x, states[0], weight, hidden_weight, bias))

        return _ran(node, x, size, stepwise, hidden)
    flat = _flat(weight, hidden_weight, bias, GRU_GATES)

    def run(x: Tensor, states: list[Tensor]) -> Any:
        return torch.gru(x, states[0], flat, bias is not None, 1, 0.0, False, _directions(node) == 2, False)

    return _ran(node, x, size, run, hidden)


def _reset_before(
    x: Tensor, first: Tensor, weight: Tensor, hidden_weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Run gated recurrent units whose reset gate acts on the state itself, which torch has no function for."""
    size, answers, last = first.shape[-1], [], []
    for direction in range(len(weight)):
        steps = x.flip(0) if direction else x
        # The reset gate acts on the state alone, so that both biases are added to what does not depend on it.
        both = None if bias is None else bias[direction].reshape(2, -1).sum(0)
        driven = functional.linear(steps, weight[direction], both)
        to_gates, to_new = hidden_weight[direction, : 2 * size].T, hidden_weight[direction, 2 * size :].T
        state, states = first[direction], []
        for step in driven:
            kept, reset = torch.sigmoid(step[:, : 2 * size] + state @ to_gates).chunk(2, -1)
            proposed = torch.tanh(step[:, 2 * size :] + (reset * state) @ to_new)
            state = torch.lerp(proposed, state, kept)
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
    hidden_weight: Tensor,
    bias: Tensor | None = None,
    lengths: Tensor | None = None,
    hidden: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Run plain recurrent units over positions."""
    _check(node, x, lengths)
    names = {name.capitalize() for name in node.setting("activations") or ["Tanh"]}
    function = {"Tanh": torch.rnn_tanh, "Relu": torch.rnn_relu}.get(names.pop()) if len(names) == 1 else None
    if function is None:
        raise Uncovered(f"RNN with activations {node.setting('activations')}")
    flat = _flat(weight, hidden_weight, bias, (0,))

    def run(x: Tensor, states: list[Tensor]) -> Any:
        return function(x, states[0], flat, bias is not None, 1, 0.0, False, _directions(node) == 2, False)

    return _ran(node, x, node.setting("hidden_size"), run, hidden)
