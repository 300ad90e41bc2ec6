"""Open a module as the kind of file that it came from allows."""

from __future__ import annotations

import torch
from torch import nn

from cislens.errors import OracleError
from cislens.oracle.options import OracleOptions
from cislens_torch.exported import ExportedModule, take_form
from cislens_torch.oracle import TorchOracle


def opened(module: nn.Module, options: OracleOptions, name: str) -> TorchOracle:
    """Return the oracle of a module that a file held.

    An exported program says what it takes. A traced TorchScript program may only take the one sequence that it was
    traced with, and does not say so: it is tried with several sequences, then with one.

    Raises
    ------
    OracleError
        If no input fits, or the program fails.
    """
    try:
        return _opened(module, options, name)
    except RuntimeError as error:
        told = str(error).strip().rpartition("\n")[2]
        raise OracleError(f"{name} must answer for one-hot sequences, but fails ({told}): export it anew") from error


def _opened(module: nn.Module, options: OracleOptions, name: str) -> TorchOracle:
    if isinstance(module, ExportedModule):
        chosen, rows = take_form(module, options)
        return TorchOracle(module, chosen, name, rows)
    try:
        return TorchOracle(module, options, name)
    except OracleError as error:
        if not isinstance(module, torch.jit.ScriptModule):
            raise
        try:
            return TorchOracle(module, options, name, fixed_batch=1)
        except OracleError:
            raise error from None
