"""Reading one-hot arrays."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from cislens.errors import SequenceError
from cislens.sequences import ReadPolicy, Sequences, read_sequences
from cislens.sequences import arrays as arrays_module

STRINGS = ["ACGTA", "TTNCA", "GGGTN"]
ONEHOT = Sequences.from_strings(STRINGS).onehot
CHANNELS_FIRST = ReadPolicy(layout="4,length")


def write(folder: Path, suffix: str, **arrays: np.ndarray) -> Path:
    path = folder / f"x{suffix}"
    if suffix == ".npy":
        np.save(path, next(iter(arrays.values())))
    elif suffix == ".npz":
        np.savez_compressed(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5", ".hdf5"])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float32, float])
def test_arrays_of_every_kind_and_number_type_are_read(tmp_path: Path, suffix: str, dtype: type) -> None:
    read = read_sequences(write(tmp_path, suffix, x=ONEHOT.astype(dtype)))
    assert read.strings() == STRINGS
    assert read.ids == ("seq0", "seq1", "seq2")
    assert read.notes == ()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
def test_channels_first_is_read_only_where_it_is_said(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, suffix, x=ONEHOT.swapaxes(1, 2))
    with pytest.raises(SequenceError, match=r"got \(3, 4, 5\) .*swapaxes\(1, 2\), or say --array-layout 4,length"):
        read_sequences(path)
    assert read_sequences(path, policy=CHANNELS_FIRST).strings() == STRINGS


def test_an_array_whose_axes_could_be_either_is_read_as_it_is_said(tmp_path: Path) -> None:
    square = Sequences.from_strings(["ACCA"]).onehot
    path = write(tmp_path, ".npy", x=square)
    assert read_sequences(path).strings() == ["ACCA"]
    turned = write(tmp_path, ".npy", x=square.swapaxes(1, 2))
    assert read_sequences(turned, policy=CHANNELS_FIRST).strings() == ["ACCA"]


def test_rows_of_a_quarter_are_n_and_noted(tmp_path: Path) -> None:
    soft = np.where(ONEHOT.any(-1, keepdims=True), ONEHOT, 0.25)
    read = read_sequences(write(tmp_path, ".npy", x=soft))
    assert read.strings() == STRINGS
    assert read.notes == ("2 positions with 0.25 for each base read as N",)


@pytest.mark.parametrize("row", [[0.5, 0.5, 0, 0], [1, 1, 0, 0], [2, 0, 0, 0], [np.nan, 0, 0, 0], [0.25, 0.25, 0, 0]])
def test_a_row_that_is_neither_one_hot_nor_n_is_refused_with_its_place(tmp_path: Path, row: list[float]) -> None:
    relaxed = ONEHOT.astype(float)
    relaxed[1, 3] = row
    with pytest.raises(SequenceError, match=r"a single 1.*in sequence 1 at position 3 \(both counted from 0\)"):
        read_sequences(write(tmp_path, ".npy", x=relaxed))


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_one_of_several_arrays_must_be_named(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, suffix, train=ONEHOT, test=ONEHOT[:1], label=np.zeros((3, 1)))
    with pytest.raises(SequenceError, match=r"several arrays could be it: .*(train|test) \(\d, 5, 4\), .*--key NAME"):
        read_sequences(path)
    assert read_sequences(path, key="test").strings() == STRINGS[:1]
    assert read_sequences(f"{path}:train").strings() == STRINGS
    with pytest.raises(SequenceError, match="has no array 'valid': its three-dimensional arrays are"):
        read_sequences(path, key="valid")


def test_the_only_array_that_can_be_sequences_is_found_in_a_group(tmp_path: Path) -> None:
    path = write(tmp_path, ".h5", **{"set/x": ONEHOT, "set/y": np.zeros((3, 2)), "z": np.zeros((3, 7, 2))})
    assert read_sequences(path).strings() == STRINGS
    assert read_sequences(f"{path}:/set/x").strings() == STRINGS


def test_no_array_that_can_be_sequences_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SequenceError, match="no array could be it: its three-dimensional arrays are none"):
        read_sequences(write(tmp_path, ".h5", y=np.zeros((3, 2))))


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_ids_beside_the_array_are_taken(tmp_path: Path, suffix: str) -> None:
    ids = np.array(["a", "b", "a"], dtype="S1" if suffix == ".h5" else None)
    read = read_sequences(write(tmp_path, suffix, x=ONEHOT, ids=ids))
    assert read.ids == ("a", "b", "a#2")
    assert read.notes == ("1 id had come before and got a number (#2, #3, ...)",)


def test_ids_that_are_not_one_a_sequence_are_left_and_noted(tmp_path: Path) -> None:
    read = read_sequences(write(tmp_path, ".npz", x=ONEHOT, ids=np.array(["a"])))
    assert read.ids == ("seq0", "seq1", "seq2")
    assert read.notes == ("the array ids has shape (1,), not (3,), and was not taken for ids",)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(SequenceError, match="opens without unpickling"):
        read_sequences(path)
    # A pickle that nobody asks for does no harm, and is not opened.
    beside = tmp_path / "y.npz"
    np.savez(beside, x=ONEHOT, info=np.array([{"a": 1}], dtype=object))
    assert read_sequences(beside).strings() == STRINGS


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
def test_a_file_that_is_not_what_its_suffix_says_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"not an array")
    with pytest.raises(SequenceError, match="must be an array file that opens without unpickling"):
        read_sequences(path)


def test_an_array_with_other_axes_or_without_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SequenceError, match=r"must have three axes, \(n, length, 4\), got \(5, 4\).*x\[None\]"):
        read_sequences(write(tmp_path, ".npy", x=ONEHOT[0]))
    with pytest.raises(SequenceError, match=r"axis 2 must hold the four bases, got \(3, 5, 5\)"):
        read_sequences(write(tmp_path, ".npy", x=np.zeros((3, 5, 5))))
    with pytest.raises(SequenceError, match="must hold numbers, got <U"):
        read_sequences(write(tmp_path, ".npy", x=ONEHOT.astype(str)))


@pytest.mark.parametrize("suffix", [".npy", ".h5"])
def test_blocks_do_not_show_in_what_is_read(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.random.default_rng(0).integers(0, 4, (50, 7))
    onehot = np.eye(4)[drawn]
    path = write(tmp_path, suffix, x=onehot.swapaxes(1, 2))
    monkeypatch.setattr(arrays_module, "BLOCK_BYTES", 7 * 4 * 8 * 3)
    np.testing.assert_array_equal(read_sequences(path, policy=CHANNELS_FIRST).onehot, onehot)


@pytest.mark.real
def test_a_published_channels_first_file_is_read(real_data: Path) -> None:
    path = real_data / "sequences" / "IRF1_400_h3k27ac.h5"
    with pytest.raises(SequenceError, match=r"X_test \(779, 4, 400\), X_train \(2724, 4, 400\)"):
        read_sequences(path)
    read = read_sequences(path, key="X_test", policy=CHANNELS_FIRST)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(read.onehot.swapaxes(1, 2), file["X_test"][()])
