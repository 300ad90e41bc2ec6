"""Load weights from HDF5 files without ever leaving a layer at its initial values in silence.

Keras itself can: `load_weights(by_name=True)` on a model whose layers are named otherwise loads nothing and says so to
nobody. Here the arrays are read and matched to the model's, by name where all names and shapes agree, else by order and
shape; anything left over on either side is an error, and what was loaded is compared with the file afterwards.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import OracleError
from cislens_keras.archive import WEIGHTS, check_archive, check_hdf5, refuse_other_files, unpacked

Array = npt.NDArray[Any]
MOST_LISTED = 60  # layers a side in an error
# Parts of a file that are no weights.
NO_WEIGHTS = re.compile(r"(^|/)(optimizer|seed_generator\w*|_metrics|metrics|_loss_tracker)(/|$)")


@dataclass(frozen=True)
class Entry:
    """Hold the arrays of one layer, of a file or of a model.

    Parameters
    ----------
    label
        Where they are kept, unique.
    name
        The layer's own name, empty where the file does not say.
    arrays
        In the order of the layer's weights.
    """

    label: str
    name: str
    arrays: tuple[Array, ...]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each array."""
        return tuple(array.shape for array in self.arrays)

    def __str__(self) -> str:
        return f"{self.name or self.label}: {' '.join(map(str, self.shapes))}"


def load_weights(model: Any, path: Path, label: str) -> None:
    """Give a built Keras model the weights of a file: all of the file to all of the model.

    Parameters
    ----------
    model
        A built model; its weights are overwritten.
    path
        .h5 or .hdf5 of Keras 1 and 2 (weights or a whole model), .weights.h5 or .keras of Keras 3.
    label
        What errors call the model.

    Raises
    ------
    OracleError
        If the file is none of these, or its arrays and the model's do not match; the sentence lists both.
    """
    with weights_file(path) as (file, opened):
        if _is_legacy(opened):
            _load_legacy(model, opened, path, label)
        else:
            _load_current(model, file, opened, (path, label))


@contextmanager
def weights_file(path: Path) -> Iterator[tuple[Path, Any]]:
    """Give the HDF5 file that holds the weights, taken out of a .keras archive where it is one, and open it.

    What HDF5 finds wrong while it is read is an `OracleError`.
    """
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        file = path
        if path.suffix.lower() == ".keras":
            check_archive(path)
            file = unpacked(path, WEIGHTS, Path(folder) / WEIGHTS)
        check_hdf5(file, path)
        try:
            with h5py.File(file, "r") as opened:
                refuse_other_files(opened, file, path)
                yield file, opened
        except (OSError, KeyError, RuntimeError, SystemError) as error:  # h5py raises any of them for a damaged file
            raise OracleError(f"{path} must be a whole HDF5 file, but it is damaged or cut short: {error}") from error


# ---- the layout of Keras 1 and 2: layers by name, with attributes that give the order ------------------


def attribute_names(group: Any, name: str) -> list[str] | None:
    """Return a list of names kept in attributes, cut into chunks where it is long."""
    if name in group.attrs:
        chunks = [group.attrs[name]]
    else:
        chunks = []
        while f"{name}{len(chunks)}" in group.attrs:
            chunks.append(group.attrs[f"{name}{len(chunks)}"])
        if not chunks:
            return None
    return [part.decode() if isinstance(part, bytes) else str(part) for chunk in chunks for part in chunk]


def _is_legacy(opened: Any) -> bool:
    return attribute_names(opened["model_weights"] if "model_weights" in opened else opened, "layer_names") is not None


def _legacy_entries(group: Any) -> list[Entry]:
    names = attribute_names(group, "layer_names") or []
    if "top_level_model_weights" in group and "top_level_model_weights" not in names:
        names = [*names, "top_level_model_weights"]
    entries = []
    for name in names:
        weights = attribute_names(group[name], "weight_names") or []
        if weights:
            entries.append(Entry(name, name, tuple(np.asarray(group[name][weight]) for weight in weights)))
    return entries


def _load_legacy(model: Any, opened: Any, path: Path, label: str) -> None:
    group = opened["model_weights"] if "model_weights" in opened else opened
    stored = _legacy_entries(group)
    layers = [layer for layer in model.layers if layer.weights]
    variables = [layer.trainable_weights + layer.non_trainable_weights for layer in layers]
    wanted = [
        Entry(layer.name, layer.name, tuple(variable.numpy() for variable in own))
        for layer, own in zip(layers, variables, strict=True)
    ]
    backend = opened.attrs.get("backend", group.attrs.get("backend", b""))
    flipped = (backend.decode() if isinstance(backend, bytes) else str(backend)) == "theano"
    pairs = _matched(stored, wanted, (path, label), _as_of_today)
    for layer, own, entry in zip(layers, variables, pairs, strict=True):
        arrays = [*entry.arrays]
        if flipped and "conv" in type(layer).__name__.lower():
            arrays[0] = arrays[0][tuple(slice(None, None, -1) for _ in range(arrays[0].ndim - 2))]
        for variable, array in zip(own, arrays, strict=True):
            variable.assign(array)
            _verify(variable.numpy(), array, f"{entry.label} in {path}")


