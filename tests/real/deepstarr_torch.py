"""DeepSTARR (de Almeida et al. 2022, 10.1038/s41588-022-01048-5) in PyTorch, and the way from its Keras weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

LENGTH = 249
# Filters and widths of the convolutions, units of the dense layers.
CONVOLUTIONS = ((256, 7), (60, 3), (60, 5), (120, 3))
DENSE = (256, 256)
OUTPUTS = ("Dev", "Hk")
EPSILON = 1e-3  # Keras's default of batch normalisation


class DeepStarr(nn.Module):
    """Four convolutions and two dense layers; input (n, 4, 249), output (n, 2): Dev and Hk."""

    def __init__(self) -> None:
        super().__init__()
        channels, blocks = 4, []
        for filters, width in CONVOLUTIONS:
            blocks += [nn.Conv1d(channels, filters, width, padding="same"), nn.BatchNorm1d(filters, eps=EPSILON)]
            blocks += [nn.ReLU(), nn.MaxPool1d(2)]
            channels = filters
        self.trunk = nn.Sequential(*blocks)
        features, layers = channels * (LENGTH // 2 ** len(CONVOLUTIONS)), []
        for units in DENSE:
            layers += [nn.Linear(features, units), nn.BatchNorm1d(units, eps=EPSILON), nn.ReLU(), nn.Dropout(0.4)]
            features = units
        self.dense = nn.Sequential(*layers)
        self.last = nn.Linear(features, len(OUTPUTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Keras flattens with channels last.
        flat = self.trunk(x).transpose(1, 2).flatten(1)
        output: torch.Tensor = self.last(self.dense(flat))
        return output


def deepstarr() -> DeepStarr:
    """Return the network with weights drawn at random."""
    return DeepStarr()


def from_keras_h5(path: str | Path) -> DeepStarr:
    """Return the network with the weights of a Keras .h5 file."""
    import h5py

    model = DeepStarr()
    convolutions = [m for m in model.trunk if isinstance(m, nn.Conv1d)]
    dense = [m for m in model.dense if isinstance(m, nn.Linear)]
    normalisations = [m for m in (*model.trunk, *model.dense) if isinstance(m, nn.BatchNorm1d)]
    with h5py.File(path) as file, torch.no_grad():
        for layer, arrays in zip(convolutions, _layers(file, "Conv1D_"), strict=True):
            _fill(layer, arrays, (2, 1, 0))
        *hidden, dev, hk = _layers(file, "Dense_")
        for layer, arrays in zip(dense, hidden, strict=True):
            _fill(layer, arrays, (1, 0))
        _fill(model.last, {name: np.concatenate([dev[name], hk[name]], -1) for name in dev}, (1, 0))
        for layer, arrays in zip(normalisations, _layers(file, "batch_normalization_"), strict=True):
            layer.weight.copy_(torch.from_numpy(arrays["gamma"]))
            layer.bias.copy_(torch.from_numpy(arrays["beta"]))
            layer.running_mean.copy_(torch.from_numpy(arrays["moving_mean"]))
            layer.running_var.copy_(torch.from_numpy(arrays["moving_variance"]))
    return model.eval()


def _layers(file: Any, prefix: str) -> list[dict[str, np.ndarray[Any, Any]]]:
    """Return the arrays of the layers whose names begin so, in the order of their numbers."""
    found = []
    for name in sorted(name for name in file if name.startswith(prefix)):
        texts = [text.decode() if isinstance(text, bytes) else str(text) for text in file[name].attrs["weight_names"]]
        found.append({t.rpartition("/")[2].removesuffix(":0"): np.array(file[name][t]) for t in texts})
    return found


def _fill(layer: nn.Conv1d | nn.Linear, arrays: dict[str, Any], order: tuple[int, ...]) -> None:
    kernel = torch.from_numpy(np.ascontiguousarray(arrays["kernel"].transpose(order)))
    if kernel.shape != layer.weight.shape:
        raise ValueError(f"a kernel must be {tuple(layer.weight.shape)}, got {tuple(kernel.shape)}")
    layer.weight.copy_(kernel)
    assert layer.bias is not None
    layer.bias.copy_(torch.from_numpy(arrays["bias"]))
