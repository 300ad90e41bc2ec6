"""Read a file of weights, without running what else it may hold."""

from __future__ import annotations

import io
import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cislens.errors import OracleError, UntrustedError

NESTS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights")
# What a file may begin with instead of weights.
MISTAKEN = (
    (b"<", "a web page (the download gave an error page, or needs a login)"),
    (b"version https://git-lfs", "a pointer of Git LFS (fetch the file itself with git lfs pull)"),
    (b"\x89HDF", "an HDF5 file (a Keras checkpoint? those open without a factory)"),
    (b"\x1f\x8b", "a gzip archive (unpack it first)"),
)
# Names that torch itself allows in a file of weights.
HARMLESS = ("torch._utils.", "torch.storage.", "torch._tensor._rebuild", "torch.serialization.")
HARMLESS_TYPES = ("Storage", "torch.Size", "torch.device", "torch.dtype", "torch.Tensor", "OrderedDict", "Parameter")


def read_checkpoint(path: Path, *, trust: bool = False) -> nn.Module | dict[str, torch.Tensor]:
    """Return the state dict of a checkpoint on the CPU, or the module where the file holds a whole one.

    A state dict may lie under a name such as "state_dict", and its names may begin with what `DataParallel` or
    `torch.compile` put there.

    Parameters
    ----------
    path
        A file that `torch.save`, `torch.jit.save` or safetensors wrote.
    trust
        Also load what runs code that the file brings along.

    Raises
    ------
    UntrustedError
        If the file would run code, and is not trusted.
    OracleError
        If it holds no weights.
    """
    start = _start(path)
    if path.suffix == ".safetensors":
        return _safetensors(path)
    if start[:2] == b"PK" and _is_torchscript(path):
        return _torchscript(path)
    return _state_dict(_loaded(path, trust), path)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise OracleError(f"{path} must hold weights, but it is empty: download it again")
    for sign, what in MISTAKEN:
        if start.lstrip().startswith(sign) and path.suffix != ".safetensors":
            raise OracleError(f"{path} must be a file that torch.save wrote, but it is {what}")
    return start


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return plain_names(load_file(path, device="cpu"))
    except (SafetensorError, ValueError) as error:
        raise OracleError(
            f"{path} must be a whole safetensors file, but it is not ({error}): download it again"
        ) from error


def _loaded(path: Path, trust: bool) -> Any:
    try:
        with warnings.catch_warnings():
            # torch warns of what it then refuses, and of old forms that it reads.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        names = sorted(set(_foreign_names(path)))
        if names and not trust:
            raise UntrustedError(
                f"{path} must hold weights alone, but opening it would import {', '.join(names[:6])} and could run "
                "any code: open it with --trust if you know where it comes from"
            ) from error
        raise OracleError(_damaged(path, error)) from error
    except (ImportError, AttributeError) as error:
        raise OracleError(
            f"{path} holds objects whose code must be importable here, but that failed ({error}): install or put on "
            "the path what defines them, or save model.state_dict()"
        ) from error
    except Exception as error:  # whatever a damaged file makes torch's reader raise
        raise OracleError(_damaged(path, error)) from error


def _damaged(path: Path, error: Exception) -> str:
    reason = str(error).strip().partition("\n")[0][:120]
    return f"{path} must be a whole file that torch.save wrote, but it cannot be read ({reason}): download it again"


def _foreign_names(path: Path) -> Iterator[str]:
    """Yield what a pickle imports beside what torch allows, without running it."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                inside = next(name for name in archive.namelist() if name.endswith("data.pkl"))
                content = archive.read(inside)
        else:
            content = path.read_bytes()
        yield from _names_imported(io.BytesIO(content))
    except (ValueError, StopIteration, zipfile.BadZipFile, IndexError):
        return  # no pickle, or a damaged one: the names up to there


def _names_imported(content: io.BytesIO) -> Iterator[str]:
    recent: list[str] = []
    while True:  # old files are several pickles in a row, and end with numbers that are none
        for operation, argument, _ in pickletools.genops(content):
            name = None
            if operation.name == "GLOBAL":
                name = str(argument).replace(" ", ".")
            elif operation.name == "STACK_GLOBAL" and len(recent) > 1:
                name = ".".join(recent[-2:])
            elif isinstance(argument, str):
                recent.append(argument)
            if name is not None and not name.startswith(HARMLESS) and not name.endswith(HARMLESS_TYPES):
                yield name


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _torchscript(path: Path) -> nn.Module:
    try:
        with warnings.catch_warnings():
            # TorchScript is announced to end; files of it are still there to be read.
            warnings.simplefilter("ignore", DeprecationWarning)
            module: nn.Module = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise OracleError(_damaged(path, error)) from error
    return module


def _state_dict(loaded: Any, path: Path) -> nn.Module | dict[str, torch.Tensor]:
    if isinstance(loaded, nn.Module):
        return loaded
    if isinstance(loaded, Mapping):
        # Tensors beside a nest, such as a count of steps, are no weights.
        for name in NESTS:
            if isinstance(loaded.get(name), Mapping | nn.Module):
                return _state_dict(loaded[name], path)
        weights = {str(name): value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
        if weights:
            return plain_names(weights)
    keys = ", ".join(map(str, loaded)) if isinstance(loaded, Mapping) else type(loaded).__name__
    raise OracleError(
        f"{path} must hold a state dict, alone or under {', '.join(NESTS)}, got {keys[:200] or 'nothing'}: save "
        "model.state_dict()"
    )


def plain_names(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights without the prefixes of `DataParallel` and `torch.compile` that all names share."""
    names = dict(weights)
    while names:
        prefix = next((p for p in ("module.", "_orig_mod.") if all(name.startswith(p) for name in names)), None)
        if prefix is None:
            break
        names = {name.removeprefix(prefix): tensor for name, tensor in names.items()}
    return names
