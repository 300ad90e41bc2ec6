"""Recognise Keras models and open them as oracles, without importing Keras before one is opened."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from cislens.errors import OracleError
from cislens.oracle.adapter import Adapter, ModelSource, comes_from
from cislens.oracle.base import Oracle
from cislens.oracle.options import OracleOptions

SUFFIXES = (".keras", ".h5", ".hdf5", ".json")


class KerasAdapter(Adapter):
    """Open Keras models, from files of every version of Keras or in hand."""

    name = "keras"
    install = "pip install 'cislens[keras]'"
    formats = (
        "Keras: .keras",
        ".h5/.hdf5 (whole model)",
        ".json architecture with its weights beside it",
        "a factory or model in hand with weights (.weights.h5, .h5, .hdf5, .keras)",
    )

    def recognises(self, source: ModelSource) -> bool:
        """Tell a Keras file by its suffix, and a model in hand by the modules of its classes."""
        if source.model is not None:
            return comes_from(source.model, "keras") or comes_from(source.model, "tf_keras")
        return source.path is not None and source.path.suffix.lower() in SUFFIXES

    def prepare(self, code: str) -> None:
        """Import Keras before a file that uses it does, without TensorFlow's greetings on the standard error stream."""
        used = "keras" in code or "tensorflow" in code
        chosen = "KERAS_BACKEND" in code  # by the file itself, which must then come first
        if used and not chosen and find_spec("keras") is not None and find_spec("tensorflow") is not None:
            importlib.import_module("cislens_keras.runtime")

    def open(self, source: ModelSource, options: OracleOptions) -> Oracle:
        """Open the source; see `cislens_keras.files` for what is read and how."""
        if comes_from(source.model, "tf_keras"):
            raise OracleError(
                f"{source.name} must be a model of Keras 3, but tf_keras (Keras 2) built it: "
                "save it with model.save('model.h5') and open that file"
            )
        from cislens_keras.files import open_model
        from cislens_keras.oracle import KerasOracle

        return KerasOracle(open_model(source, options.trust), options, source.name)
