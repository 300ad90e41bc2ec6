"""Arrays of sequences with arrays of values."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from cislens.errors import CislensError
from cislens.sequences import Sequences
from cislens.training import ArrayData, DataOptions, read_training_data
from cislens.training.labelled import Labelled
from cislens.training.value_arrays import read_value_arrays

N = 30
ONEHOT = np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (N, 7))]
VALUES = np.linspace(-1, 2, N)


def write(folder: Path, suffix: str, **arrays: np.ndarray) -> Path:
    path = folder / f"d{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)  # type: ignore[arg-type]
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    return path


def read(path: Path, **options: object) -> Labelled:
    return read_value_arrays(path, DataOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".hdf5"])
@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float16, np.float64, np.int64])
@pytest.mark.parametrize("channels_first", [False, True])
def test_both_layouts_and_every_number_type_are_read(
    suffix: str, dtype: type, channels_first: bool, tmp_path: Path
) -> None:
    stored = ONEHOT.swapaxes(1, 2) if channels_first else ONEHOT
    labelled = read(write(tmp_path, suffix, X=stored.astype(dtype), Y=VALUES))
    assert np.array_equal(labelled.sequences.onehot, ONEHOT)
    assert np.array_equal(labelled.values, VALUES.astype(np.float32)[:, None])
    assert (labelled.outputs, labelled.parts) == (("Y",), None)


@pytest.mark.parametrize("names", [("x", "y"), ("X", "Y"), ("seqs", "signal")])
def test_names_are_found_where_only_one_can_be_meant(names: tuple[str, str], tmp_path: Path) -> None:
    path = write(tmp_path, ".npz", **{names[0]: ONEHOT, names[1]: VALUES, "other": np.zeros(3)})
    assert read(path).outputs == (names[1],)


def test_several_arrays_of_values_stand_side_by_side(tmp_path: Path) -> None:
    path = write(tmp_path, ".h5", X=ONEHOT, a=VALUES, b=np.stack([VALUES + 1, VALUES + 2], 1))
    labelled = read(path, values=("b", "a"))
    assert labelled.outputs == ("b0", "b1", "a")
    assert np.allclose(labelled.values, VALUES[:, None] + [1, 2, 0], atol=1e-6)


@pytest.mark.parametrize("valid", ["valid", "val", "validation"])
@pytest.mark.parametrize("stems", [("X", "Y"), ("x", "y"), ("onehot", "Dev")])
def test_the_split_of_a_file_is_kept(valid: str, stems: tuple[str, str], tmp_path: Path) -> None:
    cuts = {"test": slice(20, 30), "train": slice(0, 14), valid: slice(14, 20)}
    arrays = {f"{stems[0]}_{part}": ONEHOT[cut].swapaxes(1, 2) for part, cut in cuts.items()}
    arrays |= {f"{stems[1]}_{part}": VALUES[cut, None] for part, cut in cuts.items()}
    named = DataOptions(sequences="onehot", values=("Dev",)) if stems[0] == "onehot" else DataOptions()
    data = read_training_data(write(tmp_path, ".h5", **arrays), named)
    assert isinstance(data, ArrayData)
    assert data.outputs == (stems[1],)
    held = {"validation": cuts[valid], "test": cuts["test"]}
    for part, cut in held.items():
        examples = data.held_out(part)  # type: ignore[arg-type]
        assert np.array_equal(examples.onehot, ONEHOT[cut])
        assert np.array_equal(examples.values[:, 0], VALUES[cut].astype(np.float32))
    trained = data.examples.take(data.parts.train)
    assert np.array_equal(trained.onehot, ONEHOT[cuts["train"]])
    assert "the file's own split is kept" in data.record()["notes"]


def test_a_part_that_the_file_lacks_is_drawn_from_training_and_told(tmp_path: Path) -> None:
    path = write(tmp_path, ".npz", X_train=ONEHOT[:20], Y_train=VALUES[:20], X_test=ONEHOT[20:], Y_test=VALUES[20:])
    record = read_training_data(path).record()
    assert record["sizes"] == {"train": 18, "validation": 2, "test": 10}
    assert record["notes"] == ["the file's own split is kept, validation drawn from its training part"]


def test_a_held_out_sequence_that_is_also_trained_on_is_told(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        ".npz",
        **{"x_train": ONEHOT[:20], "y_train": VALUES[:20], "x_valid": ONEHOT[20:25], "y_valid": VALUES[20:25]},
        **{"x_test": np.concatenate([ONEHOT[3:4, ::-1, ::-1], ONEHOT[25:]]), "y_test": VALUES[:6]},
    )
    assert any(
        note.startswith("1 held-out example also trained on") for note in read_training_data(path).record()["notes"]
    )


def test_ids_with_coordinates_allow_a_split_by_chromosome(tmp_path: Path) -> None:
    ids = np.array([f"chr{i % 3}:{i}-{i + 7}" for i in range(N)])
    options = DataOptions(validation=("chr1",), test=("chr2",))
    data = read_training_data(write(tmp_path, ".npz", X=ONEHOT, Y=VALUES, ids=ids), options)
    assert np.array_equal(data.held_out("test").values[:, 0], VALUES[2::3].astype(np.float32))


def relaxed() -> np.ndarray:
    onehot = ONEHOT.astype(float)
    onehot[2, 3] = 0.5
    return onehot


@pytest.mark.parametrize(
    ("arrays", "options", "sentence"),
    [
        ({"a": ONEHOT, "b": ONEHOT, "Y": VALUES}, {}, r"one array of d.npz must hold the sequences.*but 2 could"),
        ({"Y": VALUES}, {}, r"must hold the sequences.*but none could: .*its arrays are Y \(30,\)"),
        ({"X": ONEHOT}, {}, r"a row of values for each sequence, but none could: call it Y"),
        ({"X": ONEHOT, "a": VALUES, "b": VALUES}, {}, r"a row of values for each sequence, but 2 could"),
        ({"X": ONEHOT, "Y": VALUES[:5]}, {}, r"Y must hold a row for each of the 30 sequences of X, got 5"),
        ({"X": ONEHOT, "Y": VALUES}, {"sequences": "Z"}, r"d.npz has no array 'Z': its arrays are X \(30, 7, 4\), Y"),
        ({"X": ONEHOT, "Y": VALUES}, {"values": ("Z",)}, r"come with its values.* are X, and of 'Z' there is none"),
        ({"X": ONEHOT[:, :4], "Y": VALUES}, {}, r"must tell bases from positions, got \(30, 4, 4\).*--array-layout"),
        (
            {"X": ONEHOT[..., :3], "Y": VALUES},
            {},
            r"must be \(n, length, 4\) or \(n, 4, length\), got \(30, 7, 3\) in X",
        ),
        ({"X": relaxed(), "Y": VALUES}, {}, r"each position must hold a single 1.*sequence 2 at position 3"),
        ({"X": ONEHOT, "Y": np.array(["a"] * N)}, {}, r"values must be numbers \(n,\) or \(n, outputs\), got <U1"),
        ({"X": ONEHOT, "Y": np.zeros((N, 2, 2))}, {}, r"values must be numbers .*got float64 \(30, 2, 2\) in Y"),
        ({"X": ONEHOT, "Y": np.where(np.arange(N) == 7, np.nan, VALUES)}, {}, r"got nan as 'Y' of 'seq7'"),
        ({"X_train": ONEHOT, "Y_train": VALUES, "X_test": ONEHOT}, {}, r"come with its values, but.*X_test.*Y_train"),
        ({"X_test": ONEHOT, "Y_test": VALUES}, {}, r"must hold a training part, got X_test alone"),
        ({"X_val": ONEHOT, "X_valid": ONEHOT}, {}, r"one array of the validation part, got X_val and X_valid"),
        ({"X": ONEHOT, "Y": VALUES}, {"length": 5}, r"sequences must be 5 bp long, got 30 of 7 bp"),
        ({"X": ONEHOT, "Y": VALUES}, {"negatives": "gc"}, r"negatives are for positives.*d.npz brings values"),
        ({"X": ONEHOT, "Y": VALUES}, {"task": "binary"}, r"binary task must be 0 or 1, got -1 for 'seq0'"),
    ],
)
def test_arrays_that_do_not_say_enough_are_refused(arrays: dict, options: dict, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(CislensError, match=sentence):
        read_training_data(write(tmp_path, ".npz", **arrays), DataOptions(**options))


def test_missing_values_are_named_by_their_part(tmp_path: Path) -> None:
    gap = np.where(np.arange(5) == 2, np.nan, VALUES[:5])
    path = write(tmp_path, ".h5", X_train=ONEHOT[:20], Y_train=VALUES[:20], X_val=ONEHOT[20:25], Y_val=gap)
    with pytest.raises(CislensError, match="got nan as 'Y' of 'validation/seq2'"):
        read(path)


def test_parts_of_unequal_length_or_width_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ".h5", X_train=ONEHOT, Y_train=VALUES, X_test=ONEHOT[:, :5], Y_test=VALUES)
    with pytest.raises(CislensError, match="sequences must be 7 bp long, got 30 of 5 bp"):
        read(path)
    path = write(tmp_path, ".npz", X_train=ONEHOT, Y_train=VALUES, X_test=ONEHOT, Y_test=np.zeros((N, 2)))
    with pytest.raises(
        CislensError, match=r"the parts of Y must hold the same number of values a sequence, got \[1, 2\]"
    ):
        read(path)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_a_broken_file_is_a_sentence(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"d{suffix}"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(CislensError, match="must be a file of arrays that opens without unpickling, but does not"):
        read(path)


def test_a_square_array_is_read_as_it_is_said(tmp_path: Path) -> None:
    square = Sequences.from_strings(["ACCA", "GGTA"]).onehot
    path = write(tmp_path, ".npz", X=square.swapaxes(1, 2), Y=VALUES[:2])
    assert read(path, layout="4,length").sequences.strings() == ["ACCA", "GGTA"]
