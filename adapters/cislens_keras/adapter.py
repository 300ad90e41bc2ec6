"""Recognise Keras models and open them as oracles, without importing Keras before one is opened."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cislens.oracle.adapter import Adapter, ModelSource, comes_from
from cislens.oracle.base import Oracle
from cislens.oracle.options import OracleOptions

if TYPE_CHECKING:
    from cislens.architecture import Blueprint, WeightsFile

SUFFIXES = (".keras", ".h5", ".hdf5", ".json")
SAVED_MODEL = "saved_model.pb"
WEIGHTS = (".keras", ".h5", ".hdf5")


class KerasAdapter(Adapter):
    """Open Keras models, from files of every version of Keras or in hand."""

    name = "keras"
    install = "pip install 'cislens[keras]'"
    formats = (
        "Keras: .keras",
        ".h5/.hdf5 (whole model)",
        ".json architecture with its weights beside it",
        "a SavedModel folder",
        "a factory or model in hand with weights (.weights.h5, .h5, .hdf5, .keras)",
    )

    def recognises(self, source: ModelSource) -> bool:
        """Tell a Keras file by its suffix, and a model in hand by the modules of its classes."""
        if source.model is not None:
            return comes_from(source.model, "keras") or comes_from(source.model, "tf_keras")
        if source.path is None:
            return False
        return source.path.suffix.lower() in SUFFIXES or (source.path / SAVED_MODEL).is_file()

    def prepare(self, code: str) -> None:
        """Import Keras before a file that uses it does, without TensorFlow's greetings on the standard error stream."""
        used = "keras" in code or "tensorflow" in code
        chosen = "KERAS_BACKEND" in code  # by the file itself, which must then come first
        if used and not chosen and find_spec("keras") is not None and find_spec("tensorflow") is not None:
            importlib.import_module("cislens_keras.runtime")

    def weights(self, path: Path) -> WeightsFile | None:
        """Return the layers of a file of weights or of a whole model; Keras itself is not needed."""
        if path.suffix.lower() not in WEIGHTS:
            return None
        from cislens_keras.file_layers import read_layers

        return read_layers(path)

    def build(self, blueprint: Blueprint) -> Any:
        """Return a published architecture as a functional model."""
        from cislens_keras.blueprint import build_model

        return build_model(blueprint)

    def open(self, source: ModelSource, options: OracleOptions) -> Oracle:
        """Open the source; see `cislens_keras.files` for what is read and how."""
        from cislens_keras.files import open_model
        from cislens_keras.oracle import KerasOracle

        return KerasOracle(open_model(source, options.trust), options, source.name)
