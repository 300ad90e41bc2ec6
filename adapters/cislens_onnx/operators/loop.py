"""A graph that runs again and again, as Keras's exporter writes gated recurrent units."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.overrides import handle_torch_function, has_torch_function

from cislens_onnx.graph import Graph
from cislens_onnx.node import Node
from cislens_onnx.operators.registry import OPERATORS, operator

Tensor = torch.Tensor
Step = Callable[[int, Tensor, Sequence[Tensor]], tuple[Tensor, list[Tensor]]]


@operator("Loop")
def loop(node: Node, times: Tensor | None, condition: Tensor | None, *values: Tensor) -> tuple[Tensor, ...]:
    """Run a body until its count or its condition ends it; return its last states, and what each run put out."""
    body: Graph = node.setting("body")
    states = len(body.inputs) - 2
    outside = dict(zip(body.read_from_outside, values[states:], strict=True))
    held = {name: torch.from_numpy(np.array(value)) for name, value in body.constants.items()}

    def step(count: int, going: Tensor, current: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        known: dict[str, Tensor] = {**outside, **held}
        known.update(zip(body.inputs, (torch.tensor(count), going, *current), strict=True))
        for inner in body.nodes:
            answer = OPERATORS[inner.operator](inner, *(known[name] if name else None for name in inner.inputs))
            known.update(zip(inner.outputs, answer if isinstance(answer, tuple) else (answer,), strict=False))
        going, *rest = (known[name] for name in body.outputs)
        return going, rest

    most = None if times is None else int(times)
    going = torch.tensor(True) if condition is None else condition
    # What holds a value for each position comes first, for whoever watches the call.
    driving = max(values, key=lambda value: value.ndim * value.is_floating_point())
    put_out, last = repeated(driving, list(values), step, states, most, going)
    return (*last, *put_out)


def repeated(
    driving: Tensor, values: list[Tensor], step: Step, states: int, most: int | None, going: Tensor
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Run the steps as one call, which is one recurrent layer to whoever watches torch's functions."""
    if has_torch_function((driving, *values)):
        return handle_torch_function(repeated, (driving, *values), driving, values, step, states, most, going)
    current, put_out, count = list(values[:states]), [], 0
    while (most is None or count < most) and bool(going):
        going, rest = step(count, going, current)
        current = rest[:states]
        put_out.append(rest[states:])
        count += 1
    return tuple(torch.stack(parts) for parts in zip(*put_out, strict=True)), tuple(current)
