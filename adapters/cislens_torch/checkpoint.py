"""Read a file of weights, without running what else it may hold."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cislens.errors import OracleError, UntrustedError
from cislens_torch.exported import load_exported
from cislens_torch.filekinds import damaged, kind_of
from cislens_torch.scripted import load_scripted
from cislens_torch.stored import Content, Unreadable, content_of, names_in
from cislens_torch.tensors_in_pickle import NESTS, is_module, tensors_of

# Names that torch itself allows in a file of weights.
HARMLESS = ("torch._utils._rebuild_", "torch.storage.", "torch._tensor._rebuild_", "torch.serialization._get_layout")
HARMLESS_TYPES = ("Storage", "torch.Size", "torch.device", "torch.dtype", "torch.Tensor", "OrderedDict", "Parameter")
# Modules that no model needs of a checkpoint, whose functions take over who opens it.
SUSPECT = frozenset(
    "os posix nt sys subprocess shutil socket ctypes importlib runpy pty pickle _pickle marshal webbrowser urllib "
    "requests timeit pdb".split()
)
SUSPECT_OF_TORCH = ("torch.hub.", "torch.serialization.", "torch.utils.cpp_extension.", "torch.load", "torch.jit.")
BUILTINS = frozenset({"builtins", "__builtin__"})
# What pickles of plain values and of enumerations refer to.
PLAIN = frozenset(
    "set frozenset dict list tuple object complex slice range bytearray bytes str int float bool getattr type".split()
)


def read_checkpoint(path: Path, *, trust: bool = False) -> nn.Module | dict[str, torch.Tensor]:
    """Return the module that a file holds, or its state dict on the CPU where it holds weights alone.

    Parameters
    ----------
    path
        A file that `torch.save`, `torch.jit.save`, `torch.export.save` or safetensors wrote.
    trust
        Also load what runs code that the file brings along.

    Raises
    ------
    UntrustedError
        If the file would run code, and is not trusted.
    OracleError
        If it holds neither a module nor weights, or weights that are not numbers.
    """
    held = _read(path, trust)
    if held is None:
        raise _untrusted(path, _content(path))
    check_numbers(held, path)
    return held


def read_tensors(path: Path, *, trust: bool = False) -> dict[str, torch.Tensor]:
    """Return the state dict that a checkpoint of any kind holds, on the CPU, in its order.

    It may lie under a name such as "state_dict", and its names may begin with what `DataParallel` or `torch.compile`
    put there. Of a pickled module, or of a checkpoint that holds foreign objects beside its tensors, the tensors are
    read, and nothing else of it is imported or run.

    Parameters
    ----------
    path, trust
        As in `read_checkpoint`.

    Raises
    ------
    UntrustedError
        If the file names functions that take over who opens it, and is not trusted.
    OracleError
        If it holds no weights, or weights that are not numbers.
    """
    held = _read(path, trust)
    if held is None:
        held = _tensors_beside_objects(path)
    check_numbers(held, path)
    return plain_names(held.state_dict() if isinstance(held, nn.Module) else held)


def _read(path: Path, trust: bool) -> nn.Module | dict[str, torch.Tensor] | None:
    """Return what a file holds; None where it would run code and is not trusted."""
    kind = kind_of(path)
    if kind == "safetensors":
        return plain_names(_safetensors(path))
    if kind == "torchscript":
        return load_scripted(path, trust=trust)
    if kind == "exported":
        if not trust:
            _check_samples(path)
        return load_exported(path)
    loaded = _loaded(path, trust)
    return None if loaded is None else _module_or_weights(loaded, path)


def _check_samples(path: Path) -> None:
    """Refuse an exported program with pickles that would take over its other readers; here none of them is read."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.endswith(".pt"):
                continue
            try:
                harmful = [found for found in names_in(archive.read(name)) if is_suspect(found)]
            except (Unreadable, zipfile.BadZipFile) as error:
                raise damaged(path, error) from error
            if harmful:
                raise UntrustedError(
                    f"{path} must hold numbers alone, but its entry {name.partition('/')[2]} would import {harmful[0]} "
                    "where other programs load it, and could run any code: get the file from somewhere else"
                )


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
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
        if not trust and _foreign(_content(path)):
            return None
        raise damaged(path, error) from error
    except (ImportError, AttributeError) as error:
        raise OracleError(
            f"{path} holds objects whose code must be importable here, but that failed ({error}): install or put on "
            "the path what defines them, or save model.state_dict()"
        ) from error
    except Exception as error:  # whatever a damaged file makes torch's reader raise
        raise damaged(path, error) from error


def _content(path: Path) -> Content:
    try:
        return content_of(path)
    except Unreadable as error:
        raise damaged(path, error) from error


def _foreign(content: Content) -> list[str]:
    """Return what a file imports beside what torch allows: first what would take over, last what is torch's."""
    names = [name for name in content.names if not name.startswith(HARMLESS) and not name.endswith(HARMLESS_TYPES)]
    return sorted(names, key=lambda name: (not is_suspect(name), name.startswith(("torch.", *BUILTINS)), name))


def is_suspect(name: str) -> bool:
    """Tell whether a name is of what no model needs of a checkpoint."""
    module, _, member = name.partition(".")
    if module in BUILTINS:
        return member not in PLAIN
    return module in SUSPECT or (name.startswith(SUSPECT_OF_TORCH) and not name.startswith(HARMLESS))


def _untrusted(path: Path, content: Content) -> UntrustedError:
    names = _foreign(content)
    told = f"{path} must hold weights alone, but opening it would import {', '.join(names[:6])} and could run any code"
    if is_suspect(names[0]):
        return UntrustedError(f"{told}: no model needs that, so open it with --trust only if you wrote it yourself")
    if not is_module(content.root):
        return UntrustedError(f"{told}: open it with --trust if you know where it comes from")
    return UntrustedError(
        f"{told}: read its tensors alone with arch:NAME --weights {path.name} or model.py:factory --weights "
        f"{path.name}, or open it with --trust if you know where it comes from"
    )


def _tensors_beside_objects(path: Path) -> dict[str, torch.Tensor]:
    content = _content(path)
    if any(map(is_suspect, content.names)):
        raise _untrusted(path, content)
    try:
        weights = tensors_of(content)
    except (Unreadable, RecursionError) as error:
        raise damaged(path, error) from error
    if not weights:
        raise _untrusted(path, content)
    return weights


def _module_or_weights(loaded: Any, path: Path) -> nn.Module | dict[str, torch.Tensor]:
    if isinstance(loaded, nn.Module):
        return loaded
    if isinstance(loaded, Mapping):
        # Tensors beside a nest, such as a count of steps, are no weights.
        for name in NESTS:
            if isinstance(loaded.get(name), Mapping | nn.Module):
                return _module_or_weights(loaded[name], path)
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


def check_numbers(held: nn.Module | Mapping[str, torch.Tensor], path: Path) -> None:
    """Raise `OracleError` if a tensor holds NaN; infinity may be meant, as in a mask of attention."""
    for name, tensor in (held.state_dict() if isinstance(held, nn.Module) else held).items():
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and bool(tensor.isnan().any()):
            raise OracleError(
                f"{path} must hold numbers, but its tensor {name!r} holds NaN ({int(tensor.isnan().sum())} of "
                f"{tensor.numel()}): its training diverged or the file is damaged, take an earlier checkpoint"
            )
