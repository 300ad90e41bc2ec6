"""The adapter for ONNX: it tells what it can open without importing onnxruntime."""

from __future__ import annotations

from cislens.errors import OracleError
from cislens.oracle.adapter import Adapter, ModelSource, comes_from
from cislens.oracle.base import Oracle
from cislens.oracle.options import OracleOptions


class OnnxAdapter(Adapter):
    """Open ONNX models, from a file or in hand."""

    name = "onnx"
    install = "pip install 'cislens[onnx]'"
    formats = ("ONNX: .onnx",)

    def recognises(self, source: ModelSource) -> bool:
        """Tell an ONNX file by its suffix, and a model in hand by its class."""
        if source.model is not None:
            return comes_from(source.model, "onnx")
        return source.path is not None and source.path.is_file() and source.path.suffix.lower() == ".onnx"

    def open(self, source: ModelSource, options: OracleOptions) -> Oracle:
        """Open the model.

        Raises
        ------
        OracleError
            If it is damaged, or takes no DNA.
        UntrustedError
            If it would read files outside its folder.
        """
        from cislens_onnx.oracle import OnnxOracle
        from cislens_onnx.reading import checked_model, read_model

        if source.weights is not None:
            raise OracleError(f"{source.name} holds its weights itself: leave out --weights {source.weights}")
        model = checked_model(source.model, source.name) if source.path is None else read_model(source.path)
        return OnnxOracle(model, options, source.name)
