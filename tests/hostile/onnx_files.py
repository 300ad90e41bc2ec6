"""Hostile ONNX files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.hostile.hostile import Attempt, Hostile

NEEDS = ("onnx", "onnxruntime")
WIDTH = 3


def model(weights: np.ndarray | None = None, shape: tuple[int, ...] = (4, 20), kind: str = "FLOAT") -> Any:
    """Return a convolution and the mean of its positions."""
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.ones((2, 4, WIDTH), np.float32) if weights is None else weights
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["scanned"], name="scan"),
        helper.make_node("ReduceMean", ["scanned"], ["y"], axes=[2], keepdims=0, name="mean"),
    ]
    given = helper.make_tensor_value_info("x", getattr(TensorProto, kind), ("n", *shape))
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 2))
    graph = helper.make_graph(nodes, "model", [given], [answer], [numpy_helper.from_array(kernel, "kernel")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def saved(folder: Path, change: Callable[[Any], None] | None = None, **settings: Any) -> Attempt:
    changed = model(**settings)
    if change is not None:
        change(changed)
    path = folder / "model.onnx"
    path.write_bytes(changed.SerializeToString())
    return Attempt(path)


def with_weights_at(location: str, **numbers: int | str) -> Callable[[Any], None]:
    """Return a change after which the kernel is read from another file."""

    return lambda changed: put_elsewhere(changed.graph.initializer[0], location, **numbers)


def put_elsewhere(kernel: Any, location: str, **numbers: int | str) -> None:
    from onnx import TensorProto

    kernel.ClearField("raw_data")
    kernel.data_location = TensorProto.EXTERNAL
    entries = {"location": location, "offset": 0, "length": 4 * 2 * 4 * WIDTH, **numbers}
    for key, value in entries.items():
        kernel.external_data.add(key=key, value=str(value))


def into_function(changed: Any) -> None:
    """Move the convolution and its kernel into a function of the model's own."""
    from onnx import helper

    kernel = changed.graph.initializer.pop()
    nodes = [
        helper.make_node("Constant", [], ["kernel"], value=kernel),
        helper.make_node("Conv", ["x", "kernel"], ["scanned"], name="inside"),
    ]
    sets = [helper.make_opsetid("", 17)]
    changed.functions.append(helper.make_function("own", "Scan", ["x"], ["scanned"], nodes, sets))
    changed.graph.node[0].CopyFrom(helper.make_node("Scan", ["x"], ["scanned"], domain="own", name="scan"))
    changed.opset_import.append(helper.make_opsetid("own", 1))


def secret_beside(folder: Path) -> Path:
    """Return a file that is none of the model's, one folder up."""
    secret = folder.parent / "secret.bin"
    secret.write_bytes(bytes(200))
    return secret


def absolute(folder: Path, canary: Path) -> Attempt:
    return saved(folder, with_weights_at(str(secret_beside(folder))))


def above(folder: Path, canary: Path) -> Attempt:
    secret_beside(folder)
    return saved(folder, with_weights_at("../secret.bin"))


def linked(folder: Path, canary: Path) -> Attempt:
    (folder / "weights.bin").symlink_to(secret_beside(folder))
    return saved(folder, with_weights_at("weights.bin"))


def short(folder: Path, canary: Path) -> Attempt:
    (folder / "weights.bin").write_bytes(bytes(10))
    return saved(folder, with_weights_at("weights.bin"))


def numberless(folder: Path, canary: Path) -> Attempt:
    (folder / "weights.bin").write_bytes(bytes(200))
    return saved(folder, with_weights_at("weights.bin", offset="0x10"))


def above_in_function(folder: Path, canary: Path) -> Attempt:
    secret_beside(folder)

    def change(changed: Any) -> None:
        into_function(changed)
        put_elsewhere(changed.functions[0].node[0].attribute[0].t, "../secret.bin")

    return saved(folder, change)


def foreign_operator_in_function(folder: Path, canary: Path) -> Attempt:
    def change(changed: Any) -> None:
        into_function(changed)
        changed.functions[0].node[1].domain = "ai.custom"

    return saved(folder, change)


def missing(folder: Path, canary: Path) -> Attempt:
    return saved(folder, with_weights_at("weights.bin"))


