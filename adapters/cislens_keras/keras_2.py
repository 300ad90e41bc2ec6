"""Build with tf_keras, which is Keras 2, what Keras 3 has no layers for."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from cislens.errors import OracleError, UntrustedError
from cislens_keras.runtime import quiet
from cislens_keras.safety import ACTING

# TensorFlow's functions that a layer of an expression may call, by what their names start with or are.
FUNCTION_GROUPS = ("__operators__.", "math.", "nn.", "linalg.", "signal.", "fft.")
FUNCTIONS = frozenset(
    """
    abs add broadcast_to cast clip_by_value concat cumsum divide einsum exp expand_dims fill gather gather_nd identity
    matmul maximum minimum multiply negative one_hot ones_like pad pow range rank reduce_max reduce_mean reduce_min
    reduce_prod reduce_sum repeat reshape reverse roll shape slice split sqrt square squeeze stack strided_slice
    subtract tanh tensordot tile transpose unstack where zeros_like
    """.split()
)
EXPRESSIONS = ("TFOpLambda", "SlicingOpLambda", "InstanceProperty", "Functional")  # not among the public layers


def built_by_keras_2(config: Mapping[str, Any], name: str, lacking: OracleError, trust: bool) -> Any:
    """Return the model of tf_keras that a configuration describes.

    Parameters
    ----------
    config
        As Keras 2 wrote it, without the modules of its own classes.
    name
        What errors call the file.
    lacking
        Why Keras 3 cannot build it.
    trust
        Let Lambda layers run, and functions of TensorFlow whatever they do.

    Raises
    ------
    OracleError
        If tf_keras is not installed, or cannot build it either.
    UntrustedError
        If it would run anything but the layers of tf_keras and is not trusted.
    """
    if find_spec("tf_keras") is None:
        raise OracleError(f"{lacking}, or install Keras 2 beside it: pip install tf-keras") from lacking
    with quiet():
        import tf_keras
    objects = [] if trust else list(_objects(config, "the model"))
    for owner, kind, part in objects:
        if "module" not in part and not _is_known(kind, tf_keras):
            raise OracleError(
                f"{owner} is a {kind}, which Keras 3 does not have, nor is it a layer of Keras 2: build the model in a "
                "Python file and open it as file.py:factory with --weights"
            )
    found = dict.fromkeys(f"{owner} {said}" for owner, kind, part in objects if (said := _what_runs(kind, part)))
    if found:
        raise UntrustedError(
            f"{name} must hold nothing but layers of Keras to be opened unasked, but {'; '.join(found)}: "
            "add --trust (trust=True) if you trust whoever made the file"
        )
    try:
        return tf_keras.models.model_from_config(config)
    except Exception as error:  # tf_keras raises whatever its layers raise
        said = (str(error).strip().splitlines() or [repr(error)])[0][:300]
        raise OracleError(f"{lacking}; nor can tf_keras build it: {type(error).__name__}: {said}") from error


def _objects(config: Any, owner: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield each object that a configuration holds: the layer it belongs to, its class and its own configuration."""
    if isinstance(config, list):
        for part in config:
            yield from _objects(part, owner)
    elif isinstance(config, Mapping):
        kind, inner = config.get("class_name"), config.get("config")
        if isinstance(inner, Mapping) and isinstance(inner.get("name"), str):
            owner = f"layer {inner['name']!r}"
        if isinstance(kind, str):
            yield owner, kind, config
        for part in config.values():
            yield from _objects(part, owner)


def _is_known(kind: str, tf_keras: Any) -> bool:
    names = ("layers", "models", "initializers", "regularizers", "constraints", "mixed_precision")
    groups = [getattr(tf_keras, name) for name in names]
    return kind in EXPRESSIONS or any(inspect.isclass(getattr(group, kind, None)) for group in groups)


def _what_runs(kind: str, config: Mapping[str, Any]) -> str | None:
    if "module" in config:
        return f"is a custom object, which imports and runs {config['module']}.{kind}"
    if kind in ACTING:
        return f"is a {kind}, which {ACTING[kind]}"
    if kind == "TFOpLambda":
        inner = config.get("config")
        function = str(inner.get("function")) if isinstance(inner, Mapping) else "none"
        known = function in FUNCTIONS or function.startswith(FUNCTION_GROUPS)
        return None if known else f"calls TensorFlow's function {function!r}"
    return None
