"""Who may import whom, and what an import may load."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORKS = {"torch", "tensorflow", "keras", "onnxruntime", "onnx", "jax"}
HEAVY = {*FRAMEWORKS, "matplotlib", "pandas", "zarr", "h5py", "scipy", "jinja2"}
FRAMEWORKS_OF = {
    "cislens_torch": {"torch"},
    "cislens_keras": {"keras", "tensorflow"},
    "cislens_onnx": {"onnx", "onnxruntime", "torch"},
}
# The ONNX adapter executes graphs in torch, which shows their inside through the adapter for torch.
ADAPTERS_OF = {"cislens_onnx": {"cislens_torch"}}
ADAPTERS = sorted(path for path in (ROOT / "adapters").iterdir() if (path / "__init__.py").exists())
PLUGINS = sorted(path for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists())
OURS = {"cislens", *(path.name for path in (*ADAPTERS, *PLUGINS))}
# The demo's checkpoint comes with its network, as a user's does; it is opened, never imported.
CHECKPOINT = ROOT / "core" / "cislens" / "demo" / "checkpoint"


def imports(path: Path) -> Iterator[str]:
    """Yield the top packages that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def imported(folder: Path) -> dict[str, set[str]]:
    """Return for each package that a folder's files import the files that do."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        if CHECKPOINT not in path.parents:
            for name in imports(path):
                found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return found


def test_core_imports_no_framework_no_adapter_and_no_plugin() -> None:
    forbidden = FRAMEWORKS | (OURS - {"cislens"})
    wrong = {name: files for name, files in imported(ROOT / "core").items() if name in forbidden}
    assert not wrong


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda path: path.name)
def test_an_adapter_imports_core_and_its_own_framework(adapter: Path) -> None:
    forbidden = (FRAMEWORKS - FRAMEWORKS_OF[adapter.name]) | (
        OURS - {"cislens", adapter.name} - ADAPTERS_OF.get(adapter.name, set())
    )
    wrong = {name: files for name, files in imported(adapter).items() if name in forbidden}
    assert not wrong


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_imports_core_and_never_another_plugin(plugin: Path) -> None:
    forbidden = (FRAMEWORKS - {"torch"}) | (OURS - {"cislens", "cislens_torch", plugin.name})
    wrong = {name: files for name, files in imported(plugin).items() if name in forbidden}
    assert not wrong


def loaded_after(code: str) -> set[str]:
    """Return the top packages in memory after a fresh interpreter ran some code."""
    tail = "\nimport sys, json; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    run = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import cislens",
        "import sys, runpy\n"
        "sys.argv = ['cislens', '--help']\n"
        "try: runpy.run_module('cislens', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code",
        "from cislens.plugins import registry\nassert not registry().broken, registry().broken",
    ],
    ids=["import cislens", "cislens --help", "the registry"],
)
def test_nothing_heavy_is_loaded_before_it_is_used(code: str) -> None:
    assert not loaded_after(code) & HEAVY


@pytest.mark.parametrize("package", [*ADAPTERS, *PLUGINS], ids=lambda path: path.name)
def test_a_module_that_registers_loads_no_framework(package: Path) -> None:
    assert not loaded_after(f"import {package.name}") & FRAMEWORKS


def test_the_plugin_of_modisco_loads_neither_modisco_nor_numba() -> None:
    assert not loaded_after("import cislens_modisco") & {"modiscolite", "numba", "sklearn", "matplotlib"}


def requirements_of(extra: str | None) -> set[str]:
    """Return the names that `pip install cislens[extra]` asks for, extras of cislens itself followed."""
    names: set[str] = set()
    for text in metadata.requires("cislens") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra or ""}):
            continue
        if requirement.name == "cislens":
            names.update(*(requirements_of(inner) for inner in requirement.extras))
        else:
            names.add(requirement.name)
    return names


def test_an_installation_without_extras_asks_for_no_framework() -> None:
    assert not requirements_of(None) & {*FRAMEWORKS, "matplotlib"}


def test_the_torch_extra_asks_for_no_other_framework() -> None:
    assert requirements_of("torch") & FRAMEWORKS == {"torch"}


def test_the_keras_extra_asks_for_no_torch() -> None:
    assert requirements_of("keras") & FRAMEWORKS == {"keras", "tensorflow"}


def test_the_onnx_extra_asks_for_no_torch_and_no_keras() -> None:
    assert requirements_of("onnx") & FRAMEWORKS == {"onnx", "onnxruntime"}


def test_the_motifs_extra_asks_for_modisco_and_no_framework() -> None:
    assert "modisco" in requirements_of("motifs")
    assert "modisco-lite" not in requirements_of("all")
    assert not requirements_of("motifs") & FRAMEWORKS


def test_all_extras_together_hold_each_extra() -> None:
    extras = {"torch", "keras", "onnx", "deeplift", "bigwig", "docs"}
    assert set().union(*map(requirements_of, extras)) <= requirements_of("all")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "unwanted"),
    [
        ("torch", {"tensorflow", "keras"}),
        ("keras", {"torch"}),
        ("motifs", {"torch", "tensorflow"}),
        ("", {"torch", "tensorflow"}),
    ],
)
def test_pip_resolves_an_extra_without_the_other_framework(extra: str, unwanted: set[str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    wanted = f"{ROOT}[{extra}]" if extra else str(ROOT)
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    command += ["--constraint", str(ROOT / "constraints.txt"), "--report", str(report), wanted]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode and any(sign in run.stderr for sign in ("No matching distribution", "Could not find a version")):
        pytest.skip("pip reaches no package index from here")
    assert run.returncode == 0, run.stderr
    chosen = {item["metadata"]["name"].lower() for item in json.loads(report.read_text())["install"]}
    assert "cislens" in chosen
    assert not chosen & unwanted
