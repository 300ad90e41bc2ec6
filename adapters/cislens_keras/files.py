"""Open Keras models from files of every version of Keras, without compiling and without running what a file brings."""

from __future__ import annotations

import importlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import cislens_keras.own_layers  # noqa: F401  registers what translated models use
from cislens.errors import OracleError
from cislens.oracle.adapter import ModelSource, comes_from
from cislens_keras.archive import CONFIG, METADATA, check_archive, check_hdf5, unpacked
from cislens_keras.graph_safety import GRAPH
from cislens_keras.keras_2 import built_by_keras_2
from cislens_keras.legacy import LackingError, is_legacy, plain_models, translated, without_modules
from cislens_keras.outside import OutsideModel, of_keras_2
from cislens_keras.runtime import keras
from cislens_keras.safety import refuse_code
from cislens_keras.saved_model import open_saved_model
from cislens_keras.weights import load_weights, weights_file

WEIGHTS_BESIDE = (".h5", ".hdf5", ".weights.h5", "_weights.h5", ".weights.hdf5", ".keras")
FACTORY = "open the model as file.py:factory with --weights"


def open_model(source: ModelSource, trust: bool = False) -> Any:
    """Return the model that a source names, with its weights.

    Parameters
    ----------
    source
        A model in hand or a file: .keras; .h5 or .hdf5 with a whole model; a .json architecture, whose weights are
        found beside it unless they are named; a SavedModel folder.
    trust
        Let Lambda layers and custom objects of the file run.

    Returns
    -------
    Any
        A Keras model, or an `OutsideModel` of what Keras 3 cannot build.

    Raises
    ------
    OracleError
        If the file is not what it says, or weights and architecture do not fit.
    UntrustedError
        If the file would run code of its own and is not trusted.
    """
    model = source.model if source.model is not None else _from_path(source, trust)
    if source.model is not None:
        _check_built(model, source.name)
        if source.weights is not None:
            load_weights(model, source.weights, source.name)
    outside = of_keras_2(model, source.model is not None) if comes_from(model, "tf_keras") else model
    _check_finite(outside, source.name)
    return outside


def _from_path(source: ModelSource, trust: bool) -> Any:
    path, weights = source.path, source.weights
    assert path is not None
    if path.is_dir() and (path / GRAPH).exists():
        if weights is not None:
            raise OracleError(f"{path} holds its own weights, and takes none: leave out {weights.name}")
        return open_saved_model(path, trust)
    if path.is_dir() or not path.exists():
        raise OracleError(f"{path} must be a file")
    suffix = path.suffix.lower()
    if suffix == ".keras":
        return _from_archive(path, weights, trust)
    if suffix == ".json":
        return _from_json(path, weights, trust)
    return _from_hdf5(path, weights, trust)


def _check_built(model: Any, name: str) -> None:
    if not model.built:
        raise OracleError(
            f"{name} must know the shape of its input before it has weights: start it with keras.Input((length, 4)), "
            "or call it once"
        )


def _check_finite(model: Any, name: str) -> None:
    if isinstance(model, OutsideModel):
        arrays = model.arrays
    else:
        arrays = {variable.path: variable.numpy() for variable in model.weights}
    for label, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            wrong = int((~np.isfinite(array)).sum())
            raise OracleError(
                f"the weights of {name} must be numbers, but {label} holds {wrong} that are NaN or infinite: "
                "take an earlier checkpoint"
            )


def _from_archive(path: Path, weights: Path | None, trust: bool) -> Any:
    check_archive(path)
    with tempfile.TemporaryDirectory() as folder:
        config = _decoded(unpacked(path, CONFIG, Path(folder) / CONFIG).read_bytes(), path)
        metadata = _parsed(unpacked(path, METADATA, Path(folder) / METADATA).read_bytes(), path)
    version = metadata.get("keras_version") if isinstance(metadata, Mapping) else None
    model = _built(config, path, trust, version)
    load_weights(model, weights or path, path.name)
    return model


def _from_json(path: Path, weights: Path | None, trust: bool) -> Any:
    config = _decoded(path.read_bytes(), path)
    beside = weights or _weights_beside(path)
    model = _built(config, path, trust)
    load_weights(model, beside, path.name)
    return model


