"""A Keras model as a flat list of calls, nested models opened up, without adding anything to the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from cislens_keras.runtime import keras


class Value(NamedTuple):
    """Name one tensor: the call that gives it and which of its outputs it is."""

    step: str
    output: int = 0


@dataclass(frozen=True, eq=False)
class Step:
    """Hold one call of a layer.

    Parameters
    ----------
    name
        Unique; layers of nested models carry the path to them, as in "tower.conv1".
    operation
        The user's own layer, or the operation of an expression such as x + y.
    node
        Keras's record of the call; None of an input.
    sources
        What it reads, in the order of the node's input tensors.
    """

    name: str
    operation: Any
    node: Any = None
    sources: tuple[Value, ...] = ()

    @property
    def kind(self) -> str:
        """Name of the operation's class."""
        return type(self.operation).__name__

    def arguments(self, values: Mapping[Value, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of the call with these values in place of its own symbolic tensors."""
        tensors = {id(t): values[v] for t, v in zip(self.node.input_tensors, self.sources, strict=True)}
        args, kwargs = self.node.arguments.fill_in(tensors)
        return tuple(args), dict(kwargs)


@dataclass(frozen=True, eq=False)
class Graph:
    """Hold the calls of a model in topological order.

    Parameters
    ----------
    inputs, steps, outputs
        The inputs as steps, then all other calls, and what the model returns.
    """

    inputs: tuple[Step, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Value, ...]

    @cached_property
    def by_name(self) -> dict[str, Step]:
        """The steps and inputs by name."""
        return {step.name: step for step in (*self.inputs, *self.steps)}

    @cached_property
    def readers(self) -> dict[str, list[Step]]:
        """For each step those that read it."""
        found: dict[str, list[Step]] = {step.name: [] for step in (*self.inputs, *self.steps)}
        for step in self.steps:
            for name in dict.fromkeys(source.step for source in step.sources):
                found[name].append(step)
        return found

    def needed(self, wanted: Iterable[Value]) -> list[Step]:
        """Return the steps, inputs apart, that lead to these values."""
        names = {value.step for value in wanted}
        kept = []
        for step in reversed(self.steps):
            if step.name in names:
                kept.append(step)
                names |= {source.step for source in step.sources}
        return kept[::-1]


def is_graph(model: Any) -> bool:
    """Tell whether a Keras model shows its layers: a functional or sequential one, whose call is Keras's own."""
    from keras.src.models.functional import Functional

    kind = type(model)
    if isinstance(model, keras.Sequential):
        return kind.call is keras.Sequential.call and bool(model.built)
    return isinstance(model, Functional) and kind.call is Functional.call


def flatten(model: Any) -> Graph:
    """Return the calls of a functional or sequential model."""
    names = _Names()
    inputs = tuple(Step(names.unique(str(t.name)), t._keras_history.operation) for t in model.inputs)
    steps: list[Step] = []
    outputs = _walk(model, "", [Value(step.name) for step in inputs], (steps, names))
    return Graph(inputs, tuple(steps), tuple(outputs))


class _Names:
    def __init__(self) -> None:
        self.taken: dict[str, int] = {}

    def unique(self, name: str) -> str:
        name = name.replace("/", ".")
        count = self.taken[name] = self.taken.get(name, 0) + 1
        return name if count == 1 else self.unique(f"{name}_use{count}")


def _walk(model: Any, prefix: str, given: Sequence[Value], found: tuple[list[Step], _Names]) -> list[Value]:
    steps, names = found
    values = {id(tensor): value for tensor, value in zip(model.inputs, given, strict=True)}
    for node in _nodes(model):
        sources = tuple(values[id(tensor)] for tensor in node.input_tensors)
        operation = node.operation
        path = f"{prefix}{operation.name}"
        if is_graph(operation):
            results = _walk(operation, f"{path}.", sources, found)
        else:
            name = names.unique(path)
            steps.append(Step(name, operation, node, sources))
            results = [Value(name, i) for i in range(len(node.outputs))]
        values |= {id(tensor): value for tensor, value in zip(node.outputs, results, strict=True)}
    return [values[id(tensor)] for tensor in model.outputs]


def _nodes(model: Any) -> Iterator[Any]:
    function: Any = model._functional if isinstance(model, keras.Sequential) else model
    for depth in sorted(function._nodes_by_depth, reverse=True):
        for node in function._nodes_by_depth[depth]:
            if node.operation and not node.is_input:
                yield node


Call = Callable[[Step, Mapping[Value, Any]], Any]


def run(graph: Graph, feeds: Sequence[Any], wanted: Sequence[Value], call: Call) -> dict[Value, Any]:
    """Go through the calls that lead to `wanted` and return the value of each.

    Parameters
    ----------
    feeds
        One value for each of the graph's inputs: tensors or symbolic ones.
    call
        Makes a step's outputs out of the values so far; the user's layers themselves may be called with tensors, but
        not with symbolic ones, which would add a node to them.
    """
    values: dict[Value, Any] = {Value(step.name): feed for step, feed in zip(graph.inputs, feeds, strict=True)}
    for step in graph.needed(wanted):
        results = keras.tree.flatten(call(step, values))
        values |= {Value(step.name, i): result for i, result in enumerate(results)}
    return values


def shapes(graph: Graph, feeds: Sequence[tuple[int | None, ...]]) -> dict[Value, tuple[int | None, ...]]:
    """Return the shape of every value, batch included, for inputs of these shapes."""
    symbols = [
        keras.KerasTensor(shape, dtype=getattr(step.operation, "dtype", "float32"))
        for step, shape in zip(graph.inputs, feeds, strict=True)
    ]
    wanted = [Value(step.name) for step in graph.steps]

    def shape_of(step: Step, values: Mapping[Value, Any]) -> Any:
        args, kwargs = step.arguments(values)
        return step.operation.compute_output_spec(*args, **kwargs)

    values = run(graph, symbols, wanted, shape_of)
    return {value: tuple(tensor.shape) for value, tensor in values.items()}
