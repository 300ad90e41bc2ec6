"""What `cislens plugins new` writes."""

from __future__ import annotations

import json
import tomllib

import pytest

from cislens.errors import PluginError
from cislens.plugins.template import write


def test_a_written_package_is_complete(tmp_path) -> None:
    folder = write("my_explainer", tmp_path)
    assert folder == tmp_path / "cislens-my-explainer"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["README.md", "cislens_my_explainer.py", "pyproject.toml", "test_cislens_my_explainer.py"]
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "cislens-my-explainer"
    assert project["entry-points"]["cislens"] == {"my_explainer": "cislens_my_explainer"}
    for path in folder.iterdir():
        assert "$" not in path.read_text(), f"{path.name} has a placeholder left"


def test_a_written_package_is_installed_found_and_passes_its_own_tests(fresh_environment, tmp_path) -> None:
    folder = write("my_explainer", tmp_path / "work")
    fresh_environment.install(folder)
    listed = json.loads(fresh_environment.run("-m", "cislens", "plugins", "--json"))
    (found,) = [explainer for explainer in listed["explainers"] if explainer["name"] == "my_explainer"]
    assert found["summary"] == "Blank each base in turn, and take what the prediction loses."
    said = fresh_environment.run("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(folder))
    assert " passed" in said
    assert "skipped" not in said


@pytest.mark.parametrize("name", ["My-Explainer", "2nd", "", "class", "_x", "a b", "../up"])
def test_a_name_that_is_no_snake_case_word_is_refused(name, tmp_path) -> None:
    with pytest.raises(PluginError, match="must be in snake_case, such as my_explainer, got"):
        write(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("ism", "belongs to an explainer that is installed"),
        ("gradients", "would hide .* the installed module cislens_gradients"),
        ("explainer", "would hide Explainer of cislens"),
    ],
)
def test_a_name_that_is_taken_is_refused(name, sentence, tmp_path) -> None:
    with pytest.raises(PluginError, match=sentence):
        write(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_left_alone(tmp_path) -> None:
    written = write("my_explainer", tmp_path) / "cislens_my_explainer.py"
    written.write_text("mine")
    with pytest.raises(PluginError, match="must not exist yet"):
        write("my_explainer", tmp_path)
    assert written.read_text() == "mine"
