"""What a file that `torch.save` wrote holds: its pickle read with inert stand-ins, and the numbers beside it."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import torch

from cislens_torch.inert import Inert, Reader, Storage

MAGIC = 0x1950A86A20F9469CFC6C  # of torch's format before zip
OF_TENSORS = frozenset({"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"})
OF_PARAMETERS = frozenset(
    {
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch.nn.parameter.Parameter",
        "torch.autograd.variable.Variable",
    }
)
OF_OTHER_TENSORS = "torch._tensor._rebuild_from_type_v2"  # calls one of the above
TYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Unreadable(Exception):
    """A file that is not what torch.save writes."""


@dataclass
class Content:
    """What a file holds.

    Parameters
    ----------
    root
        What was pickled, with inert stand-ins for all objects.
    names
        What the pickle would import.
    read
        Returns the bytes of a storage's key.
    """

    root: Any
    names: tuple[str, ...]
    read: Callable[[str], bytes]
    _storages: dict[str, bytearray] = field(default_factory=dict)

    def tensor(self, value: Any) -> torch.Tensor | None:
        """Return the tensor that a stand-in stands for; None where it does for none.

        Raises
        ------
        Unreadable
            If it does not lie within what the file stores.
        """
        if not isinstance(value, Inert):
            return None
        if value.name == OF_OTHER_TENSORS:
            match value.args:
                case (type() as rebuilt, _, tuple() as args, *_):
                    return self.tensor(rebuilt(*args))
        if value.name in OF_PARAMETERS:
            return self.tensor(value.args[0]) if value.args else None
        if value.name not in OF_TENSORS:
            return None
        match value.args:
            case (Storage() as storage, int() as offset, tuple() as size, tuple() as stride, *_):
                return strided(self._numbers(storage), offset, size, stride)
        raise Unreadable("a tensor's description is damaged")

    def _numbers(self, storage: Storage) -> torch.Tensor:
        dtype = TYPES.get(storage.kind)
        if dtype is None:
            raise Unreadable(f"numbers of type {storage.kind} are not read")
        if storage.key not in self._storages:
            self._storages[storage.key] = bytearray(self.read(storage.key))
        held = self._storages[storage.key]
        stored = max(len(held) // dtype.itemsize - storage.start, 0)
        if not 0 <= storage.count <= stored or storage.start < 0:
            raise Unreadable(f"it announces {storage.count} numbers where it stores {stored}")
        if not storage.count:
            return torch.empty(0, dtype=dtype)
        return torch.frombuffer(held, dtype=dtype, count=storage.count, offset=storage.start * dtype.itemsize)


def strided(numbers: torch.Tensor, offset: int, size: tuple[Any, ...], stride: tuple[Any, ...]) -> torch.Tensor:
    """Return a view of stored numbers.

    Raises
    ------
    Unreadable
        If it does not lie within them.
    """
    counts = (offset, *size, *stride)
    if len(size) != len(stride) or not all(isinstance(count, int) and count >= 0 for count in counts):
        raise Unreadable("a tensor's shape is damaged")
    if not math.prod(size):
        return numbers.new_empty(size)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if max(last + 1, math.prod(size)) > len(numbers):
        raise Unreadable(f"a tensor of shape {size} does not lie within the {len(numbers)} numbers that are stored")
    return numbers.as_strided(size, stride, offset)


def names_in(content: bytes) -> tuple[str, ...]:
    """Return what a file of `torch.save` inside an archive would import.

    Raises
    ------
    Unreadable
        If it is none.
    """
    try:
        return _zipped(io.BytesIO(content)).names
    except Unreadable:
        raise
    except Exception as error:  # as in content_of
        raise Unreadable(str(error) or type(error).__name__) from error


def content_of(path: Path) -> Content:
    """Read a file that `torch.save` wrote, without running anything of it.

    Raises
    ------
    Unreadable
        If it is none, or is damaged.
    """
    try:
        return _zipped(path) if zipfile.is_zipfile(path) else _in_a_row(path)
    except Unreadable:
        raise
    except Exception as error:  # whatever a damaged or hostile pickle makes its reader raise
        raise Unreadable(str(error) or type(error).__name__) from error


def _zipped(path: Path | IO[bytes]) -> Content:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickled = next((name for name in names if name.endswith("data.pkl")), None)
        if pickled is None:
            raise Unreadable(f"an archive of {', '.join(names[:3]) or 'nothing'} is no file of torch.save")
        folder = pickled.removesuffix("data.pkl")
        if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") != b"little":
            raise Unreadable("it was written on a big-endian machine")
        reader = Reader(io.BytesIO(archive.read(pickled)))
        root = reader.load()

    def read(key: str) -> bytes:
        with zipfile.ZipFile(path) as archive:
            try:
                return archive.read(f"{folder}data/{key}")
            except (KeyError, zipfile.BadZipFile) as error:
                raise Unreadable(f"the numbers {key} are missing or damaged") from error

    return Content(root, tuple(reader.names), read)


def _in_a_row(path: Path) -> Content:
    """Read the older format: pickles of a sign, a version, the machine, the object and the keys, then the numbers."""
    places: dict[str, tuple[int, int]] = {}
    with path.open("rb") as file:
        reader = Reader(file)
        root = reader.load()
        if root == MAGIC:
            Reader(file).load()
            if Reader(file).load().get("little_endian") is not True:
                raise Unreadable("it was written on a big-endian machine")
            reader = Reader(file)
            root = reader.load()
            places = dict(_places(file, Reader(file).load(), reader.kinds))

    def read(key: str) -> bytes:
        if key not in places:
            raise Unreadable(f"the numbers {key} are missing")
        start, end = places[key]
        with path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    return Content(root, tuple(reader.names), read)


def _places(file: IO[bytes], keys: list[str], kinds: dict[str, str]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield where the numbers of each key start and end."""
    start = file.tell()
    size = file.seek(0, io.SEEK_END)
    for key in keys:
        file.seek(start)
        width = TYPES[kinds[key]].itemsize
        count = int.from_bytes(file.read(8), "little", signed=True)
        start += 8
        end = start + count * width
        if not start <= end <= size:
            raise Unreadable("it ends before the numbers that it announces")
        yield key, (start, end)
        start = end
