"""Build a trainer's network, for training and for opening what was trained."""

from __future__ import annotations

import warnings

from torch import nn

from cislens.errors import CislensError
from cislens_torch.training.trainer import TorchTrainer


def built(trainer: TorchTrainer, length: int, outputs: int) -> nn.Module:
    """Return the untrained network in float32, whatever number type torch makes by default.

    Raises
    ------
    CislensError
        If the settings make no network, or one with layers that hold nothing.
    """
    with warnings.catch_warnings():
        # Of layers that hold nothing, which are refused below.
        warnings.filterwarnings("ignore", "Initializing zero-element tensors", UserWarning)
        try:
            network = trainer.network(length, outputs)
        except (RuntimeError, ValueError, TypeError, ArithmeticError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise CislensError(f"the settings of {trainer.name} must make a network, but do not: {reason}") from error
    empty = next((name for name, tensor in network.named_parameters() if not tensor.numel()), None)
    if empty is not None:
        raise CislensError(
            f"the layers of {trainer.name} must hold weights, but {empty} would hold none: make its settings larger"
        )
    return network.float()
