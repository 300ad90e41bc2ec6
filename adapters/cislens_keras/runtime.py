"""Keras and TensorFlow, imported once, quietly, and checked to belong together."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from cislens.errors import OracleError

QUIET = "TF_CPP_MIN_LOG_LEVEL"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what native code writes to the standard error stream, and show it only if the import fails.

    TensorFlow greets before its log level applies, so that a variable cannot silence it.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            kept.seek(0)
            os.write(2, kept.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _import_frameworks() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the frameworks' own, of no use to who opens a model
        import keras  # noqa: F401
        import tensorflow  # noqa: F401


def _check_backend() -> None:
    wanted = os.environ.get("KERAS_BACKEND")
    if "keras" not in sys.modules and wanted is None:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    elif "keras" not in sys.modules and wanted != "tensorflow":
        raise OracleError(f"Keras must run on TensorFlow, got KERAS_BACKEND={wanted}: set KERAS_BACKEND=tensorflow")


def _prepare() -> None:
    _check_backend()
    if QUIET in os.environ or "tensorflow" in sys.modules:
        _import_frameworks()
    else:
        os.environ[QUIET] = "3"
        with quiet():
            _import_frameworks()
    import keras

    if int(keras.__version__.split(".")[0]) < 3:
        raise OracleError(f"Keras must be version 3.6 or later, got {keras.__version__}: pip install 'cislens[keras]'")
    if keras.backend.backend() != "tensorflow":
        raise OracleError(
            f"Keras must run on TensorFlow, but it was imported with the backend {keras.backend.backend()}: "
            "set KERAS_BACKEND=tensorflow before Keras is imported"
        )


_prepare()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

__all__ = ["keras", "quiet", "tf"]
