from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest


class FreshEnvironment:
    """A virtual environment that sees what is installed here, and what pip installs into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder / "venv", with_pip=False)
        self.python = str(folder / "venv" / "bin" / "python")
        (site,) = folder.glob("venv/lib/python*/site-packages")
        here = sysconfig.get_paths()["purelib"]
        # addsitedir reads the .pth files there, too, through which an editable cislens is found.
        (site / "parent.pth").write_text(f"import site; site.addsitedir({here!r})\n")

    def install(self, package: Path) -> None:
        """Install a copy of a package's source, without network."""
        copy = shutil.copytree(package, self.folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
        options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
        self._run(sys.executable, "-m", "pip", "--python", self.python, "install", *options, str(copy))

    def run(self, *arguments: str) -> str:
        """Run Python with arguments, and return what it prints."""
        return self._run(self.python, *arguments)

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def fresh_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FreshEnvironment:
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    return FreshEnvironment(tmp_path)
