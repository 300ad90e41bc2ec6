"""Files that torch writes of small models, and archives with some of their entries changed."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.adapters import torch_models as models
from torch import nn

from cislens_torch import TorchOracle


def channels_first(n: int = 3) -> Any:
    return torch.from_numpy(models.sequences(n).swapaxes(1, 2).astype(np.float32).copy())


def positions_first(n: int = 3) -> Any:
    return torch.from_numpy(models.sequences(n).astype(np.float32))


# Each with an input of three sequences.
MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Any]]] = {
    "plain": (models.plain, channels_first),
    "residual": (lambda: models.seeded(models.Residual()), channels_first),
    "pooled": (lambda: models.seeded(models.Pooled()), channels_first),
    "units": (lambda: models.seeded(models.Units()), channels_first),
    "recurrent": (lambda: models.seeded(models.Recurrent()), positions_first),
    "image": (models.image, lambda n: channels_first(n)[:, None]),
}


def export(module: nn.Module, inputs: tuple[Any, ...], path: Path, *, free: tuple[int, ...] = (), core: bool = False):
    """Export a module, with some axes of its inputs free, perhaps in the core operators."""
    names = {0: "n", 2: "length"}
    shapes = tuple({axis: torch.export.Dim(names[axis]) for axis in free} for _ in inputs) if free else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module.eval(), inputs, dynamic_shapes=shapes)
        torch.export.save(program.run_decompositions() if core else program, path)
    return path


def script(module: Any, path: Path, inputs: Any = None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = (
            torch.jit.script(module.eval()) if inputs is None else torch.jit.trace(module.eval(), inputs, strict=False)
        )
        made.save(path)
    return path


def assert_same(oracle: Any, module: nn.Module, rounding: float = 0.0) -> None:
    """Check predictions and pullbacks against the module's own."""
    reference = TorchOracle(module)
    x = models.sequences(4)
    wanted, pull = reference.linearize(x)
    found, own_pull = oracle.linearize(x)
    rng = np.random.default_rng(1)
    for head in reference.heads:
        np.testing.assert_allclose(found[head.name], wanted[head.name], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(oracle.predict(x)[head.name], found[head.name], rtol=rounding)
        cotangent = {head.name: rng.normal(size=wanted[head.name].shape).astype(np.float32)}
        ours, theirs = own_pull(cotangent), pull(cotangent)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


def edited(path: Path, change: Callable[[dict[str, bytes]], None], folder: str = "m") -> Path:
    """Rewrite an archive; the names that are changed lack its one folder."""
    with zipfile.ZipFile(path) as archive:
        entries = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(f"{folder}/{name}", content)
    return path
