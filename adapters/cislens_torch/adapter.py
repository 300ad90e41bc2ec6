"""The adapter for PyTorch: it tells what it can open without importing torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cislens.errors import OracleError
from cislens.oracle.adapter import Adapter, ModelSource, comes_from
from cislens.oracle.base import Oracle
from cislens.oracle.options import OracleOptions

if TYPE_CHECKING:
    from torch import nn

    from cislens.architecture import Blueprint, WeightsFile

SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors", ".torch", ".pt2")


class TorchAdapter(Adapter):
    """Open PyTorch modules, TorchScript and exported programs, and weights for a module that a factory builds."""

    name = "torch"
    install = "pip install 'cislens[torch]'"
    formats = (
        "a torch nn.Module",
        "model.py:factory with --weights of .pt, .pth, .ckpt or .safetensors",
        "a TorchScript file (.pt)",
        "a program of torch.export.save (.pt2)",
        "a checkpoint of cislens train (.safetensors)",
    )

    def recognises(self, source: ModelSource) -> bool:
        """Tell whether this is a torch module, or a file with a suffix of torch's."""
        if source.model is not None:
            # Keras layers on the torch backend are modules too, but answer as Keras models.
            return comes_from(source.model, "torch") and not comes_from(source.model, "keras")
        return source.path is not None and source.path.is_file() and source.path.suffix.lower() in SUFFIXES

    def open(self, source: ModelSource, options: OracleOptions) -> Oracle:
        """Open a module, with weights from a file where one is given.

        Raises
        ------
        OracleError
            If there is no module to open, or the weights do not fit.
        UntrustedError
            If the file would run code, and `options.trust` is off.
        """
        from torch import nn

        from cislens_torch.files import opened
        from cislens_torch.oracle import TorchOracle

        if source.model is None:
            assert source.path is not None
            from cislens_torch.training.opening import open_trained

            if source.weights is None and (trained := open_trained(source.path, options, source.name)) is not None:
                return trained
            return opened(_module_in(source.path, source.weights, options), options, source.name)
        if not isinstance(source.model, nn.Module):
            raise OracleError(
                f"{source.name} must be a torch nn.Module or a factory of one, got {type(source.model).__name__}"
            )
        module = source.model
        if source.weights is not None:
            module = _with_weights(module, source.weights, options)
        return TorchOracle(module, options, source.name)

    def weights(self, path: Path) -> WeightsFile | None:
        """Return the layers of a state dict, or of a pickled module, whose code is not run."""
        if path.suffix.lower() not in SUFFIXES:
            return None
        from cislens_torch.file_layers import read_layers

        return read_layers(path)

    def build(self, blueprint: Blueprint) -> nn.Module:
        """Return a published architecture as a module."""
        from cislens_torch.blueprint import build_module

        return build_module(blueprint)


def _module_in(path: Path, weights: Path | None, options: OracleOptions) -> nn.Module:
    from torch import nn

    from cislens_torch.checkpoint import read_checkpoint

    held: Any = read_checkpoint(path, trust=options.trust)
    if not isinstance(held, nn.Module):
        raise OracleError(
            f"{path} holds weights without the model that they are of: give a Python file with a function that builds "
            f"it, as in model.py:factory --weights {path.name}"
        )
    return held if weights is None else _with_weights(held, weights, options)


def _with_weights(module: nn.Module, path: Path, options: OracleOptions) -> nn.Module:
    from cislens_torch.checkpoint import read_tensors
    from cislens_torch.matching import load_weights
    from cislens_torch.placement import copied

    weights = read_tensors(path, trust=options.trust)
    # The module may be its author's own, which keeps the weights that it has.
    module = copied(module)
    load_weights(module, weights, path)
    return module
