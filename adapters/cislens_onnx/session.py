"""A model run by onnxruntime."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from cislens.errors import OracleError

Array = npt.NDArray[Any]
GPU = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"


class Session:
    """Answer to one batch.

    Parameters
    ----------
    model
        The model, its weights inside.
    device
        "auto", "cpu" or "cuda", with a number or not.
    name
        The model's, for errors.

    Raises
    ------
    OracleError
        If onnxruntime refuses the model, or the device is not there.
    """

    def __init__(self, model: onnx.ModelProto, device: str, name: str) -> None:
        self.model, self.name = model, name
        self.device, self._providers = _placed(device)
        self._session = self._started(model)
        self._exposing: dict[str, Any] = {}

    def _started(self, model: onnx.ModelProto) -> Any:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # of warnings, which speak to whoever made the file, none are shown
        threads = os.environ.get("OMP_NUM_THREADS", "")
        if threads.isdigit():
            options.intra_op_num_threads = int(threads)
        try:
            return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=self._providers)
        except Exception as error:  # onnxruntime has an error of its own for each of a model's faults
            reason = str(error).strip().partition("\n")[0][:200]
            raise OracleError(f"{self.name} must be a model that onnxruntime runs, but {reason}") from error

    def run(self, feeds: dict[str, Array]) -> dict[str, Array]:
        """Return the outputs by name."""
        names = [output.name for output in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, feeds), strict=True))

    def value(self, name: str, feeds: dict[str, Array]) -> Array:
        """Return a value inside the model, by exposing it as an output."""
        if name not in self._exposing:
            exposed = onnx.ModelProto()
            exposed.CopyFrom(self.model)
            if name not in {output.name for output in exposed.graph.output}:
                exposed.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
            self._exposing[name] = self._started(exposed)
        return np.asarray(self._exposing[name].run([name], feeds)[0])


def _placed(device: str) -> tuple[str, list[Any]]:
    available = onnxruntime.get_available_providers()
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda"):
        raise OracleError(f"onnxruntime runs on auto, cpu, cuda or cuda:N, got the device {device!r}")
    if kind == "cuda" and GPU not in available:
        raise OracleError(
            "onnxruntime must see a GPU for --device cuda, but does not: pip install onnxruntime-gpu, or choose cpu"
        )
    if kind == "cpu" or GPU not in available:
        return "cpu", [CPU]
    return f"cuda:{number or 0}", [(GPU, {"device_id": int(number or 0)}), CPU]
