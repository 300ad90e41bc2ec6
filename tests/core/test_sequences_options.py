"""The command line's options reach the reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cislens.cli.sequence_options import SequenceOptions
from cislens.sequences import Sequences

DEFAULTS: dict[str, Any] = {
    "genome": None,
    "length": "error",
    "lowercase": "keep",
    "ambiguous": "n",
    "key": None,
    "array_layout": "length,4",
}


@pytest.mark.parametrize(
    ("given", "length", "expected"),
    [
        ({}, 6, ["ACNTGN"]),
        ({"length": "crop-left"}, 4, ["ACNT"]),
        ({"lowercase": "n"}, None, ["ACNTNN"]),
    ],
)
def test_options_for_letters_and_lengths_are_heeded(
    given: dict, length: int | None, expected: list, tmp_path: Path
) -> None:
    (tmp_path / "x.fa").write_text(">a\nACRTgn\n")
    assert SequenceOptions(DEFAULTS | given).read(str(tmp_path / "x.fa"), length).strings() == expected


def test_options_for_genomes_and_arrays_are_heeded(tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(">c\nACGTACGT\n")
    (tmp_path / "x.bed").write_text("c\t2\t5\n")
    options = SequenceOptions(DEFAULTS | {"genome": str(tmp_path / "g.fa")})
    assert options.read(str(tmp_path / "x.bed"), 3).strings() == ["GTA"]
    first = Sequences.from_strings(["ACGTA"]).onehot.swapaxes(1, 2)
    np.savez(tmp_path / "x.npz", one=first, two=first[:, :, ::-1])
    options = SequenceOptions(DEFAULTS | {"key": "two", "array_layout": "4,length"})
    assert options.read(str(tmp_path / "x.npz"), 5).strings() == ["ATGCA"]
