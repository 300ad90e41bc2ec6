"""Read an ONNX file, without following what it names outside its folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
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
    _check_operators(model, path)
    for tensor in _tensors(model.graph):
        _check_external(tensor, path)
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
        inlined: onnx.ModelProto = onnx.inliner.inline_local_functions(model)
    except OracleError:
        raise
    except Exception as error:  # onnx raises whatever its parts raise
        reason = str(error).strip().partition("\n")[0][:200]
        raise OracleError(f"{path} must be a whole and valid ONNX model, but {reason}: export it again") from error
    state_padding(inlined)
    _check_finite(inlined, path)
    return inlined


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


def _check_operators(model: onnx.ModelProto, path: Path) -> None:
    known = {one.domain: one.version for one in model.opset_import}
    version = known.get("", known.get("ai.onnx", 0))
    if version < OLDEST_OPSET:
        raise OracleError(
            f"{path} must be written for ONNX's operator set {OLDEST_OPSET} or later, got {version}: convert it with "
            f"onnx.version_converter.convert_version(model, {OLDEST_OPSET + 6})"
        )
    own = {(function.domain, function.name) for function in model.functions}
    foreign = sorted(
        {
            f"{node.domain}.{node.op_type}"
            for node in _nodes(model.graph)
            if node.domain not in ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
            and (node.domain, node.op_type) not in own
        }
    )
    if foreign:
        raise OracleError(
            f"{path} must hold nothing but operators of ONNX, but it calls {', '.join(foreign[:6])}, which needs a "
            "library of its author: export the model without it"
        )


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


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
    end = int(entries.get("offset", 0)) + int(entries.get("length", 0))
    if end > file.stat().st_size:
        raise OracleError(
            f"{location!r} must hold at least {end} bytes of weights for {path}, got {file.stat().st_size}: copy it "
            "again"
        )


def _check_finite(model: onnx.ModelProto, path: Path) -> None:
    for tensor in model.graph.initializer:
        if tensor.data_type in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16):
            values = numpy_helper.to_array(tensor)
            # Infinity is a mask's; no weight of a trained model is NaN.
            if np.isnan(values).any():
                raise OracleError(
                    f"weights of {path} must be finite, but {tensor.name!r} holds NaN: its training diverged, or the "
                    "file is damaged"
                )
