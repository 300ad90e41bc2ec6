"""Every example of the documentation is run, and every command and setting is documented."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

import cislens

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "examples" not in path.parts)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]


def helper() -> ModuleType:
    """Load the neighbour file: with --import-mode=importlib the tests are no package."""
    spec = importlib.util.spec_from_file_location("documentation", Path(__file__).with_name("documentation.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["documentation"] = module
    spec.loader.exec_module(module)
    return module


DOCUMENTATION = helper()
EXAMPLES = {str(path.relative_to(ROOT)): list(DOCUMENTATION.examples(path.read_text("utf-8"))) for path in PAGES}
LEFT_OUT = [(page, example) for page, found in EXAMPLES.items() for example in found if example.skipped]
WITH_EXAMPLES = [
    # A page of commands starts many processes, each of which imports a framework.
    pytest.param(page, marks=[pytest.mark.slow] if any(example.language != "python" for example in found) else [])
    for page, found in EXAMPLES.items()
    if any(not example.skipped for example in found)
]


@pytest.mark.torch
@pytest.mark.keras
@pytest.mark.parametrize("page", WITH_EXAMPLES)
def test_the_examples_of_a_page_do_what_it_says(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    reader = DOCUMENTATION.Reader(tmp_path)
    for example in EXAMPLES[page]:
        if not example.skipped:
            reader.follow(example, page)


@pytest.mark.parametrize(("page", "example"), LEFT_OUT, ids=[f"{p}:{e.line}" for p, e in LEFT_OUT])
def test_an_example_that_is_not_run_gives_its_reason(page: str, example: object) -> None:
    pytest.skip(f"not run: {example.skipped}")  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", EXAMPLES)
def test_no_example_hides_in_indented_code(page: str) -> None:
    assert DOCUMENTATION.unseen((ROOT / page).read_text("utf-8")) == []


def test_the_reference_names_everything_that_is_public() -> None:
    reference = "".join(path.read_text("utf-8") for path in (ROOT / "docs" / "reference").glob("*.md"))
    # CislensError stands with the other errors, hookimpl with the hooks.
    missing = [name for name in cislens.__all__ if f"cislens.{name}\n" not in reference]
    assert set(missing) <= {"CislensError", "hookimpl"}


def test_the_reference_shows_the_help_of_every_command() -> None:
    from cislens.cli.app import app

    page = (ROOT / "docs" / "reference" / "command-line.md").read_text("utf-8")
    names = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]
    assert all(f"{{{{ help {name} }}}}" in page for name in names)


def test_every_page_is_reached_from_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in PAGES if "docs" in path.parts]
    assert [page for page in pages if page not in navigation] == []


def modules() -> list[str]:
    found = pkgutil.walk_packages(cislens.__path__, "cislens.")
    return ["cislens", *(m.name for m in found if ".demo" not in m.name and not m.name.endswith("__main__"))]


@pytest.mark.parametrize("name", modules())
def test_the_examples_in_docstrings_hold(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_a_page_that_shows_what_does_not_happen_fails(tmp_path: Path) -> None:
    page = "```console\n$ echo one two\none ...\n```\n\n```console\n$ echo one\nthree\n```\n"
    good, bad = DOCUMENTATION.examples(page)
    reader = DOCUMENTATION.Reader(tmp_path)
    reader.follow(good, "page")
    with pytest.raises(AssertionError, match="must print"):
        reader.follow(bad, "page")


def test_a_command_that_fails_fails_its_page_unless_it_is_meant_to(tmp_path: Path) -> None:
    meant, unmeant = DOCUMENTATION.examples("<!-- ends with 3 -->\n```console\n$ exit 3\n```\n```bash\nexit 3\n```\n")
    reader = DOCUMENTATION.Reader(tmp_path)
    reader.follow(meant, "page")
    with pytest.raises(AssertionError, match="ended with 3"):
        reader.follow(unmeant, "page")
