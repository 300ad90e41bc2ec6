"""Small models as the exporters write them."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

EXPORTERS = ("script", "dynamo")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what exporters print, log and warn of from the tests."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def export(module: nn.Module, example: Any, path: Path, exporter: str, *, free: tuple[int, ...] = (0,)) -> Path:
    """Export a module with one of torch's two exporters, with some axes of its input free."""
    names = {0: "n", 1: "length", 2: "length"}
    with quiet():
        if exporter == "dynamo":
            shapes = ({axis: torch.export.Dim(names[axis]) for axis in free},)
            torch.onnx.export(module.eval(), (example,), path, dynamo=True, dynamic_shapes=shapes)
        else:
            axes = {"x": {axis: names[axis] for axis in free}}
            torch.onnx.export(
                module.eval(), (example,), path, dynamo=False, input_names=["x"], dynamic_axes=axes, opset_version=17
            )
    return path