def truncated(folder: Path, canary: Path) -> Attempt:
    attempt = saved(folder)
    path = Path(attempt.model)
    path.write_bytes(path.read_bytes()[:-40])
    return attempt


def holding(content: bytes) -> Callable[[Path, Path], Attempt]:
    def write(folder: Path, canary: Path) -> Attempt:
        (folder / "model.onnx").write_bytes(content)
        return Attempt(folder / "model.onnx")

    return write


def foreign_operator(folder: Path, canary: Path) -> Attempt:
    def change(changed: Any) -> None:
        from onnx import helper

        changed.graph.node[0].domain = "ai.custom"
        changed.opset_import.append(helper.make_opsetid("ai.custom", 1))

    return saved(folder, change)


def undefined_value(folder: Path, canary: Path) -> Attempt:
    def change(changed: Any) -> None:
        changed.graph.node[0].input[0] = "nothing"

    return saved(folder, change)


def circle(folder: Path, canary: Path) -> Attempt:
    def change(changed: Any) -> None:
        changed.graph.node[0].input[0] = "y"

    return saved(folder, change)


def lying_shape(folder: Path, canary: Path) -> Attempt:
    def change(changed: Any) -> None:
        changed.graph.initializer[0].dims[0] = 10**9

    return saved(folder, change)


def nan_weights(folder: Path, canary: Path) -> Attempt:
    return saved(folder, weights=np.full((2, 4, WIDTH), np.nan, np.float32))


def of_images(folder: Path, canary: Path) -> Attempt:
    return saved(folder, shape=(3, 224, 224))


def of_texts(folder: Path, canary: Path) -> Attempt:
    from onnx import TensorProto, helper

    node = helper.make_node("Identity", ["x"], ["y"], name="same")
    values = [helper.make_tensor_value_info(name, TensorProto.STRING, ("n", 20, 4)) for name in ("x", "y")]
    graph = helper.make_graph([node], "texts", values[:1], values[1:])
    texts = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    (folder / "model.onnx").write_bytes(texts.SerializeToString())
    return Attempt(folder / "model.onnx")


FILES = [
    Hostile("ONNX with weights at an absolute path", absolute, "in its own folder, but those of 'kernel'", NEEDS),
    Hostile("ONNX with weights above its folder", above, "in its own folder, but those of 'kernel'", NEEDS),
    Hostile("ONNX with weights behind a link that leaves its folder", linked, "in its own folder", NEEDS),
    Hostile("ONNX whose weights file is too short", short, "must hold at least 96 bytes of weights", NEEDS),
    Hostile("ONNX whose function reads weights above its folder", above_in_function, "in its own folder", NEEDS),
    Hostile("ONNX whose weights lie where no number says", numberless, "must say in whole numbers", NEEDS),
    Hostile("ONNX whose weights file is missing", missing, "must lie beside it", NEEDS),
    Hostile("ONNX cut off", truncated, "cannot be read: download it again|must be a whole and valid", NEEDS),
    Hostile("ONNX that is empty", holding(b""), "but it is empty", NEEDS),
    Hostile("a web page named .onnx", holding(b"<!DOCTYPE html><html></html>"), "a web page", NEEDS),
    Hostile("a pickle named .onnx", holding(b"\x80\x04K\x01."), "a Python pickle", NEEDS),
    Hostile("ONNX that calls an operator of an unknown library", foreign_operator, "ai.custom.Conv", NEEDS),
    Hostile("ONNX whose function calls an unknown library", foreign_operator_in_function, "ai.custom.Conv", NEEDS),
    Hostile("ONNX that reads a value nobody gives", undefined_value, "must be a whole and valid ONNX model", NEEDS),
    Hostile("ONNX that runs in a circle", circle, "must be a whole and valid ONNX model", NEEDS),
    Hostile(
        "ONNX whose weights are smaller than they say", lying_shape, "must be a whole and valid|onnxruntime runs", NEEDS
    ),
    Hostile("ONNX with NaN weights", nan_weights, "'kernel' holds NaN", NEEDS),
    Hostile("ONNX of a model of images", of_images, "must have an axis of the four bases", NEEDS),
    Hostile("ONNX of a model of texts", of_texts, "must take floating-point numbers", NEEDS),
]
