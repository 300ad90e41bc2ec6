"""Whether a file is the archive or the HDF5 file that its name says, holds itself together, and reads no other file."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

from cislens.errors import OracleError, UntrustedError

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"  # of a .keras archive
# Weights hardly compress: what grows more than this is no model.
MOST_GROWTH = 100
SMALL = 100_000_000  # bytes that nobody need worry about


def check_archive(path: Path) -> None:
    """Raise unless a file is a .keras archive, by what it holds; nothing is unpacked."""
    if path.stat().st_size == 0:
        raise OracleError(f"{path} must be a .keras archive, but it is empty: copy it again")
    if not zipfile.is_zipfile(path):
        raise OracleError(f"{path} must be a .keras archive (a zip file), but it is none, or cut short: copy it again")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise OracleError(f"{path} must be a whole .keras archive, but {error}: copy it again") from error
    for member in members:
        place = PurePosixPath(member.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in member.filename:
            raise UntrustedError(
                f"{path} must unpack into one folder, but it names {member.filename!r}: do not open it"
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UntrustedError(f"{path} must hold files, but {member.filename!r} is a link: do not open it")
    twice = [name for name, count in Counter(member.filename for member in members).items() if count > 1]
    if twice:
        raise UntrustedError(f"{path} must hold each file once, but it holds {twice[0]!r} twice: do not open it")
    _check_growth(path, sum(member.file_size for member in members))
    missing = sorted({CONFIG, WEIGHTS, METADATA} - {member.filename for member in members})
    if missing:
        raise OracleError(f"{path} must be a .keras archive, but it holds no {missing[0]}: save it with model.save")


def unpacked(path: Path, name: str, target: Path) -> Path:
    """Write one file of an archive that was checked to `target`, and return that.

    Raises
    ------
    OracleError
        If it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise OracleError(f"{path} must be a whole .keras archive, but its {name} is damaged: {error}") from error
    return target


def _check_growth(path: Path, size: int, file: Path | None = None) -> None:
    """Raise if a file would unpack to more than a model could; a zip file yields no more than it declares."""
    stored = (file or path).stat().st_size
    if size > SMALL and size > MOST_GROWTH * stored:
        raise UntrustedError(
            f"{path} must unpack to what a model of its size can hold, but its {stored} bytes would be {size}: "
            "do not open it"
        )


def check_hdf5(file: Path, path: Path) -> None:
    """Raise unless a file is HDF5, by its first bytes; errors call it `path`."""
    import h5py

    if file.stat().st_size == 0:
        raise OracleError(f"{path} must be an HDF5 file, but it is empty: copy it again")
    if not h5py.is_hdf5(file):
        raise OracleError(f"{path} must be an HDF5 file, but it is none: check what it is")


def refuse_other_files(opened: Any, file: Path, path: Path) -> None:
    """Raise if an open HDF5 file takes any of its data from another file, or would fill the memory.

    HDF5 can show another file's group by a link, keep the values of an array in any file of the disk, or put an array
    together of pieces of other files.

    Raises
    ------
    UntrustedError
        The sentence names the part of the file, and the other one.
    """
    import h5py

    size = 0
    for name, link in _links(opened):
        if isinstance(link, h5py.ExternalLink):
            _refuse(path, name, link.filename)
        if not isinstance(link, h5py.HardLink):
            continue
        item = opened[name]
        if not isinstance(item, h5py.Dataset):
            continue
        if item.external:
            _refuse(path, name, item.external[0][0])
        if item.is_virtual:
            _refuse(path, name, ", ".join(sorted({source.file_name for source in item.virtual_sources()})))
        size += int(item.nbytes)
    _check_growth(path, size, file)


def _links(opened: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    opened.visititems_links(lambda name, link: found.append((str(name), link)))
    return found


def _refuse(path: Path, name: str, other: str) -> None:
    raise UntrustedError(
        f"{path} must hold its own data, but {name} is read from another file, {other}: do not open it, or copy it "
        "with the data in it"
    )
