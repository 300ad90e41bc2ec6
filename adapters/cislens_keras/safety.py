"""What a Keras configuration would run when a model is built from it, found without building anything."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from cislens.errors import UntrustedError
from cislens_keras.runtime import keras

# Layers that do more than compute although they are Keras's own.
ACTING = {
    "Lambda": "runs a Python function",
    "TFSMLayer": "executes a TensorFlow graph from another file",
    "TorchModuleWrapper": "unpickles a PyTorch module",
    "FlaxLayer": "runs a Python function",
    "JaxLayer": "runs a Python function",
    "StringLookup": "reads a vocabulary from a file",
    "IntegerLookup": "reads a vocabulary from a file",
    "TextVectorization": "reads a vocabulary from a file",
    "FeatureSpace": "reads vocabularies from files",
}
# Kinds of a value, not of an object, in a configuration.
VALUES = ("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__tuple__")
# What the layers of a model may be made of.
PARTS = (
    keras.Layer,
    keras.Operation,
    keras.Initializer,
    keras.Regularizer,
    keras.constraints.Constraint,
    keras.DTypePolicy,
    keras.dtype_policies.DTypePolicyMap,
    keras.random.SeedGenerator,
)

# Where Keras looks for a class whose module is not named.
GROUPS = ("keras", "keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints")


def refuse_code(config: Any, name: str) -> None:
    """Raise if a configuration, as Keras 3 writes it, would run anything but Keras's own layers.

    Keras builds any of its classes from a file, and looks up functions by name. Here only what a layer is made of is
    let through: layers, operations, initialisers, regularisers, constraints, activations.

    Raises
    ------
    UntrustedError
        The sentence names each such layer and what it would run.
    """
    found = list(dict.fromkeys(_code(config, "the model")))
    if found:
        raise UntrustedError(
            f"{name} must hold nothing but layers of Keras to be opened unasked, but {'; '.join(found)}: "
            "add --trust (trust=True) if you trust whoever made the file"
        )


def _code(config: Any, owner: str) -> Iterator[str]:
    if isinstance(config, list | tuple):
        for part in config:
            yield from _code(part, owner)
        return
    if not isinstance(config, Mapping):
        return
    kind = config.get("class_name")
    inner = config.get("config")
    if isinstance(kind, str) and isinstance(inner, Mapping) and isinstance(inner.get("name"), str):
        owner = f"layer {inner['name']!r}"
    if isinstance(kind, str) and (said := _what_runs(kind, config, inner)):
        yield f"{owner} {said}"
        return
    for part in config.values():
        yield from _code(part, owner)


def _what_runs(kind: str, config: Mapping[str, Any], inner: Any) -> str | None:
    if kind == "Lambda":
        return f"is a Lambda, which runs {_function_of(inner)}"
    if kind == "__lambda__":
        return "runs a Python function stored in the file as bytecode"
    if kind in ACTING:
        return f"is a {kind}, which {ACTING[kind]}"
    if kind in VALUES:
        return None
    module, registered = config.get("module"), config.get("registered_name")
    if kind == "function":
        return None if _is_function(module, inner) else f"runs the Python function {inner!r} of {module or 'no module'}"
    if isinstance(registered, str) and keras.saving.get_registered_object(registered) is not None:
        return None
    if module is None:
        if "registered_name" in config and registered:
            return f"is a custom object, which runs {registered}"
        known = any(_is_part(group, kind) for group in GROUPS)
        return None if known else f"names {kind}, which is no part of a layer"
    if _is_part(module, kind):
        return None
    if str(module).split(".")[0] == "keras":
        return f"names {module}.{kind}, which is no part of a layer"
    return f"is a custom object, which imports and runs {module}.{kind}"


def _is_function(module: Any, name: Any) -> bool:
    """Tell whether a name is that of an activation or operation of Keras, or registered by who runs this."""
    if not isinstance(name, str):
        return False
    if keras.saving.get_registered_object(name) is not None:
        return True
    if module in ("builtins", None):
        return inspect.isfunction(getattr(keras.activations, name, None)) and name not in (
            "get",
            "serialize",
            "deserialize",
        )
    public = ("keras.activations", "keras.ops", "keras.src.activations", "keras.src.ops")
    known = str(module).startswith(public) and not name.startswith("_")
    return known and inspect.isfunction(getattr(keras.ops, name, None) or getattr(keras.activations, name, None))


def _is_part(module: Any, kind: str) -> bool:
    """Tell whether a name is that of a class of Keras that a layer may be made of, as Keras would look it up."""
    if not isinstance(module, str) or module.split(".")[0] != "keras":
        return False
    try:
        found = getattr(importlib.import_module(module), kind, None)
    except ImportError:
        return False
    return inspect.isclass(found) and issubclass(found, PARTS) and found.__name__ not in ACTING


def _function_of(inner: Any) -> str:
    function = inner.get("function") if isinstance(inner, Mapping) else None
    if isinstance(function, str):
        return f"the Python function {function!r}"
    if isinstance(function, Mapping) and isinstance(function.get("config"), str):
        return f"the Python function {function['config']!r}"
    return "a Python function stored in the file as bytecode"
