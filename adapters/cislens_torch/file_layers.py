"""The layers of a file of torch weights, in the form that every framework's builder understands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from cislens.architecture.file_layer import Array, FileLayer, WeightsFile, contiguous, natural
from cislens_torch.checkpoint import read_tensors

UNUSED = "num_batches_tracked"
EPSILON = 1e-5  # torch's default of a batch normalisation
NORMALISATION = {"weight": "scale", "bias": "offset", "running_mean": "mean", "running_var": "variance"}


def read_layers(path: Path) -> WeightsFile:
    """Return what a file of weights holds; code that it brings along is not run."""
    tensors = read_tensors(path)
    ordered = path.suffix.lower() != ".safetensors"  # which sorts its names
    names = list(tensors) if ordered else sorted(tensors, key=natural)
    grouped: dict[str, dict[str, torch.Tensor]] = {}
    for name in names:
        layer, _, role = name.rpartition(".")
        if role != UNUSED:
            grouped.setdefault(layer, {})[role] = tensors[name].detach().float()
    layers = tuple(FileLayer(name, _canonical(roles)) for name, roles in grouped.items())
    return WeightsFile(path, "torch", layers, "channels", EPSILON, ordered)


def _canonical(tensors: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    arrays = {role: contiguous(tensor.numpy()) for role, tensor in tensors.items()}
    if set(arrays) == set(NORMALISATION):
        return {NORMALISATION[role]: array for role, array in arrays.items()}
    if "weight" not in arrays or set(arrays) - {"weight", "bias"} or not 2 <= arrays["weight"].ndim <= 4:
        return arrays
    kernel = arrays["weight"]
    if kernel.ndim == 4:
        # Converted from torch7, where a sequence is an image of height 1 or width 1.
        if 1 not in kernel.shape[2:]:
            return arrays
        kernel = kernel.reshape(*kernel.shape[:2], -1)
    if kernel.ndim == 3:
        kernel = contiguous(kernel.transpose(0, 2, 1))
    return {"kernel": kernel, "bias": arrays.get("bias", np.zeros(len(kernel), np.float32))}
