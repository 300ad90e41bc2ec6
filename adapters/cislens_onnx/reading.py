"""Read an ONNX file, without following what it names outside its folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
from onnx import TensorProto, numpy_helper

from cislens.errors import OracleError, UntrustedError
from cislens_onnx.padding import state_padding

OLDEST_OPSET = 11
MISTAKEN = (
    (b"<", "a web page (the download gave an error page, or needs a login)"),
    (b"version https://git-lfs", "a pointer of Git LFS (fetch the file itself with git lfs pull)"),
    (b"\x89HDF", "an HDF5 file (a Keras checkpoint?)"),
    (b"PK", "a zip archive (a checkpoint of PyTorch or Keras?)"),
    (b"\x80", "a Python pickle (a checkpoint of PyTorch?)"),
)


def read_model(path: Path) -> onnx.ModelProto:
    """Return a model with the weights that lie in further files beside it, its own functions written out.

    Parameters
    ----------
    path
        An ONNX file.

    Raises
    ------
    OracleError
        If it is damaged, no ONNX, of an operator set before 11, or weights are missing or not finite.
    UntrustedError
        If it names weights outside its folder: it would read any file of this machine.
    """
    model = _parsed(path)
    for tensor in _tensors(model):
        _check_external(tensor, path)
    with _told(str(path)):
        onnx.load_external_data_for_model(model, str(path.parent))
    return checked_model(model, str(path))


def checked_model(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Return a copy of a model that holds its weights, its own functions written out.

    Parameters
    ----------
    model
        Read from a file, or made by whoever has it in hand.
    name
        What errors call it.

    Raises
    ------
    OracleError
        If it is no whole and valid model of an operator set from 11 on, or weights lie elsewhere or are not finite.
    """
    _check_operators(model, name)
    for tensor in _tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            raise OracleError(
                f"{name} must hold its weights, but those of {tensor.name!r} lie in another file: give the path of the "
                "model, or load it with onnx.load(path)"
            )
    with _told(name):
        onnx.checker.check_model(model)
        inlined: onnx.ModelProto = onnx.inliner.inline_local_functions(model)
    state_padding(inlined)
    _check_finite(inlined, name)
    return inlined


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Say in a sentence what onnx finds wrong."""
    try:
        yield
    except Exception as error:  # onnx raises whatever its parts raise
        reason = str(error).strip().partition("\n")[0][:200]
        raise OracleError(f"{name} must be a whole and valid ONNX model, but {reason}: export it again") from error


def _parsed(path: Path) -> onnx.ModelProto:
    content = path.read_bytes()
    if not content:
        raise OracleError(f"{path} must hold an ONNX model, but it is empty: download it again")
    for sign, what in MISTAKEN:
        if content.lstrip().startswith(sign):
            raise OracleError(f"{path} must hold an ONNX model, but it is {what}")
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own errors, of which each version raises others
        raise OracleError(f"{path} must hold an ONNX model, but it cannot be read: download it again") from error
    if not model.graph.node:
        raise OracleError(f"{path} must hold an ONNX model, but it holds no graph: download it again")
    return model


def _check_operators(model: onnx.ModelProto, name: str) -> None:
    known = {one.domain: one.version for one in model.opset_import}
    version = known.get("", known.get("ai.onnx", 0))
    if version < OLDEST_OPSET:
        raise OracleError(
            f"{name} must be written for ONNX's operator set {OLDEST_OPSET} or later, got {version}: convert it with "
            f"onnx.version_converter.convert_version(model, {OLDEST_OPSET + 6})"
        )
    own = {(function.domain, function.name) for function in model.functions}
    foreign = sorted(
        {
            f"{node.domain}.{node.op_type}"
            for node in _nodes(model)
            if node.domain not in ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
            and (node.domain, node.op_type) not in own
        }
    )
    if foreign:
        raise OracleError(
            f"{name} must hold nothing but operators of ONNX, but it calls {', '.join(foreign[:6])}, which needs a "
            "library of its author: export the model without it"
        )


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of the graph, of the model's own functions, and of the graphs inside nodes."""
    waiting = [node for part in (model.graph, *model.functions) for node in part.node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(inside for graph in _graphs(node) for inside in graph.node)


def _graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        yield from (attribute.g, *attribute.graphs)


def _tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    nodes = list(_nodes(model))
    sparse: list[onnx.SparseTensorProto] = []
    for graph in (model.graph, *(graph for node in nodes for graph in _graphs(node))):
        yield from graph.initializer
        sparse.extend(graph.sparse_initializer)
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            sparse.extend((attribute.sparse_tensor, *attribute.sparse_tensors))
    for tensor in sparse:
        yield from (tensor.values, tensor.indices)


def _check_external(tensor: TensorProto, path: Path) -> None:
    if tensor.data_location != TensorProto.EXTERNAL:
        return
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    folder = path.parent.resolve()
    file = Path(os.path.realpath(folder / location))
    if not location or Path(location).is_absolute() or ".." in Path(location).parts or folder not in file.parents:
        raise UntrustedError(
            f"{path} must keep its weights in its own folder, but those of {tensor.name!r} are to be read from "
            f"{location!r}: copy the file there that belongs to the model, and export it again"
        )
    if not file.is_file():
        raise OracleError(f"{path} keeps weights in {location!r}, which must lie beside it: copy that file there too")
    places = [entries.get(key, "0") for key in ("offset", "length")]
    if not all(place.isdecimal() for place in places):
        raise OracleError(
            f"{path} must say in whole numbers where the weights of {tensor.name!r} lie in {location!r}, got offset "
            f"{places[0]!r} and length {places[1]!r}: export it again"
        )
    end = sum(int(place) for place in places)
    if end > file.stat().st_size:
        raise OracleError(
            f"{location!r} must hold at least {end} bytes of weights for {path}, got {file.stat().st_size}: copy it "
            "again"
        )


def _check_finite(model: onnx.ModelProto, name: str) -> None:
    for tensor in model.graph.initializer:
        if tensor.data_type in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16):
            values = numpy_helper.to_array(tensor)
            # Infinity is a mask's; no weight of a trained model is NaN.
            if np.isnan(values).any():
                raise OracleError(
                    f"weights of {name} must be finite, but {tensor.name!r} holds NaN: its training diverged, or the "
                    "file is damaged"
                )
