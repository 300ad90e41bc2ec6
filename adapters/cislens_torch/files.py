"""Open a module as the kind of file that it came from allows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from cislens.errors import OracleError
from cislens.oracle.options import OracleOptions
from cislens_torch.exported import ExportedModule, take_form
from cislens_torch.oracle import TorchOracle

LENGTH = 200  # bp, for programs that take any length
ROUNDING = 1e-5  # of an answer: what float32 leaves between two batch sizes


def opened(module: nn.Module, options: OracleOptions, name: str) -> TorchOracle:
    """Return the oracle of a module that a file held.

    An exported program says what it takes; it names the one batch that it was exported with, where none was left free,
    but often depends on no batch. A traced TorchScript program may only take the one sequence that it was traced with,
    and does not say so: it is tried with several sequences, then with one.

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
        stated = TorchOracle(module, chosen, name, rows)
        return stated if rows is None else _of_any_batch(stated, rows) or stated
    if not isinstance(module, torch.jit.ScriptModule):
        return TorchOracle(module, options, name)
    with _shapes_checked():
        try:
            return TorchOracle(module, options, name)
        except OracleError as error:
            try:
                return TorchOracle(module, options, name, fixed_batch=1)
            except OracleError:
                raise error from None


@contextmanager
def _shapes_checked() -> Iterator[None]:
    """Leave oneDNN off: its recurrent layers do not check the shapes that are tried, and read beyond their memory."""
    kept = torch.backends.mkldnn.enabled
    try:
        torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
        yield
    finally:
        torch.backends.mkldnn.enabled = kept


def _of_any_batch(stated: TorchOracle, rows: int) -> TorchOracle | None:
    """Return the oracle with batches of any size, if its program answers the same for another than it states."""
    rng = np.random.default_rng(0)
    x = np.eye(4, dtype=stated.dtype)[rng.integers(0, 4, (2 * rows + 1, stated.length or LENGTH))]
    try:
        free = TorchOracle(stated.module, stated.options, stated.name)
        found = free._predict(x)
    except (OracleError, RuntimeError):
        return None  # an operator names the batch
    for start in (0, rows):
        for head, wanted in stated._predict(x[start : start + rows]).items():
            if not np.allclose(found[head][start : start + rows], wanted, rtol=ROUNDING, atol=ROUNDING):
                return None
    return free
