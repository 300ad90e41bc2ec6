"""ONNX graphs as oracles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cislens.plugins import hookimpl

if TYPE_CHECKING:
    from cislens.oracle.adapter import Adapter


@hookimpl
def register_adapters() -> list[Adapter]:
    """Add the adapter for ONNX."""
    from cislens_onnx.adapter import OnnxAdapter

    return [OnnxAdapter()]
