"""Where a model computes, and in which number type."""

from __future__ import annotations

import copy

import torch
from torch import nn

from cislens.errors import OracleError
from cislens.oracle.options import OracleOptions
from cislens_torch.tensors import Placement


def placed(module: nn.Module, options: OracleOptions) -> tuple[nn.Module, Placement]:
    """Return the module itself where it already is as the options ask, else a copy that is, and its placement.

    Raises
    ------
    OracleError
        If the device is not there.
    """
    held = [*module.parameters(), *module.buffers()]
    devices = {tensor.device for tensor in held}
    dtype: torch.dtype = getattr(torch, options.precision)
    types = {tensor.dtype for tensor in held if tensor.is_floating_point()}
    device = _device(options.device, held[0].device if held else torch.device("cpu"))
    # A model spread over several devices is its author's doing; "auto" leaves it there.
    stays = devices <= {device} or (len(devices) > 1 and options.device == "auto")
    if stays and types <= {dtype}:
        return module, Placement(device, dtype)
    return _elsewhere(module, device if not stays else None, dtype), Placement(device, dtype)


def _elsewhere(module: nn.Module, device: torch.device | None, dtype: torch.dtype) -> nn.Module:
    return copied(module).to(device=device, dtype=dtype)


def _device(wanted: str, current: torch.device) -> torch.device:
    if wanted == "auto":
        if current.type not in ("cpu", "meta"):
            return current
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise OracleError(f"the device must be auto, cpu, cuda, cuda:N or mps, got {wanted!r}") from None
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= count.get(device.type, 0):
        raise OracleError(f"torch must see the device {wanted!r}, but does not: choose --device cpu or auto")
    if str(device) == "cuda":
        return torch.device("cuda", torch.cuda.current_device())
    return device


def copied(module: nn.Module) -> nn.Module:
    """Return a copy of a module.

    Raises
    ------
    OracleError
        If it holds something that cannot be copied.
    """
    try:
        return copy.deepcopy(module)
    except Exception as error:
        raise OracleError(
            f"{type(module).__name__} must be a module that copy.deepcopy copies, so that yours stays as it is, but "
            f"that failed ({error}): move it to the device and number type yourself"
        ) from error
