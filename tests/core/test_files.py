"""Files that are there whole or not at all."""

from __future__ import annotations

import pytest

from cislens.files import UNFINISHED, remove_unfinished, whole_file, write_text


def test_a_file_gets_its_name_once_it_is_whole(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with whole_file(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
        assert UNFINISHED in unfinished.name
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_on_the_way_leaves_the_old_file_alone(tmp_path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \udc80")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_of_a_file_is_removed_and_nothing_else(tmp_path) -> None:
    for name in ("a.tsv", "a.tsv.gz", f"a.tsv{UNFINISHED}77", f"a.tsv.gz{UNFINISHED}77"):
        (tmp_path / name).write_text("")
    remove_unfinished(tmp_path / "a.tsv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tsv", "a.tsv.gz", f"a.tsv.gz{UNFINISHED}77"]
