"""Tables and motifs in a store: one array a column, and the matrices one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.errors import ReportError
from cislens.motif import Motif
from cislens.report.store_arrays import decode_text, encode_text, file_name, open_array, read, write_whole
from cislens.report.store_json import read_attributes, write_group

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
NUMBERS = "biuf"  # booleans, whole numbers and floats, as numpy's kinds


def write_table(folder: Path, table: pd.DataFrame) -> None:
    """Write a table; its index is left out.

    Raises
    ------
    ReportError
        If a column holds something else than numbers, booleans and text, or two have one name.
    """
    columns = []
    for place, name in enumerate(table.columns):
        what = f"column {name!r} of {folder.name}"
        if not isinstance(name, str) or name in columns:
            raise ReportError(f"{what} must have a text of its own as name, got {list(table.columns)}")
        values, text = _column(table.iloc[:, place], what)
        write_whole(folder / file_name(name), values, attributes={"text": text})
        columns.append(name)
    write_group(folder, {"columns": columns})


def read_table(folder: Path) -> pd.DataFrame:
    """Return what `write_table` was given; a missing text is pandas' own missing value."""
    import pandas as pd

    columns = {}
    for name in read_attributes(folder)["columns"]:
        array = open_array(folder / file_name(name))
        values = read(array)
        columns[name] = (
            pd.Series(decode_text(values), dtype=None if len(values) else object)
            if array.attrs["text"]
            else pd.Series(values)
        )
    return pd.DataFrame(columns)


def _column(values: pd.Series[Any], what: str) -> tuple[Array, bool]:
    """Return a column's values as numbers or encoded text, and whether they are text."""
    import pandas as pd

    if isinstance(values.dtype, np.dtype) and values.dtype.kind in NUMBERS:
        return values.to_numpy(), False
    missing = values.isna().to_numpy()
    texts = [None if gone else value for value, gone in zip(values.tolist(), missing, strict=True)]
    if all(text is None or isinstance(text, str) for text in texts):
        return encode_text(texts), True
    numbers = pd.Series(values.tolist()).infer_objects().to_numpy()
    if missing.any() or numbers.dtype.kind not in NUMBERS:
        kinds = ", ".join(sorted({type(value).__name__ for value in values.tolist()}))
        raise ReportError(f"{what} must hold numbers, booleans or texts, got {kinds}: convert it first")
    return numbers, False


def write_motifs(folder: Path, motifs: Sequence[Motif]) -> None:
    """Write motifs: an array of matrices, (sum of widths, 4), for each number type, and what each motif is."""
    dtypes = sorted({motif.matrix.dtype.str for motif in motifs})
    below = dict.fromkeys(dtypes, 0)
    entries = []
    for motif in motifs:
        dtype = motif.matrix.dtype.str
        entries.append(
            {
                "id": motif.id,
                "name": motif.name,
                "kind": motif.kind,
                "background": motif.background,
                "sites": motif.sites,
                "matrices": dtypes.index(dtype),
                "start": below[dtype],
                "width": len(motif),
            }
        )
        below[dtype] += len(motif)
    for place, dtype in enumerate(dtypes):
        stacked = np.concatenate([motif.matrix for motif in motifs if motif.matrix.dtype.str == dtype])
        write_whole(folder / f"matrices{place}", stacked)
    write_group(folder, {"motifs": entries})


def read_motifs(folder: Path) -> tuple[Motif, ...]:
    """Return what `write_motifs` was given."""
    entries = read_attributes(folder)["motifs"]
    matrices = {place: read(open_array(folder / f"matrices{place}")) for place in {e["matrices"] for e in entries}}
    return tuple(
        Motif(
            e["id"],
            matrices[e["matrices"]][e["start"] : e["start"] + e["width"]].copy(),
            e["kind"],
            tuple(e["background"]),
            e["name"],
            e["sites"],
        )
        for e in entries
    )
