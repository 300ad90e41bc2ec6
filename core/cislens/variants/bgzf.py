"""Writing text as bgzip does: gzip in blocks that can be reached one by one, as indexers of VCF want it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

BLOCK = 65_280  # bytes before packing, as bgzip takes them: packed, they always fit the block's 64 KiB
END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


class BgzfWriter:
    """Write bytes to a bgzipped file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._waiting = bytearray()

    def write(self, data: bytes) -> None:
        """Add bytes at the end."""
        self._waiting += data
        while len(self._waiting) >= BLOCK:
            self._file.write(_packed(bytes(self._waiting[:BLOCK])))
            del self._waiting[:BLOCK]

    def close(self) -> None:
        """Write what waits, and the empty block that says that the file is whole."""
        if self._waiting:
            self._file.write(_packed(bytes(self._waiting)))
        self._file.write(END)
        self._file.close()


def _packed(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(data) + packer.flush()
    size = len(packed) + 25  # header and trailer; the format stores one less than the block's 26 and more
    header = struct.pack("<4BI2BH2B2H", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, size)
    return header + packed + struct.pack("<2I", zlib.crc32(data), len(data))
