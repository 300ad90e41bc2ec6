"""Which kind of file training data come in, by its suffix; a folder is a simulated set."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cislens.errors import CislensError
from cislens.sequences.read import BED_SUFFIXES, FASTA_SUFFIXES, PACKED

Kind = Literal["fasta", "bed", "table", "arrays", "simulated"]
TABLE_SUFFIXES = {".csv": ",", ".tsv": "\t"}
VALUE_ARRAY_SUFFIXES = (".npz", ".h5", ".hdf5")
KNOWN: dict[Kind, tuple[str, ...]] = {
    "fasta": FASTA_SUFFIXES,
    "bed": BED_SUFFIXES,
    "table": tuple(TABLE_SUFFIXES),
    "arrays": VALUE_ARRAY_SUFFIXES,
}


def kind_of(path: Path) -> Kind | None:
    """Return the kind of a file, None where its suffix is no known one; arrays are never packed."""
    if path.is_dir():
        return "simulated"
    suffix = unpacked_suffix(path)
    found: Kind | None = next((kind for kind, suffixes in KNOWN.items() if suffix in suffixes), None)
    return None if found == "arrays" and path.suffix.lower() in PACKED else found


def require_kind(path: Path) -> Kind:
    """Return the kind of a file of training data.

    Raises
    ------
    CislensError
        If there is none.
    """
    kind = kind_of(path)
    if kind is None:
        raise CislensError(
            "training data are read from positives (FASTA, or BED with a genome), tables (.csv .tsv), arrays with "
            f"values ({' '.join(VALUE_ARRAY_SUFFIXES)}), and folders of cislens simulate, got {path.name}: rename or "
            "convert it"
        )
    return kind


def unpacked_suffix(path: Path) -> str:
    """Return the suffix in lower case, that before .gz or .bgz where there is one."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""
