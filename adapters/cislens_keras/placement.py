"""Where a Keras model runs, and in which number type."""

from __future__ import annotations

from typing import Any

from cislens.errors import OracleError
from cislens.oracle.options import OracleOptions
from cislens_keras.graph import flatten, is_graph
from cislens_keras.rebuild import Changes, rebuilt
from cislens_keras.runtime import tf


def find_device(wanted: str) -> tuple[str, str]:
    """Return the device as cislens names it, and as TensorFlow does.

    Raises
    ------
    OracleError
        If it is not there.
    """
    kind, _, index = wanted.partition(":")
    if kind == "cpu":
        return "cpu", "/CPU:0"
    count = len(tf.config.list_physical_devices("GPU"))
    if kind == "auto":
        return ("cuda", "/GPU:0") if count else ("cpu", "/CPU:0")
    if kind != "cuda":
        raise OracleError(f"Keras models run on auto, cpu or cuda, got the device {wanted!r}")
    if int(index or 0) >= count:
        raise OracleError(f"TensorFlow must see the device {wanted!r}, but it sees {count} GPUs: choose --device cpu")
    return wanted, f"/GPU:{index or 0}"


def in_precision(model: Any, options: OracleOptions) -> Any:
    """Return the model, or a copy of it in the number type that the options ask for.

    Raises
    ------
    OracleError
        If the model does not show its layers, so that no copy can be made.
    """
    wanted = options.precision
    kinds = {str(part.dtype) for part in (*model.weights, *(getattr(model, "inputs", None) or ()))}
    if wanted == "float32" or kinds == {wanted}:
        return model
    if not is_graph(model):
        raise OracleError(f"a subclassed Keras model runs in its own number type: leave out --precision {wanted}")
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    return rebuilt(flatten(model), shapes, Changes(dtype=wanted), f"{model.name}_{wanted}")
