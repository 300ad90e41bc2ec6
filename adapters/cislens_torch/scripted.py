"""TorchScript files: their programs are read before anything of them runs, and then loaded."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from cislens.errors import OracleError, UntrustedError
from cislens_torch.filekinds import damaged

# Operators that do more than compute, by the names that a program must spell to reach them.
REACHING = {
    "save": "aten::save, which writes a file",
    "from_file": "aten::from_file, which reads a file",
    "print": "prim::Print, which writes to the terminal",
    "_print": "aten::_print, which writes to the terminal",
    "load_tensor": "debugprims::load_tensor, which reads a file",
    "rpc_async": "prim::rpc_async, which runs code elsewhere",
    "rpc_sync": "prim::rpc_sync, which runs code elsewhere",
    "rpc_remote": "prim::rpc_remote, which runs code elsewhere",
}
# Where operators and classes that only compute are registered.
COMPUTING = frozenset("aten prim prims quantized _quantized onednn mkldnn mkldnn_prepacked mkl sparse".split())
CLASSES = frozenset({"quantized", "sparse"})
WORD = re.compile(r"[A-Za-z_]\w*")
# An operator is `ops.namespace.name`; what else is done with `ops` could hide which.
OPERATOR = re.compile(r"\bops\b(?:\s*\.\s*(\w+))?")
CUSTOM_CLASS = re.compile(r"torch\s*[.\n]\s*classes\b(?:\s*[.\n]\s*(\w+))?")
# A part of a module whose name is no word is read so; any other use could spell a name unseen.
READING = re.compile(r'\bgetattr\b(?:\(\s*[\w.()]+\s*,\s*"(\w+)"\s*\))?')
BARE_ROOT = re.compile(r"\b__torch__(?:\s*\.\s*torch)?\b(?!\s*\.\s*\w)")
# What loading adds to names, and where a program's source lay.
MANGLED = re.compile(r"___torch_mangle_\d+\.?|\s+#.*")


def load_scripted(path: Path, *, trust: bool = False) -> nn.Module:
    """Return the module of a TorchScript file.

    Raises
    ------
    UntrustedError
        If its program calls operators that do more than compute, and it is not trusted.
    OracleError
        If the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        if not trust:
            for name, content in entries.items():
                _check(name, content, path)
        with warnings.catch_warnings():
            # TorchScript is announced to end; files of it are still there to be read.
            warnings.simplefilter("ignore", DeprecationWarning)
            module: nn.Module = torch.jit.load(_packed(entries), map_location="cpu")  # type: ignore[no-untyped-call]
    except OracleError:
        raise
    except Exception as error:  # whatever a damaged archive or program makes its readers raise
        raise damaged(path, error) from error
    return module


def program_text(module: torch.jit.ScriptModule) -> str:
    """Return a program as text that is the same however often, and from where, it was loaded."""
    return MANGLED.sub("", str(module.inlined_graph))


def _packed(entries: dict[str, bytes]) -> io.BytesIO:
    """Return an archive of what was checked alone: two readers of one file may see different entries."""
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    copy.seek(0)
    return copy


def _check(name: str, content: bytes, path: Path) -> None:
    text = content.decode("latin1")
    found = list(_in_program(text)) if name.endswith(".py") else []
    found += _classes(text) if name.endswith((".py", ".pkl")) else []
    if found:
        raise UntrustedError(
            f"{path} must compute alone, but its program refers to {found[0]}: open it with --trust if you know where "
            "it comes from"
        )


def _in_program(text: str) -> Iterator[str]:
    for word in dict.fromkeys(WORD.findall(text)):
        if word in REACHING:
            yield REACHING[word]
    for match in OPERATOR.finditer(text):
        if match[1] not in COMPUTING:
            yield f"operators of {match[1] or 'an unnamed library'}"
    for match in READING.finditer(text):
        if match[1] is None:
            yield "a name that it puts together"
    if BARE_ROOT.search(text):
        yield "all that is registered with torch"


def _classes(text: str) -> Iterator[str]:
    for match in CUSTOM_CLASS.finditer(text):
        if match[1] not in CLASSES:
            yield f"a class of {match[1] or 'an unnamed library'}"
