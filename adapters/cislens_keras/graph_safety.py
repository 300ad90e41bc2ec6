"""What a SavedModel would run, found in its protocol buffer before TensorFlow makes anything of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from cislens.errors import OracleError, UntrustedError
from cislens_keras.operators import HARMLESS, SAVING

GRAPH = "saved_model.pb"
SAVE_AGAIN = "save it again with tf.saved_model.save or model.export"
MOST_NAMED = 5  # operators in an error


def read_graph(folder: Path) -> Any:
    """Return the one graph of a SavedModel as a protocol buffer, the files beside it checked.

    Raises
    ------
    OracleError
        If the folder is cut short, or is a SavedModel of another kind.
    UntrustedError
        If it names files outside of itself.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
    from tensorflow.core.protobuf import saved_model_pb2

    _refuse_files_elsewhere(folder)
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((folder / GRAPH).read_bytes())
    except DecodeError as error:
        raise OracleError(f"{folder}/{GRAPH} must be whole, but it is damaged or cut short: copy it again") from error
    if len(saved.meta_graphs) != 1 or not saved.meta_graphs[0].HasField("object_graph_def"):
        said = "it is empty or of TensorFlow 1" if len(saved.meta_graphs) < 2 else "it holds several graphs"
        raise OracleError(f"{folder} must hold one graph of TensorFlow 2, but {said}: {SAVE_AGAIN}")
    graph = saved.meta_graphs[0]
    for asset in graph.asset_file_def:
        place = PurePosixPath(asset.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts:
            raise UntrustedError(
                f"{folder} must read no file outside of itself, but it names {asset.filename!r}: {SAVE_AGAIN}"
            )
    _check_variables(folder, graph)
    return graph


def _refuse_files_elsewhere(folder: Path) -> None:
    inside = os.path.realpath(folder)
    for path in sorted(folder.rglob("*")):
        place = os.path.realpath(path)
        if not Path(place).is_relative_to(inside):
            raise UntrustedError(
                f"{folder} must hold its files itself, but {path.relative_to(folder)} is a link to {place}: "
                "copy it with the files that it links to (cp -rL)"
            )
    for other in ("saved_model.cpb", "saved_model.pbtxt"):
        if (folder / other).exists():  # which of two graphs is loaded depends on the version of TensorFlow
            raise UntrustedError(f"{folder} must hold one graph, {GRAPH}, but it holds {other} too: {SAVE_AGAIN}")


def _check_variables(folder: Path, graph: Any) -> None:
    kept = any(node.HasField("variable") for node in graph.object_graph_def.nodes)
    if kept and not (folder / "variables" / "variables.index").is_file():
        raise OracleError(f"{folder} must hold its weights in variables/variables.index, but they are missing")


def refuse_operators(graph: Any, name: str) -> None:
    """Raise if a graph holds an operator that could do more than compute.

    Loading runs functions that make and fill variables and tables, and folds constants while it reads the others; so
    everything in the file is checked, not only what its signature calls. The operators with which TensorFlow saves
    and restores are allowed where nothing but the saver that the file declares reaches them.

    Raises
    ------
    UntrustedError
        The sentence names the operators, and the functions that call them.
    """
    found = {f"{operator} in {where}" for operator, where in _forbidden(graph)}
    if found:
        listed = "; ".join(sorted(found)[:MOST_NAMED]) + ("; ..." if len(found) > MOST_NAMED else "")
        raise UntrustedError(
            f"{name} must hold nothing but operators that compute to be opened unasked, but it holds {listed}: "
            "add --trust (trust=True) if you trust whoever made it"
        )


def _forbidden(graph: Any) -> Iterator[tuple[str, str]]:
    from tensorflow.python.framework import op_def_registry

    library = graph.graph_def.library
    functions = {function.signature.name: function.node_def for function in library.function}
    nodes = graph.graph_def.node
    saver = _leading_to(nodes, {graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name})
    others = [node for node in nodes if node.name not in saver]
    called = {*graph.object_graph_def.concrete_functions, *(x.gradient_func for x in library.gradient)}
    called |= {x.gradient_func for x in library.registered_gradients}
    reached = (
        called | _called(others, functions) | _called((n for f in called for n in functions.get(f, ())), functions)
    )
    saving = _called((node for node in nodes if node.name in saver), functions) - reached
    defined = {name for name in functions if op_def_registry.get(name) is None}  # an operator's name would hide it
    for name in (called | functions.keys()) - defined - HARMLESS:
        yield name, "its list of functions"
    for where, inside in (("its graph", nodes), *functions.items()):
        allowed = HARMLESS | SAVING if where in saving else HARMLESS
        for node in inside:
            names = {node.op} | set(_function_names(node))
            yield from ((operator, where) for operator in names - defined - allowed)


def _leading_to(nodes: Iterable[Any], wanted: Iterable[str]) -> set[str]:
    """Return the names of these nodes and of all that they read."""
    by_name = {node.name: node for node in nodes}
    found: set[str] = set()
    left = [_node_name(name) for name in wanted]
    while left:
        name = left.pop()
        if name in by_name and name not in found:
            found.add(name)
            left += [_node_name(source) for source in by_name[name].input]
    return found


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _called(nodes: Iterable[Any], functions: dict[str, Any]) -> set[str]:
    """Return the names of the functions that these nodes call, and that those call."""
    found: set[str] = set()
    left = list(nodes)
    while left:
        node = left.pop()
        for name in (node.op, *_function_names(node)):
            if name in functions and name not in found:
                found.add(name)
                left += functions[name]
    return found


def _function_names(node: Any) -> Iterator[str]:
    """Yield the functions that a node is given; TensorFlow takes the name of an operator for one as well."""
    for value in node.attr.values():
        for function in (*([value.func] if value.HasField("func") else []), *value.list.func):
            yield function.name
            yield from _function_names(function)
