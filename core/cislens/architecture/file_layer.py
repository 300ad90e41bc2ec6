"""What a file of weights holds, layer by layer, whichever framework wrote it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
FlattenOrder = Literal["channels", "positions"]
NORMALISATION = ("scale", "offset", "mean", "variance")


@dataclass(frozen=True, eq=False)
class FileLayer:
    """Hold the arrays of one layer of a file.

    Parameters
    ----------
    name
        As the file has it, such as "model.0.2" or "Conv1D_1st".
    arrays
        By canonical names: `kernel` (units, width, channels) of a convolution or (units, inputs) of a dense layer,
        and `bias` (units); `scale`, `offset`, `mean` and `variance` (channels) of a batch normalisation. Whatever is
        none of these, under the file's own names.
    """

    name: str
    arrays: Mapping[str, Array]

    @property
    def form(self) -> str:
        """Kind and size in words, such as "convolution 320x8x4"."""
        if "kernel" in self.arrays:
            return kernel_form(self.arrays["kernel"].shape)
        if set(self.arrays) == set(NORMALISATION):
            return normalisation_form(len(self.arrays["mean"]))
        return ", ".join(f"{name} {_by(array.shape)}" for name, array in self.arrays.items())

    @property
    def units(self) -> int:
        """Number of units of a kernel, of channels of a normalisation."""
        return len(self.arrays["kernel"] if "kernel" in self.arrays else self.arrays["mean"])

    @property
    def inputs(self) -> int:
        """Number of channels or features that a unit of a kernel reads."""
        return int(self.arrays["kernel"].shape[-1])


def kernel_form(shape: Sequence[int]) -> str:
    """Return the words for a kernel; a convolution of width 1 is the same as a dense layer at each position."""
    dense = len(shape) == 2 or shape[1] == 1
    return f"dense {shape[0]}x{shape[-1]}" if dense else f"convolution {_by(shape)}"


def normalisation_form(channels: int) -> str:
    """Return the words for a batch normalisation."""
    return f"normalisation {channels}"


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "one number"


@dataclass(frozen=True, eq=False)
class WeightsFile:
    """Hold the layers of a file of weights.

    Parameters
    ----------
    path
        Where it lies.
    framework
        Name of the adapter that read it.
    layers
        In the file's order.
    flatten
        Which axis of a layer's output varies slowest where the framework flattens it: PyTorch's channels, or Keras's
        positions.
    epsilon
        The framework's own addition to the variance in a batch normalisation, which no file of weights states.
    ordered
        Whether the order is that in which the layers were made; otherwise it is that of their names, with numbers
        counted as numbers.
    """

    path: Path
    framework: str
    layers: tuple[FileLayer, ...]
    flatten: FlattenOrder
    epsilon: float
    ordered: bool = True

    @property
    def kernels(self) -> tuple[FileLayer, ...]:
        """The convolutions and dense layers."""
        return tuple(layer for layer in self.layers if "kernel" in layer.arrays)

    def sizes(self, published: Sequence[int]) -> tuple[int, ...]:
        """Return the number of units of each kernel, or the published numbers where there are more or fewer kernels."""
        kernels = self.kernels
        return tuple(layer.units for layer in kernels) if len(kernels) == len(published) else tuple(published)

    def inputs_of(self, number: int) -> int:
        """Return how many features a kernel reads, 0 where the file has no such kernel."""
        kernels = self.kernels
        return kernels[number].inputs if number < len(kernels) else 0

    def part(self, pattern: str) -> WeightsFile:
        """Return the layers whose names a regular expression finds; all of them where it finds none."""
        found = tuple(layer for layer in self.layers if re.search(pattern, layer.name))
        return replace(self, layers=found or self.layers)

    def in_order_of(self, names: Sequence[str]) -> WeightsFile | None:
        """Return the layers in the order of names, if these are all its names up to a prefix that all of them share."""
        held = {layer.name: layer for layer in self.layers}
        first = next((name for name in held if name.endswith(names[0])), "")
        prefix = first.removesuffix(names[0])
        wanted = [prefix + name for name in names]
        if set(wanted) != set(held):
            return None
        return replace(self, layers=tuple(held[name] for name in wanted), ordered=True)


def natural(text: str) -> list[tuple[int, int | str]]:
    """Return a key that sorts names with their numbers counted as numbers."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", text)]


def contiguous(array: Array) -> Array:
    """Return an array as float32 in one piece."""
    return np.ascontiguousarray(array, np.float32)
