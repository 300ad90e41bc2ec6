"""Hostile and broken SavedModel folders, which are TensorFlow's own kind of file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.hostile import Attempt, Hostile

NEEDS = ("keras", "tensorflow")


def saved_model(folder: Path, answer: Callable[[Any, Any], Any] = lambda tf, x: x) -> Path:
    """Write a SavedModel whose signature gives a sum over what `answer` makes of the sequence, times a weight."""
    from cislens_keras.runtime import tf

    module = tf.Module()
    module.weight = tf.Variable(2.0)

    def serve(dna: Any) -> dict[str, Any]:
        return {"score": module.weight * tf.reduce_sum(answer(tf, dna), [1, 2])}

    function = tf.function(serve, input_signature=[tf.TensorSpec((None, 40, 4), tf.float32, name="dna")])
    tf.saved_model.save(module, str(folder / "model"), signatures=function)
    return folder / "model"


def edited(path: Path, edit: Callable[[Any], Any]) -> Attempt:
    """Change the graph of a SavedModel behind TensorFlow's back."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    edit(saved.meta_graphs[0])
    (path / "saved_model.pb").write_bytes(saved.SerializeToString())
    return Attempt(path)


def that_writes(folder: Path, canary: Path) -> Attempt:
    def answer(tf: Any, x: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file(str(canary), "ran")]):
            return tf.identity(x)

    return Attempt(saved_model(folder, answer))


def that_reads(folder: Path, canary: Path) -> Attempt:
    def answer(tf: Any, x: Any) -> Any:
        return x + tf.cast(tf.strings.length(tf.io.read_file(str(canary.with_name("secret")))), tf.float32)

    return Attempt(saved_model(folder, answer))


def that_calls_python(folder: Path, canary: Path) -> Attempt:
    def answer(tf: Any, x: Any) -> Any:
        return tf.ensure_shape(tf.numpy_function(lambda y: y, [x], tf.float32), (None, 40, 4))

    return Attempt(saved_model(folder, answer))


def that_prints_into_a_file(folder: Path, canary: Path) -> Attempt:
    def answer(tf: Any, x: Any) -> Any:
        with tf.control_dependencies([tf.print("ran", output_stream=f"file://{canary}")]):
            return tf.identity(x)

    return Attempt(saved_model(folder, answer))


def that_saves(folder: Path, canary: Path) -> Attempt:
    """The saver's own operator, but in the signature."""

    def answer(tf: Any, x: Any) -> Any:
        write = tf.raw_ops.SaveV2(prefix=str(canary), tensor_names=["w"], shape_and_slices=[""], tensors=[x])
        with tf.control_dependencies([write]):
            return tf.identity(x)

    return Attempt(saved_model(folder, answer))


def that_writes_when_it_is_loaded(folder: Path, canary: Path) -> Attempt:
    """TensorFlow runs the functions that restore an object while it loads a file; a signature need not call them."""

    def hide(graph: Any) -> None:
        function = graph.graph_def.library.function.add()
        function.signature.name = "restore_me"
        write = function.node_def.add()
        write.name, write.op = "write", "WriteFile"

    return edited(saved_model(folder), hide)


def that_hides_behind_a_name(folder: Path, canary: Path) -> Attempt:
    """A call may name an operator where it should name a function of the file."""

    def call(graph: Any) -> None:
        node = graph.graph_def.library.function[0].node_def.add()
        node.name, node.op = "call", "PartitionedCall"
        node.attr["f"].func.name = "WriteFile"

    return edited(saved_model(folder), call)


def with_an_asset_elsewhere(folder: Path, canary: Path) -> Attempt:
    def point(graph: Any) -> None:
        graph.asset_file_def.add().filename = f"../../{canary.name}"

    return edited(saved_model(folder), point)


def with_a_second_graph(folder: Path, canary: Path) -> Attempt:
    path = saved_model(folder)
    (path / "saved_model.cpb").write_bytes(b"another graph")
    return Attempt(path)


def with_linked_variables(folder: Path, canary: Path) -> Attempt:
    path = saved_model(folder)
    data = path / "variables" / "variables.data-00000-of-00001"
    data.unlink()
    secret = canary.with_name("secret")
    secret.touch()
    data.symlink_to(secret)
    return Attempt(path)


def with_its_graph_cut_short(folder: Path, canary: Path) -> Attempt:
    path = saved_model(folder)
    graph = path / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-100])
    return Attempt(path)


def with_its_variables_cut_short(folder: Path, canary: Path) -> Attempt:
    path = saved_model(folder)
    (path / "variables" / "variables.data-00000-of-00001").write_bytes(b"")
    return Attempt(path)


def without_variables(folder: Path, canary: Path) -> Attempt:
    path = saved_model(folder)
    shutil.rmtree(path / "variables")
    return Attempt(path)


SAVED_MODELS = [
    Hostile(name, write, says, NEEDS)
    for name, write, says in (
        ("SavedModel that writes a file", that_writes, "it holds WriteFile in __inference"),
        ("SavedModel that reads a file", that_reads, "it holds ReadFile in __inference"),
        ("SavedModel that calls Python", that_calls_python, "it holds PyFunc in __inference"),
        ("SavedModel that prints into a file", that_prints_into_a_file, "PrintV2 in __inference"),
        ("SavedModel that saves in its signature", that_saves, "it holds SaveV2 in __inference"),
        ("SavedModel that writes while it loads", that_writes_when_it_is_loaded, "it holds WriteFile in restore_me"),
        ("SavedModel that calls an operator by name", that_hides_behind_a_name, "it holds WriteFile in __inference"),
        ("SavedModel with an asset elsewhere", with_an_asset_elsewhere, "must read no file outside of itself"),
        ("SavedModel with two graphs", with_a_second_graph, r"it holds saved_model\.cpb too"),
        ("SavedModel with linked variables", with_linked_variables, "is a link to .*secret"),
        ("SavedModel with its graph cut short", with_its_graph_cut_short, "is damaged or cut short"),
        ("SavedModel with its variables cut short", with_its_variables_cut_short, "must be a whole SavedModel, but"),
        ("SavedModel without variables", without_variables, r"variables/variables\.index, but they are missing"),
    )
]
