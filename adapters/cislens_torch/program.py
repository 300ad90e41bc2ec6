"""What a file of `torch.export.save` holds, read from its JSON and raw numbers.

`torch.export.load` unpickles with `weights_only=False`, evaluates expressions of shapes and imports what a file names.
None of that is needed to compute: the graph is a list of operators with their arguments, and weights are plain numbers.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cislens.errors import OracleError
from cislens_torch.stored import Unreadable, strided

SCHEMA = 8  # major version of the graph's form
# Codes of number types.
TYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
FORMATS = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format}
# Arguments that stand as they are, and those that name values computed before.
PLAIN = frozenset("as_int as_ints as_float as_floats as_string as_strings as_bool as_bools as_int_lists".split())
NAMED = frozenset("as_tensor as_sym_int as_sym_float as_sym_bool".split())
LISTED = frozenset("as_tensors as_sym_ints as_sym_floats as_sym_bools as_optional_tensors".split())


@dataclass(frozen=True)
class Device:
    """Stand for the device that a program was exported on: it computes where the sequence is."""


@dataclass(frozen=True)
class Value:
    """Name a value that the program computed before, or was given."""

    name: str


@dataclass(frozen=True)
class Node:
    """Call one operator.

    Parameters
    ----------
    target
        Its name, such as "torch.ops.aten.conv1d.default".
    args, kwargs
        What it is called with; values are named.
    results
        Names of its results; those of a list are a list.
    modules
        The modules whose calls it is part of, from the outside in: key of the call, path and class.
    """

    target: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    results: tuple[Any, ...]
    modules: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Input:
    """Describe what the program is given: its name, and for each axis the size, or what stands for a free one."""

    name: str
    sizes: tuple[int | str, ...]


@dataclass(frozen=True)
class Program:
    """Hold an exported program.

    Parameters
    ----------
    inputs
        In their order.
    nodes
        In the order of execution.
    outputs
        The values it answers with, by the keys of a dictionary or the places of a tuple.
    alone
        Whether it answers with its one output alone.
    state
        Names of weights, and what the program calls them.
    tensors
        The weights and constants by name.
    """

    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Any]
    alone: bool
    state: Mapping[str, str]
    tensors: Mapping[str, torch.Tensor]


def read_program(path: Path) -> Program:
    """Read a .pt2 file.

    Raises
    ------
    OracleError
        If it holds what is not read. What a damaged file makes its readers raise is its caller's to catch.
    """
    with zipfile.ZipFile(path) as archive:
        return _program(Archive(archive), path)


class Archive:
    """Read entries below the one folder that torch's archives hold."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.folder = archive.namelist()[0].partition("/")[0]

    def bytes(self, name: str) -> bytes:
        """Return an entry."""
        return self.archive.read(f"{self.folder}/{name}")

    def json(self, name: str) -> Any:
        """Return an entry that is JSON."""
        return json.loads(self.bytes(name))


def _program(archive: Archive, path: Path) -> Program:
    whole = archive.json("models/model.json")
    if whole["schema_version"]["major"] != SCHEMA:
        raise OracleError(
            f"{path} must be exported in form {SCHEMA} of torch's graphs, got {whole['schema_version']['major']}: "
            "export it anew with torch 2.8 or later, or open the module itself"
        )
    module = whole["graph_module"]
    graph, signature = module["graph"], module["signature"]
    _check_signature(signature, path)
    state: dict[str, str] = {}
    inputs = []
    for spec in signature["input_specs"]:
        ((kind, held),) = spec.items()
        if kind == "user_input":
            name = held["arg"]["as_tensor"]["name"]
            inputs.append(Input(name, tuple(map(_size, graph["tensor_values"][name]["sizes"]))))
        else:
            state[held["arg"]["name"]] = held[f"{kind}_name"]
    answers = [spec["user_output"]["arg"]["as_tensor"]["name"] for spec in signature["output_specs"]]
    keys, alone = _keys(module["module_call_graph"][0]["signature"]["out_spec"], len(answers))
    nodes = tuple(_node(node, path) for node in graph["nodes"])
    tensors = _tensors(archive, "weights", path) | _tensors(archive, "constants", path)
    missing = [name for name in state.values() if name not in tensors]
    if missing:
        raise Unreadable(f"its weights {missing[0]!r} are missing")
    return Program(tuple(inputs), nodes, dict(zip(keys, answers, strict=True)), alone, state, tensors)


