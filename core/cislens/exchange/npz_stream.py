"""Writing an .npz archive of arrays that are larger than memory."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@contextmanager
def streamed_npz(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, beside: dict[str, Array], packed: bool
) -> Iterator[Callable[[Array], None]]:
    """Yield what appends rows to the array `arr_0` of a new archive.

    Parameters
    ----------
    path
        The archive.
    shape, dtype
        Of the whole array.
    beside
        Further arrays by name.
    packed
        Whether the archive is compressed, which pays for one-hot sequences and not for floats.
    """
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    packing = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", packing, compresslevel=1) as archive:
        for name, values in beside.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
        with archive.open("arr_0.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            yield lambda rows: _append(member, rows, dtype)


def _append(member: Any, rows: Array, dtype: npt.DTypeLike) -> None:
    member.write(np.ascontiguousarray(rows, dtype).tobytes())
