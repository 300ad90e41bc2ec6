"""Write a package that adds an explainer, ready to be installed and tested."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

import cislens
from cislens.errors import PluginError

# For each file of the package, the template it is made from.
FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "{module}.py": "module.py.txt",
    "test_{module}.py": "test.py.txt",
    "README.md": "README.md.txt",
}


def write(name: str, folder: str | Path) -> Path:
    """Write a complete package for a new explainer: one module, its test, its packaging.

    What is written works and passes its contract as it is.

    Parameters
    ----------
    name
        What the command line will call the explainer, snake_case.
    folder
        Where the package's own folder, `cislens-NAME`, is made.

    Returns
    -------
    Path
        The package's folder.

    Raises
    ------
    PluginError
        If the name is no snake_case word or is taken, or the folder exists.
    """
    from cislens.plugins.registry import registry

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise PluginError(f"the name of an explainer must be in snake_case, such as my_explainer, got {name!r}")
    if name in registry().explainers:
        raise PluginError(f"the name {name!r} belongs to an explainer that is installed: choose another")
    distribution = f"cislens-{name.replace('_', '-')}"
    words = {
        "name": name,
        "distribution": distribution,
        "module": f"cislens_{name}",
        "class_name": "".join(part.capitalize() for part in name.split("_")),
    }
    if words["class_name"] in cislens.__all__ or find_spec(words["module"]) is not None:
        raise PluginError(
            f"the name {name!r} would hide {words['class_name']} of cislens or the installed module {words['module']}: "
            "choose another"
        )
    target = Path(folder) / distribution
    if target.exists():
        raise PluginError(f"{target} must not exist yet, but does: choose another name or folder, or remove it")
    target.mkdir(parents=True)
    for file, source in FILES.items():
        text = (files("cislens.plugins") / "template_files" / source).read_text(encoding="utf-8")
        (target / file.format(**words)).write_text(Template(text).substitute(words), encoding="utf-8")
    return target
