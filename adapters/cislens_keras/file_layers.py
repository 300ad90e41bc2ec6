"""The layers of a file of Keras weights, in the form that every framework's builder understands; without Keras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cislens.architecture.file_layer import Array, FileLayer, WeightsFile, contiguous, natural
from cislens.errors import OracleError
from cislens_keras.weights import attribute_names, current_entries, weights_file

EPSILON = 1e-3  # Keras's default of a batch normalisation
ROLES = {"gamma": "scale", "beta": "offset", "moving_mean": "mean", "moving_variance": "variance"}


def read_layers(path: Path) -> WeightsFile:
    """Return what a file of weights holds.

    Raises
    ------
    OracleError
        If it is no whole HDF5 file.
    """
    with weights_file(path) as (_, opened):
        try:
            return _layers(opened, path)
        except (OSError, KeyError, RuntimeError) as error:
            raise OracleError(f"{path} must hold weights in HDF5, but is damaged: {error}") from error


def _layers(opened: Any, path: Path) -> WeightsFile:
    group = opened["model_weights"] if "model_weights" in opened else opened
    names = attribute_names(group, "layer_names")
    if names is not None:
        layers = tuple(layer for name in names for layer in _legacy(group[name], name))
        return WeightsFile(path, "keras", layers, "positions", EPSILON)
    current = (_current(entry.label, entry.arrays) for entry in current_entries(opened))
    ordered = tuple(sorted(current, key=lambda layer: natural(layer.name)))
    return WeightsFile(path, "keras", ordered, "positions", EPSILON, ordered=False)


def _legacy(group: Any, name: str) -> Iterator[FileLayer]:
    """Yield the layers that a group holds: one, or those of a model inside the model."""
    by_layer: dict[str, dict[str, Array]] = {}
    for text in attribute_names(group, "weight_names") or ():
        owner, _, role = text.removesuffix(":0").rpartition("/")
        by_layer.setdefault(owner, {})[role] = np.asarray(group[text])
    for owner, arrays in by_layer.items():
        yield FileLayer(name if len(by_layer) == 1 else f"{name}/{owner}", _canonical(arrays))


def _current(label: str, arrays: Sequence[Array]) -> FileLayer:
    """Return a layer of Keras 3, whose weights are numbered: what each is shows in its shape."""
    dimensions = [array.ndim for array in arrays]
    roles: tuple[str, ...] = tuple(map(str, range(len(arrays))))
    if dimensions == [1, 1, 1, 1]:
        roles = tuple(ROLES)
    elif dimensions[0] > 1 and dimensions[1:] in ([], [1]):
        roles = ("kernel", "bias")[: len(arrays)]
    name = label.removesuffix("/vars").removeprefix("layers/").removeprefix("_layer_checkpoint_dependencies/")
    return FileLayer(name, _canonical(dict(zip(roles, arrays, strict=True))))


def _canonical(arrays: dict[str, Array]) -> dict[str, Array]:
    if set(arrays) == set(ROLES):
        return {ROLES[role]: contiguous(array) for role, array in arrays.items()}
    kernel = arrays.get("kernel")
    if kernel is None or set(arrays) - {"kernel", "bias"} or not 2 <= kernel.ndim <= 4:
        return {role: contiguous(array) for role, array in arrays.items()}
    if kernel.ndim == 4 and 1 in kernel.shape[:2]:  # Keras 1, or a Conv2D over an axis of one
        kernel = kernel.reshape(-1, *kernel.shape[2:])
    turned = kernel.T if kernel.ndim == 2 else np.moveaxis(kernel, -1, 0)
    bias = arrays.get("bias", np.zeros(len(turned)))
    return {"kernel": contiguous(turned), "bias": contiguous(bias)}
