"""Files of arrays: one-hot sequences, and values for them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens.sequences import ReadPolicy, Sequences, read_sequences
from cislens.sequences.arrays import ArrayFile, opened_arrays
from cislens.sequences.files import require_file
from cislens.sequences.policy import Layout
from cislens.sequences.record import region_in_name
from cislens.training.labelled import Labelled, as_values
from cislens.training.options import DataOptions
from cislens.training.splits import Parts

Shapes = dict[str, tuple[int, ...]]
Names = dict[str, str]  # of arrays, by the part of the split that they hold; WHOLE where the file is not split

WHOLE = ""
SUFFIXES = {"train": "train", "valid": "validation", "validation": "validation", "val": "validation", "test": "test"}
PARTS = ("train", "validation", "test")
SEQUENCES, VALUES = "x", "y"


def read_value_arrays(path: Path, options: DataOptions) -> Labelled:
    """Read one-hot sequences and their values from the arrays of an .npz or .h5 file.

    Sequences are the array that `options.sequences` names, else X, else the only one with three axes that could be;
    values are those that `options.values` names, else Y, else the only one with a row for each sequence. Upper and
    lower case are alike. Where there are X_train, X_valid (also X_val or X_validation) and X_test instead, the split is
    kept. Sequences may be (n, length, 4) or (n, 4, length), of any number type; values (n,) or (n, outputs).

    Raises
    ------
    CislensError
        If an array is not there, more than one could be meant, or sequences and values do not agree.
    """
    require_file(path, "the file of arrays")
    try:
        with opened_arrays(path) as file:
            shapes = file.shapes
            found = _sequence_names(shapes, options.sequences, path)
            valued = _value_names(shapes, options.values, found, path)
            values = [{part: _values(file, name) for part, name in names.items()} for names in valued]
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise CislensError(
            f"{path} must be a file of arrays that opens without unpickling, but does not ({error}): save it anew"
        ) from None
    pieces: dict[str, Sequences] = {}
    length = options.length
    for part, name in found.items():
        policy = ReadPolicy(layout=options.layout or _layout(shapes[name], name))
        pieces[part] = read_sequences(path, length=length, fit=options.fit, key=name, policy=policy)
        length = pieces[part].length
        for names in valued:
            _check_rows(shapes, name, names[part])
    outputs = [label for names, those in zip(valued, values, strict=True) for label in _outputs(names, those)]
    numbers = np.concatenate([np.concatenate([those[part] for those in values], 1) for part in found])
    parts = None if WHOLE in found else _parts({part: len(piece) for part, piece in pieces.items()})
    return Labelled(_joined(pieces), numbers, tuple(outputs), parts=parts)


def _sequence_names(shapes: Shapes, named: str | None, path: Path) -> Names:
    names = _by_part(shapes, named or SEQUENCES, path)
    if names:
        return names
    if named is not None:
        raise CislensError(f"{path.name} has no array {named!r}: its arrays are {_listed(shapes)}")
    fitting = [name for name, shape in shapes.items() if len(shape) == 3 and 4 in shape[1:]]
    if len(fitting) != 1:
        raise CislensError(
            f"one array of {path.name} must hold the sequences, (n, length, 4) or (n, 4, length), but "
            f"{len(fitting) or 'none'} could: call it X, or name it with --sequences NAME (in Python, sequences=); "
            f"its arrays are {_listed(shapes)}"
        )
    return {WHOLE: fitting[0]}


def _value_names(shapes: Shapes, named: tuple[str, ...], sequences: Names, path: Path) -> list[Names]:
    """Return the names by part of each array of values."""
    found = {stem: _by_part(shapes, stem, path) for stem in named or (VALUES,)}
    if not named and not found[VALUES]:
        found = {name: {WHOLE: name} for name in _beside(shapes, sequences)}
        if len(found) != 1:
            raise CislensError(
                f"one array of {path.name} must hold a row of values for each sequence, but {len(found) or 'none'} "
                "could: call it Y, or name one or more with --values NAME (in Python, values=); its arrays are "
                f"{_listed(shapes)}"
            )
    for stem, names in found.items():
        if names.keys() != sequences.keys():
            raise CislensError(
                f"each array of sequences must come with its values, but those of {path.name} are "
                f"{_shown(sequences)}, and of {stem!r} there is {_shown(names)}: its arrays are {_listed(shapes)}"
            )
    return [{part: names[part] for part in sequences} for names in found.values()]


def _by_part(shapes: Shapes, stem: str, path: Path) -> Names:
    """Return the array of a name, or those that add _train, _valid and _test to it; none where there are neither."""
    exact = [name for name in shapes if name == stem] or [name for name in shapes if name.lower() == stem.lower()]
    if exact:
        return {WHOLE: exact[0]}
    names: Names = {}
    for name in shapes:
        before, _, suffix = name.lower().rpartition("_")
        part = SUFFIXES.get(suffix) if before == stem.lower() else None
        if part in names:
            raise CislensError(f"{path.name} must hold one array of the {part} part, got {names[part]} and {name}")
        if part is not None:
            names[part] = name
    if names and "train" not in names:
        raise CislensError(f"{path.name} must hold a training part, got {_shown(names)} alone")
    return {part: names[part] for part in PARTS if part in names}


def _beside(shapes: Shapes, sequences: Names) -> list[str]:
    n = shapes[next(iter(sequences.values()))][0]
    return [name for name, shape in shapes.items() if len(shape) in (1, 2) and shape[0] == n and name.lower() != "ids"]


def _layout(shape: tuple[int, ...], name: str) -> Layout:
    if len(shape) != 3 or 4 not in shape[1:]:
        raise CislensError(f"sequences must be (n, length, 4) or (n, 4, length), got {shape} in {name}")
    if shape[1] == shape[2]:
        raise CislensError(
            f"the shape of sequences must tell bases from positions, got {shape} in {name}: say --array-layout "
            "length,4 or 4,length (in Python, layout=)"
        )
    return "length,4" if shape[2] == 4 else "4,length"


def _values(file: ArrayFile, name: str) -> npt.NDArray[np.float32]:
    stored: npt.NDArray[Any] = np.asarray(file.array(name)[()])
    if stored.ndim not in (1, 2) or stored.dtype.kind not in "biuf":
        raise CislensError(f"values must be numbers (n,) or (n, outputs), got {stored.dtype} {stored.shape} in {name}")
    return as_values(stored)


def _check_rows(shapes: Shapes, sequences: str, values: str) -> None:
    n, rows = shapes[sequences][0], shapes[values][0]
    if n != rows:
        raise CislensError(f"{values} must hold a row for each of the {n:,} sequences of {sequences}, got {rows:,}")


def _parts(sizes: dict[str, int]) -> Parts:
    """Return the places of parts that stand one after the other."""
    ends = dict(zip(sizes, np.cumsum(list(sizes.values())), strict=True))
    ranges = {part: np.arange(end - sizes[part], end) for part, end in ends.items()}
    return Parts(**{part: ranges.get(part, np.zeros(0, np.intp)) for part in PARTS})


def _outputs(names: Names, values: dict[str, npt.NDArray[np.float32]]) -> list[str]:
    """Name the columns of an array of values after it, without its part, numbered where there are several."""
    stem = names[WHOLE] if WHOLE in names else names["train"].rpartition("_")[0]
    widths = {those.shape[1] for those in values.values()}
    if len(widths) > 1:
        raise CislensError(f"the parts of {stem} must hold the same number of values a sequence, got {sorted(widths)}")
    width = widths.pop()
    return [stem] if width == 1 else [f"{stem}{i}" for i in range(width)]


def _joined(pieces: dict[str, Sequences]) -> Sequences:
    """Put parts one after the other; the id of a sequence begins with its part where there are several."""
    ids, regions, dropped, notes = [], [], [], []
    for part, piece in pieces.items():
        before = f"{part}/" if part else ""
        ids += [before + name for name in piece.ids]
        regions += [region_in_name(name, piece.length) for name in piece.ids]
        dropped += [drop._replace(id=before + drop.id) for drop in piece.dropped]
        notes += [f"{part}: {note}" if part else note for note in piece.notes]
    onehot = np.concatenate([piece.onehot for piece in pieces.values()])
    return Sequences(onehot, tuple(ids), tuple(regions), tuple(dropped), tuple(notes))


def _shown(names: Names) -> str:
    return ", ".join(names.values()) or "none"


def _listed(shapes: Shapes) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "none"
