"""What a Keras configuration would run when a model is built from it, found without building anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cislens.errors import UntrustedError
from cislens_keras.runtime import keras

# Layers that execute what a file brings along although they are Keras's own.
LOADERS = {
    "TFSMLayer": "executes a TensorFlow graph from another file",
    "TorchModuleWrapper": "unpickles a PyTorch module",
}
# Parts of a configuration that are not used to build a model that is not compiled.
UNUSED = ("compile_config", "build_config")


def refuse_code(config: Any, name: str) -> None:
    """Raise if a configuration, as Keras 3 writes it, would run anything but Keras's own code.

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
    for key, part in config.items():
        if key not in UNUSED:
            yield from _code(part, owner)


def _what_runs(kind: str, config: Mapping[str, Any], inner: Any) -> str | None:
    if kind == "Lambda":
        return f"is a Lambda, which runs {_function_of(inner)}"
    if kind == "__lambda__":
        return "runs a Python function stored in the file as bytecode"
    if kind in LOADERS:
        return f"is a {kind}, which {LOADERS[kind]}"
    registered, module = config.get("registered_name"), config.get("module")
    names = (kind, registered, inner if kind == "function" else None)
    if any(isinstance(name, str) and keras.saving.get_registered_object(name) is not None for name in names):
        return None
    if kind == "function" and not _is_of_keras(module):
        return f"runs the Python function {inner!r} of {module or 'an unnamed module'}"
    if isinstance(module, str) and not _is_of_keras(module):
        return f"is a custom object, which imports and runs {module}.{kind}"
    if module is None and "registered_name" in config and registered:
        return f"is a custom object, which runs {registered}"
    return None


def _is_of_keras(module: Any) -> bool:
    return isinstance(module, str) and module.split(".")[0] == "keras"


def _function_of(inner: Any) -> str:
    function = inner.get("function") if isinstance(inner, Mapping) else None
    if isinstance(function, str):
        return f"the Python function {function!r}"
    if isinstance(function, Mapping) and isinstance(function.get("config"), str):
        return f"the Python function {function['config']!r}"
    return "a Python function stored in the file as bytecode"