def _check_signature(signature: Any, path: Path) -> None:
    for kind, known, what in (
        ("input", {"user_input", "parameter", "buffer", "tensor_constant"}, "reads"),
        ("output", {"user_output"}, "changes"),
    ):
        for spec in signature[f"{kind}_specs"]:
            ((given, held),) = spec.items()
            if given not in known or (given.startswith("user_") and "as_tensor" not in held["arg"]):
                raise OracleError(
                    f"{path} must be a program that reads and answers with tensors alone, but it {what} "
                    f"{given.replace('_', ' ')}s: call model.eval() and export it anew"
                )


def _size(size: Any) -> int | str:
    return int(size["as_int"]) if "as_int" in size else str(size["as_expr"]["expr_str"])


def _keys(text: str, count: int) -> tuple[list[str], bool]:
    """Return names of the outputs, and whether the answer is one tensor alone."""
    spec = json.loads(text)[1]
    leaves = all(child["type"] is None for child in spec["children_spec"])
    if spec["type"] in ("builtins.dict", "collections.OrderedDict") and leaves:
        return [str(key) for key in json.loads(spec["context"])], False
    return [str(place) for place in range(count)], spec["type"] is None


def _node(node: Any, path: Path) -> Node:
    args = [_argument(held["arg"], path) for held in node["inputs"] if held["kind"] != 2]
    kwargs = {held["name"]: _argument(held["arg"], path) for held in node["inputs"] if held["kind"] == 2}
    results = tuple(_result(output) for output in node["outputs"])
    modules = []
    for item in filter(None, node["metadata"].get("nn_module_stack", "").split(";")):
        key, inside, kind = item.split(",", 2)
        modules.append((key, inside, kind.rpartition(".")[2]))
    return Node(str(node["target"]), tuple(args), kwargs, results, tuple(modules))


def _result(output: Any) -> Any:
    ((kind, held),) = output.items()
    if kind in ("as_tensor", "as_optional_tensor"):
        return str(held["name"]) if "name" in held else str(held["as_tensor"]["name"])
    return [_result({"as_tensor": part}) for part in held] if kind == "as_tensors" else _name_of(held)


def _name_of(held: Any) -> str | None:
    return str(held["as_name"]) if isinstance(held, dict) and "as_name" in held else None


def _argument(argument: Any, path: Path) -> Any:
    ((kind, held),) = argument.items()
    if kind in PLAIN:
        return held
    if kind in NAMED:
        return _value(held)
    if kind in LISTED:
        return [_value(part) for part in held]
    if kind == "as_optional_tensor":
        return _value(held)
    if kind == "as_none":
        return None
    if kind == "as_scalar_type":
        return TYPES[held]
    if kind == "as_memory_format":
        return FORMATS[held]
    if kind == "as_device":
        return Device()
    if kind == "as_layout":
        return torch.strided
    raise OracleError(f"{path} must call operators with tensors and numbers, got an argument {kind!r}: open the module")


def _value(held: Any) -> Any:
    if "name" in held:
        return Value(str(held["name"]))
    if "as_tensor" in held:
        return _value(held["as_tensor"])
    if "as_name" in held:
        return Value(str(held["as_name"]))
    return next((held[kind] for kind in ("as_int", "as_float", "as_bool") if kind in held), None)


def _tensors(archive: Archive, folder: str, path: Path) -> dict[str, torch.Tensor]:
    entries = archive.json(f"data/{folder}/model_{folder}_config.json")["config"]
    files: dict[str, bytearray] = {}
    found = {}
    for name, entry in entries.items():
        place, form = entry["path_name"], entry["tensor_meta"]
        if entry["use_pickle"] or form is None:
            raise OracleError(f"{path} must hold plain tensors, but {name!r} is a pickle: export a model without it")
        if place not in files:
            files[place] = bytearray(archive.bytes(f"data/{folder}/{place}"))
        dtype = TYPES[form["dtype"]]
        numbers = torch.frombuffer(files[place], dtype=dtype) if files[place] else torch.empty(0, dtype=dtype)
        size, stride = ([int(part["as_int"]) for part in form[key]] for key in ("sizes", "strides"))
        found[name] = strided(numbers, int(form["storage_offset"]["as_int"]), tuple(size), tuple(stride))
    return found
