"""An exported program as a module: it calls operator by operator, inside the modules that it was exported from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cislens.errors import OracleError
from cislens.oracle.options import OracleOptions
from cislens.oracle.sequence_input import find_sequence
from cislens_torch.aten import function_of
from cislens_torch.filekinds import damaged
from cislens_torch.program import Device, Node, Program, Value, read_program


class Part(nn.Module):
    """Stand for a module of the model that was exported: it holds its weights, and its calls can be watched."""

    def forward(self, run: Callable[[], None]) -> None:
        """Run the operators of one call."""
        run()


class ExportedModule(nn.Module):
    """Compute what an exported program does, with its weights under their own names.

    Parameters
    ----------
    program
        The program.

    Raises
    ------
    OracleError
        If it has operators that are not torch's own, or was exported in training mode.
    """

    def __init__(self, program: Program) -> None:
        super().__init__()
        self._program = replace(program, tensors={})
        self._functions = {node.target: function_of(node.target) for node in program.nodes}
        self._steps = steps_of(program.nodes)
        self._sequence = program.inputs[0].name if program.inputs else ""
        _check_evaluation(program)
        for node in program.nodes:
            for _, path, kind in node.modules:
                self._part(path, kind)
        for name in program.state.values():
            path, _, leaf = name.rpartition(".")
            tensor = program.tensors[name]
            owner = self._part(path, "Module")
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
                owner.register_parameter(leaf, nn.Parameter(tensor, requires_grad=False))
            else:
                owner.register_buffer(leaf, tensor)

    def _part(self, path: str, kind: str) -> nn.Module:
        owner: nn.Module = self
        names = path.split(".") if path else []
        for depth, name in enumerate(names, start=1):
            child = owner._modules.get(name)
            if child is None:
                child = type(kind if depth == len(names) else "Module", (Part,), {})()
                owner.add_module(name, child)
            owner = child
        return owner

    def extra_repr(self) -> str:
        """Return what tells this program from another of the same modules."""
        return f"program={hashlib.blake2b(repr(self._program).encode(), digest_size=8).hexdigest()}"

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs beside the sequence."""
        return tuple(given.name for given in self._program.inputs if given.name != self._sequence)

    def forward(self, sequence: torch.Tensor, **others: torch.Tensor) -> Any:
        """Return the answers; inputs that are not given are zeros."""
        values: dict[str, Any] = {self._sequence: sequence}
        own = next(given for given in self._program.inputs if given.name == self._sequence)
        sizes = {size: actual for size, actual in zip(own.sizes, sequence.shape, strict=True) if isinstance(size, str)}
        for given in self._program.inputs:
            if given.name != self._sequence:
                shape = [sizes.get(size, 1) if isinstance(size, str) else size for size in given.sizes[1:]]
                values[given.name] = (
                    others[given.name] if given.name in others else sequence.new_zeros([len(sequence), *shape])
                )
        for name, state in self._program.state.items():
            path, _, leaf = state.rpartition(".")
            values[name] = getattr(self.get_submodule(path), leaf)
        self._run(self._steps, values)
        answers = {key: values[name] for key, name in self._program.outputs.items()}
        if self._program.alone:
            return answers["0"]
        return tuple(answers.values()) if list(answers) == [str(i) for i in range(len(answers))] else answers

    def _run(self, steps: list[Any], values: dict[str, Any]) -> None:
        for step in steps:
            if isinstance(step, Node):
                self._call(step, values)
            else:
                path, inner = step
                self.get_submodule(path)(partial(self._run, inner, values))

    def _call(self, node: Node, values: dict[str, Any]) -> None:
        args, kwargs = _filled((node.args, dict(node.kwargs)), values, values[self._sequence].device)
        result = self._functions[node.target](*args, **kwargs)
        if len(node.results) == 1:
            _named(node.results[0], result, values)
        elif node.results:
            for name, part in zip(node.results, result, strict=False):
                _named(name, part, values)


def _filled(held: Any, values: Mapping[str, Any], device: torch.device) -> Any:
    if isinstance(held, Value):
        return values[held.name]
    if isinstance(held, Device):
        return device
    if isinstance(held, tuple | list):
        return type(held)(_filled(part, values, device) for part in held)
    if isinstance(held, dict):
        return {name: _filled(part, values, device) for name, part in held.items()}
    return held


def _named(name: Any, result: Any, values: dict[str, Any]) -> None:
    if isinstance(name, list):
        values.update(zip(name, result, strict=True))
    elif name is not None:
        values[name] = result


def steps_of(nodes: Iterable[Node], depth: int = 0) -> list[Any]:
    """Group operators by the calls of modules that they are part of: each step is one, or a path and its steps."""
    steps: list[Any] = []
    for inside, group in groupby(nodes, key=lambda node: _module_at(node, depth)):
        if inside is None:
            steps += group
        else:
            steps.append((inside[1], steps_of(group, depth + 1)))
    return steps


def _module_at(node: Node, depth: int) -> tuple[str, str, str] | None:
    named = [module for module in node.modules if module[1]]
    return named[depth] if depth < len(named) else None


def _check_evaluation(program: Program) -> None:
    for node in program.nodes:
        training = {"torch.ops.aten.dropout.default": 2, "torch.ops.aten.batch_norm.default": 5}.get(node.target)
        if training is not None and len(node.args) > training and node.args[training] is True:
            raise OracleError(
                "a program must be exported in evaluation mode, but this one drops units at random or normalises over "
                "the batch: call model.eval() and export it anew"
            )


def load_exported(path: Path) -> ExportedModule:
    """Return the module of a .pt2 file.

    Raises
    ------
    OracleError
        If it is damaged, or holds what is not read.
    """
    try:
        return ExportedModule(read_program(path))
    except OracleError:
        raise
    except Exception as error:  # whatever a damaged program makes its reader raise
        raise damaged(path, error) from error


def take_form(module: ExportedModule, options: OracleOptions) -> tuple[OracleOptions, int | None]:
    """Find the sequence among a program's inputs; return the options with its layout and length, and its stated batch.

    Raises
    ------
    OracleError
        If none, or several, of the inputs are of the shape of sequences.
    """
    given = module._program.inputs
    shapes = [tuple(size if isinstance(size, int) else None for size in one.sizes) for one in given]
    found = find_sequence([one.name for one in given], [shape[1:] for shape in shapes], options)
    module._sequence = given[found.index].name
    return replace(options, length=found.length, layout=found.layout), shapes[found.index][0]
