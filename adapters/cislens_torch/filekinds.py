"""What a file named as torch's is, told by its bytes before anything of it is read."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import Literal

from cislens.errors import OracleError

Kind = Literal["pickle", "torchscript", "exported", "safetensors"]
# What a file may begin with instead of weights.
MISTAKEN = (
    (b"<", "a web page (the download gave an error page, or needs a login)"),
    (b"version https://git-lfs", "a pointer of Git LFS (fetch the file itself with git lfs pull)"),
    (b"\x89HDF", "an HDF5 file (a Keras checkpoint? name it .h5, and it opens without a factory)"),
    (b"\x1f\x8b", "a gzip archive (unpack it first)"),
    (b"BZh", "a bzip2 archive (unpack it first)"),
    (b"\xfd7zXZ", "an xz archive (unpack it first)"),
    (b"\x93NUMPY", "a NumPy array (put arrays by name into a state dict and torch.save that)"),
)
TAR = (257, b"ustar", "a tar archive (unpack it first; torch's own of before 2017 must be saved anew with torch.save)")
# ONNX: field 1 (the version of its format), then one of the fields that follow in practice.
ONNX = (b"\x08", b"\x12\x1a\x22\x2a\x32\x3a\x42")
# Bytes that an archive may unpack to: so many times its own size, or this many in any case.
UNPACKED, ALLOWED = 50, 64_000_000
# Beginnings of names that tell what an archive is.
ARCHIVES = (
    ("model.weights.h5", "a Keras archive (name it .keras)"),
    ("saved_model.pb", "a TensorFlow SavedModel (unpack it first)"),
    ("serialized_exported_program.json", "a program exported by torch before 2.8 (export it anew)"),
    ("data/aotinductor/", "a compiled program, which is machine code (save it with torch.export.save instead)"),
)


def kind_of(path: Path) -> Kind:
    """Return what a file is.

    Raises
    ------
    OracleError
        If it is nothing of torch's, or an archive that is damaged or made to harm.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise OracleError(f"{path} must hold a model or weights, but it is empty: download it again")
    if start[:2] == b"PK":
        return _kind_of_archive(path)
    # The length of a header, then the header as JSON.
    if start[4:8] == bytes(4) and start[8:9] == b"{":
        return "safetensors"
    for sign, what in MISTAKEN:
        if start.lstrip().startswith(sign):
            raise _not_ours(path, what)
    if start[TAR[0] :].startswith(TAR[1]):
        raise _not_ours(path, TAR[2])
    if start.startswith(ONNX[0]) and len(start) > 2 and start[1] < 32 and start[2] in ONNX[1]:
        raise _not_ours(path, "an ONNX model (name it .onnx)")
    return "safetensors" if path.suffix == ".safetensors" else "pickle"


def _not_ours(path: Path, what: str) -> OracleError:
    return OracleError(f"{path} must be a file that torch.save wrote, but it is {what}")


def damaged(path: Path, error: Exception) -> OracleError:
    """Return the error that tells that a file cannot be read, and why."""
    reason = (str(error).strip() or type(error).__name__).partition("\n")[0][:120]
    return OracleError(
        f"{path} must be a whole file that torch.save wrote, but it cannot be read ({reason}): download it again"
    )


def _kind_of_archive(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise damaged(path, error) from error
    names = [entry.filename for entry in entries]
    for name in names:
        if name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts or ":" in name:
            raise OracleError(
                f"{path} must hold files of its own alone, but names one outside itself ({name[:80]!r}), which only a "
                "file made to harm does: get it from somewhere else"
            )
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > max(ALLOWED, UNPACKED * path.stat().st_size):
        raise OracleError(
            f"{path} must unpack to at most {UNPACKED} times its own size, but its {path.stat().st_size} bytes claim "
            f"to hold {unpacked}, as a zip bomb does: get it from somewhere else"
        )
    return _told_by(path, names)


def _told_by(path: Path, names: list[str]) -> Kind:
    inside = {name.partition("/")[2] for name in names}
    if any(name.startswith("models/") and name.endswith(".json") for name in inside):
        return "exported"
    if "constants.pkl" in inside:
        return "torchscript"
    if "data.pkl" in inside:
        return "pickle"
    for telling, what in ARCHIVES:
        if any(name.startswith(telling) for name in (*names, *inside)):
            raise _not_ours(path, what)
    if all(name.endswith(".npy") for name in names):
        raise _not_ours(path, "an archive of NumPy arrays (put them by name into a state dict and torch.save that)")
    raise _not_ours(path, f"an archive of {', '.join(names[:3]) or 'nothing'}")