def _as_of_today(stored: Entry, wanted: Entry) -> Entry:
    """Return a file's arrays in today's shape: Keras 1 kept the kernel of a Conv1D with four axes."""
    if stored.shapes and wanted.shapes and len(stored.shapes[0]) == 4 and len(wanted.shapes[0]) == 3:
        kernel = stored.arrays[0]
        width, channels, filters = wanted.shapes[0]
        if kernel.shape == (filters, channels, width, 1):
            kernel = kernel.transpose(2, 3, 1, 0)
        if kernel.shape == (width, 1, channels, filters):
            return Entry(stored.label, stored.name, (kernel[:, 0], *stored.arrays[1:]))
    return stored


# ---- the layout of Keras 3: a tree named after classes -------------------------------------------------


def _natural(text: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", text)]


def current_entries(opened: Any) -> list[Entry]:
    """Return the layers of a file of Keras 3, in the order of the names that it gives them."""
    import h5py

    found: list[Entry] = []

    def visit(name: str, group: Any) -> None:
        if not isinstance(group, h5py.Group) or name.rsplit("/", 1)[-1] != "vars" or NO_WEIGHTS.search(name):
            return
        keys = sorted((str(key) for key in group if isinstance(group[key], h5py.Dataset)), key=_natural)
        if keys:
            arrays = tuple(np.asarray(group[key]) for key in keys)
            found.append(Entry(name, str(group.attrs.get("name", "")), arrays))

    opened.visititems(visit)
    return sorted(found, key=lambda entry: _natural(entry.label))


def _load_current(model: Any, file: Path, opened: Any, labels: tuple[Path, str]) -> None:
    """Rewrite the file in the model's own layout, let Keras load that, and compare what the model holds then."""
    import h5py

    stored = current_entries(opened)
    if not stored:
        raise OracleError(f"{labels[0]} must hold the weights of a Keras model, but none were found in it")
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "own.weights.h5"
        _save(model, own)
        with h5py.File(own, "r+") as target:
            wanted = current_entries(target)
            pairs = _matched(stored, wanted, labels, lambda entry, _: entry)
            for place, entry in zip(wanted, pairs, strict=True):
                group: Any = target[place.label]
                for key, array in zip(sorted(group, key=_natural), entry.arrays, strict=True):
                    group[key][...] = array
        model.load_weights(own)
        _save(model, own)
        with h5py.File(own, "r") as loaded:
            for held, entry in zip(current_entries(loaded), pairs, strict=True):
                for left, right in zip(held.arrays, entry.arrays, strict=True):
                    _verify(left, right, f"{entry.label} in {labels[0]}")


def _save(model: Any, file: Path) -> None:
    with warnings.catch_warnings():
        # Keras asks TensorFlow's variables for arrays in a way that NumPy 2 deprecates.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        model.save_weights(file, overwrite=True)


# ---- both ----------------------------------------------------------------------------------------------


def _matched(
    stored: Sequence[Entry],
    wanted: Sequence[Entry],
    labels: tuple[Path, str],
    fit: Callable[[Entry, Entry], Entry],
) -> list[Entry]:
    """Return for each of the model's entries the file's one: by label, by name, else by order."""
    for field in ("label", "name"):
        by_key = {str(getattr(entry, field)): entry for entry in stored}
        own = [str(getattr(entry, field)) for entry in wanted]
        if len(by_key) == len(stored) == len(wanted) and by_key.keys() == set(own):
            pairs = [fit(by_key[key], entry) for key, entry in zip(own, wanted, strict=True)]
            if all(pair.shapes == entry.shapes for pair, entry in zip(pairs, wanted, strict=True)):
                return pairs
    if len(stored) == len(wanted):
        pairs = [fit(*pair) for pair in zip(stored, wanted, strict=True)]
        if all(pair.shapes == entry.shapes for pair, entry in zip(pairs, wanted, strict=True)):
            return pairs
    raise OracleError(
        f"the weights in {labels[0]} must be those of {labels[1]}, layer by layer, but the file holds "
        f"[{_listed(stored)}] and the model wants [{_listed(wanted)}]: rebuild the architecture that was saved"
    )


def _listed(entries: Sequence[Entry]) -> str:
    shown = "; ".join(map(str, entries[:MOST_LISTED]))
    return shown + ("; ..." if len(entries) > MOST_LISTED else "") if entries else "no weights"


def _verify(held: Array, stored: Array, where: str) -> None:
    if not np.array_equal(held, stored.astype(held.dtype), equal_nan=held.dtype.kind == "f"):
        raise OracleError(f"the model must hold the weights {where} after loading, but it holds others")
