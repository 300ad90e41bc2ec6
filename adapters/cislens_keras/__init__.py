"""Keras and TensorFlow models as oracles."""

from __future__ import annotations

from cislens import hookimpl
from cislens.oracle.adapter import Adapter
from cislens_keras.adapter import KerasAdapter


@hookimpl
def register_adapters() -> list[Adapter]:
    """Add the adapter for Keras."""
    return [KerasAdapter()]