def _from_hdf5(path: Path, weights: Path | None, trust: bool) -> Any:
    check_hdf5(path, path)
    with weights_file(path) as (_, opened):
        config, version = opened.attrs.get("model_config"), opened.attrs.get("keras_version")
    if config is not None:
        model = _built(_decoded(config, path), path, trust, version)
        load_weights(model, weights or path, path.name)
        return model
    stem = path.name.removesuffix(path.suffix).removesuffix(".weights").removesuffix("_weights")
    architecture = path.with_name(f"{stem}.json")
    if not architecture.exists():
        raise OracleError(
            f"{path} must hold a model, but it holds weights alone, and there is no {architecture.name} beside it: "
            f"{FACTORY} {path.name}"
        )
    return _from_json(architecture, weights or path, trust)


def _weights_beside(path: Path) -> Path:
    found = [path.with_name(path.stem + suffix) for suffix in WEIGHTS_BESIDE]
    existing = [file for file in found if file.exists()]
    if len(existing) == 1:
        return existing[0]
    names = ", ".join(file.name for file in existing or found)
    said = "there are several" if existing else "there are none"
    raise OracleError(
        f"the weights of {path} must lie beside it as one of {names}, but {said}: name one with --weights"
    )


def _decoded(text: Any, path: Path) -> Mapping[str, Any]:
    """Return an architecture, written as JSON."""
    if not isinstance(text, str | bytes) or not text.strip():
        raise OracleError(f"{path} must hold the architecture of a Keras model, but it is empty: copy it again")
    config = _parsed(text, path)
    if isinstance(config, str):  # saved twice over, as in json.dump(model.to_json(), file)
        config = _parsed(config, path)
    if not isinstance(config, Mapping) or "class_name" not in config:
        raise OracleError(f"{path} must hold the architecture of a Keras model, but it has no class_name")
    return config


def _parsed(text: str | bytes, path: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OracleError(f"{path} must hold the architecture of a Keras model as JSON, but {error}") from error


def _built(config: Mapping[str, Any], path: Path, trust: bool, version: Any = None) -> Any:
    """Build a model from its configuration, in the form of any version."""
    version = config.get("keras_version") if version is None else version
    text = version.decode() if isinstance(version, bytes) else str(version)
    written = plain_models(config)
    if text.partition(".")[0] in ("1", "2"):
        written = without_modules(written)
    try:
        current = translated(written) if is_legacy(written) else dict(written)
    except LackingError as lacking:
        return built_by_keras_2(written, path.name, lacking, trust)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OracleError(f"{path} must hold the architecture of a Keras model, but {_reason(error)}") from error
    custom = _custom_objects(current, path.name, trust)
    try:
        model = keras.saving.deserialize_keras_object(
            json.loads(json.dumps(current)), custom_objects=custom, safe_mode=not trust
        )
    except Exception as error:  # Keras raises whatever its layers raise
        unread = OracleError(f"{path} must be opened by Keras {keras.__version__}, but {_reason(error)}")
        if is_legacy(written):
            return built_by_keras_2(written, path.name, unread, trust)
        raise unread from error
    if not isinstance(model, keras.Model):
        raise OracleError(
            f"{path} must hold the architecture of a Keras model, but it is one of {config['class_name']}"
        )
    _check_built(model, path.name)
    return model


def _reason(error: Exception) -> str:
    """Return the innermost of the errors that Keras wraps around each other, in one line."""
    lines = str(error).strip().splitlines() or [repr(error)]
    wrapped = [line.partition(":")[2] for line in lines if line.startswith("Exception encountered:")]
    return f"{type(error).__name__}: {(wrapped or lines[:1])[-1].strip()[:300]}"


def _custom_objects(config: Any, name: str, trust: bool) -> dict[str, Any]:
    """Refuse a file that brings code, or, where it is trusted, import the classes that it names."""
    if not trust:
        refuse_code(config, name)
        return {}
    custom: dict[str, Any] = {}
    for module, kind, registered in _foreign(config):
        try:
            found = getattr(importlib.import_module(module), kind)
        except (ImportError, AttributeError) as error:
            raise OracleError(
                f"{name} needs {module}.{kind}, but {error}: run this where it can be imported, or {FACTORY}"
            ) from error
        custom |= {kind: found, registered or kind: found}
    return custom


def _foreign(config: Any) -> Iterator[tuple[str, str, str | None]]:
    if isinstance(config, list):
        for part in config:
            yield from _foreign(part)
    elif isinstance(config, Mapping):
        module, kind = config.get("module"), config.get("class_name")
        if isinstance(module, str) and isinstance(kind, str) and module.split(".")[0] not in ("keras", "builtins"):
            name = config["config"] if kind == "function" else kind
            yield module, str(name), config.get("registered_name")
        for key, part in config.items():
            if key != "build_config":
                yield from _foreign(part)
