"""Open a SavedModel folder through its serving signature."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cislens.errors import OracleError
from cislens_keras.graph_safety import GRAPH, SAVE_AGAIN, read_graph, refuse_operators
from cislens_keras.outside import OutsideModel, Taken
from cislens_keras.runtime import tf

SERVING = "serving_default"


def open_saved_model(folder: Path, trust: bool = False) -> OutsideModel:
    """Return the serving signature of a SavedModel as a model that an oracle can ask.

    Nothing is loaded before every operator of the file is known to compute and do nothing else.

    Parameters
    ----------
    folder
        Holds `saved_model.pb`, as `tf.saved_model.save`, Keras's `model.export` and Keras 2's `model.save` write it.
    trust
        Let operators run that read or write files, or call Python.

    Raises
    ------
    OracleError
        If the folder is cut short, or has no signature to choose.
    UntrustedError
        If it would do more than compute, or reads files elsewhere, and is not trusted.
    """
    graph = read_graph(folder)
    if not trust:
        refuse_operators(graph, folder.name)
    try:
        loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # TensorFlow raises whatever its file system and its functions raise
        said = (str(error).strip().splitlines() or [repr(error)])[0][:300]
        raise OracleError(f"{folder} must be a whole SavedModel, but {type(error).__name__}: {said}") from error
    return _asked(loaded, folder)


def _asked(loaded: Any, folder: Path) -> OutsideModel:
    signature = _serving(loaded.signatures, folder)
    takes = signature.structured_input_signature[1]
    names = sorted(takes)

    def answer(tensors: Sequence[Any]) -> Any:
        return signature(**dict(zip(names, tensors, strict=True)))

    return OutsideModel(
        folder.name,
        tuple(Taken(name, _shape(takes[name], name, folder), takes[name].dtype.name) for name in names),
        answer,
        {f"{variable.name} ({i})": np.asarray(variable) for i, variable in enumerate(signature.variables)},
        hashlib.sha256((folder / GRAPH).read_bytes()).hexdigest(),
        "the signature of a SavedModel shows no layers: save the model as .keras or .h5, or give its weights to a "
        "factory or a named architecture",
        loaded,
    )


def _serving(signatures: Mapping[str, Any], folder: Path) -> Any:
    if SERVING in signatures:
        return signatures[SERVING]
    if len(signatures) == 1:
        return next(iter(signatures.values()))
    found = ", ".join(sorted(signatures)) or "none"
    raise OracleError(f"{folder} must have the signature {SERVING!r}, or only one, got {found}: {SAVE_AGAIN}")


def _shape(spec: Any, name: str, folder: Path) -> tuple[int | None, ...]:
    if spec.shape.rank is None:
        raise OracleError(
            f"{folder} must say how many axes its input {name!r} has, but leaves it open: save it again with an "
            "input_signature"
        )
    return tuple(spec.shape)
