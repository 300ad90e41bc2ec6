"""From executed operations to layers, and a layer's weights by their canonical names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cislens.oracle.base import Array
from cislens.oracle.encoding import Encoding
from cislens.oracle.layer import Layer, name_activations, with_receptive_fields
from cislens_torch.axes import REPEATING
from cislens_torch.operation import INPUT, Operation
from cislens_torch.trace import Trace

INPUT_NAME = "input"


@dataclass(frozen=True)
class Graph:
    """The layers of a model and the calls that they stand for.

    Parameters
    ----------
    trace
        What was executed.
    layers
        In the order of execution, receptive fields filled in.
    calls
        The call of each layer, by name.
    """

    trace: Trace
    layers: tuple[Layer, ...]
    calls: Mapping[str, int]

    def operation(self, name: str) -> Operation:
        """Return the operation of a layer, which must not be the input."""
        return self.trace.operations[self.calls[name]]

    def activated(self, layer: Layer) -> str:
        """Return the layer whose value is this layer's after its nonlinearity: itself, or the one that follows."""
        if layer.kind == "activation" or layer.activation is None:
            return layer.name
        following = [other.name for other in self.layers if layer.name in other.inputs and other.kind == "activation"]
        return following[0] if following else layer.name

    def ancestors(self, call: int) -> frozenset[int]:
        """Return the calls that a call's value depends on, itself among them."""
        found: set[int] = set()
        waiting = [call]
        while waiting:
            current = waiting.pop()
            if current not in found and current != INPUT:
                found.add(current)
                waiting.extend(self.trace.operations[current].inputs)
        return frozenset(found)


def graph_of(trace: Trace) -> Graph:
    """Return the layers that the answers depend on."""
    used: set[int] = set()
    for source in trace.sources.values():
        used |= Graph(trace, (), {}).ancestors(source)
    names = {INPUT: INPUT_NAME}
    layers = [Layer(INPUT_NAME, "input", units=4, native_kind="input")]
    taken = {INPUT_NAME}
    for call in sorted(used):
        operation = trace.operations[call]
        name = _free(_name(operation, trace), taken)
        taken.add(name)
        names[call] = name
        layers.append(_layer(name, operation, trace, names))
    named = with_receptive_fields(name_activations(layers))
    return Graph(trace, named, {name: call for call, name in names.items()})


def _is_the_module(operation: Operation, trace: Trace) -> bool:
    """Tell whether an operation is all that ran in its module's call."""
    invocation = trace.invocations[operation.invocation]
    return bool(invocation.path) and invocation.within == 1


def _name(operation: Operation, trace: Trace) -> str:
    invocation = trace.invocations[operation.invocation]
    path = invocation.path + (f":{invocation.times}" if invocation.times else "")
    if _is_the_module(operation, trace):
        return path
    does = operation.does
    function = "crop" if operation.function == "getitem" and does.kind == "pad" else operation.function
    function = "flatten" if does.kind == "flatten" else function
    return f"{path}.{function}" if path else function


def _free(name: str, taken: set[str]) -> str:
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _layer(name: str, operation: Operation, trace: Trace, names: Mapping[int, str]) -> Layer:
    does = operation.does
    assert does.kind is not None
    whole = _is_the_module(operation, trace)
    return Layer(
        name,
        does.kind,
        tuple(names[source] for source in operation.inputs),
        operation.units,
        does.window.kernel,
        does.window.stride,
        does.window.dilation,
        does.window.padding,
        does.activation,
        native_kind=trace.invocations[operation.invocation].kind if whole else operation.function,
    )


def weight_tensors(graph: Graph, layer: Layer, module: nn.Module) -> dict[str, torch.Tensor]:
    """Return a layer's tensors as torch holds them: those its operation was called with, else its module's own."""
    if layer.name == INPUT_NAME:
        return {}
    operation = graph.operation(layer.name)
    if operation.does.arrays:
        return dict(operation.does.arrays)
    path = graph.trace.invocations[operation.invocation].path
    if not _is_the_module(operation, graph.trace):
        return {}
    owner = module.get_submodule(path)
    return dict(owner.named_parameters()) | {n: b for n, b in owner.named_buffers() if b.is_floating_point()}


def weight_arrays(graph: Graph, layer: Layer, module: nn.Module, encoding: Encoding) -> dict[str, Array]:
    """Return a layer's arrays by their canonical names, channels of a layer that reads the sequence as ACGT."""
    tensors = weight_tensors(graph, layer, module)
    arrays = {name: to_numpy(tensor) for name, tensor in tensors.items()}
    if layer.kind not in ("convolution", "dense") or "weight" not in arrays:
        return arrays
    operation = graph.operation(layer.name)
    kernel = _kernel(arrays.pop("weight"), layer, operation)
    if layer.kind == "convolution" and kernel.shape[2] % 4 == 0 and _reads_the_sequence(graph, layer):
        blocks = kernel.reshape(*kernel.shape[:2], -1, 4)
        kernel = blocks[..., np.argsort(encoding.order)].reshape(kernel.shape)
    return {"kernel": np.ascontiguousarray(kernel)} | arrays


def _kernel(weight: Array, layer: Layer, operation: Operation) -> Array:
    if layer.kind == "dense":
        return weight.reshape(len(weight), -1)
    if weight.ndim == 2:
        return weight[:, None, :]
    axis = operation.does.window.axis
    moved = np.moveaxis(weight, 2 + axis if axis is not None else -1, 1)
    return moved.reshape(*moved.shape[:2], -1)


def _reads_the_sequence(graph: Graph, layer: Layer) -> bool:
    by_name = {other.name: other for other in graph.layers}

    def is_sequence(name: str) -> bool:
        source = by_name[name]
        if source.kind == "input":
            return True
        copies = source.kind == "concatenate" and graph.operation(name).function in REPEATING
        return (copies or source.kind in ("pad", "dropout")) and all(is_sequence(other) for other in source.inputs)

    return all(is_sequence(name) for name in layer.inputs)


def to_numpy(tensor: torch.Tensor) -> Array:
    """Return a tensor's values as a numpy array of their own; types that numpy lacks become float32."""
    detached = tensor.detach()
    if detached.dtype in (torch.bfloat16, torch.float16):
        detached = detached.float()
    return np.array(detached.cpu().numpy())
