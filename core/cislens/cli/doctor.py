"""`cislens doctor`: whether this installation works, and what is missing."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from typing import Annotated, Any

import typer

from cislens.cli.console import say, say_json

FRAMEWORKS = {
    "torch": "import torch; print('cuda' if torch.cuda.is_available() else "
    "'mps' if torch.backends.mps.is_available() else 'cpu')",
    "keras": "import keras; print(keras.backend.backend())",
}
PACKAGES = ("numpy", "pandas", "zarr", "h5py", "pyfaidx", "safetensors", "jinja2", "pluggy", "rich")


def doctor(json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False) -> None:
    """Check Python, packages, frameworks, devices, plugins and the cache; end with 1 where something is broken."""
    facts = examine()
    if json:
        say_json(facts)
    else:
        _print(facts)
    if facts["problems"]:
        raise typer.Exit(1)


def examine() -> dict[str, Any]:
    """Return what `cislens doctor` shows, as JSON values."""
    import cislens
    from cislens.oracle.batching import cache_folder
    from cislens.plugins import registry

    found = registry()
    problems = [f"plugin {p.name} of {p.distribution}: {p.error}" for p in found.broken]
    frameworks = {name: _framework(name, probe) for name, probe in FRAMEWORKS.items()}
    problems += [f"{name}: {state}" for name, state in frameworks.items() if state.startswith("does not import")]
    if all(state.startswith("not installed") for state in frameworks.values()):
        problems.append("no framework is installed: pip install 'cislens[torch]' or 'cislens[keras]'")
    folder = cache_folder()
    parent = next(p for p in (folder, *folder.parents) if p.exists())
    writable = os.access(parent, os.W_OK)
    if not writable:
        problems.append(f"the cache {folder} is not writable: set CISLENS_CACHE to a folder that is")
    return {
        "cislens": cislens.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "packages": {name: _version(name) or "missing" for name in PACKAGES},
        "frameworks": frameworks,
        "explainers": list(found.explainers),
        "cache": str(folder),
        "problems": problems,
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _framework(name: str, probe: str) -> str:
    version = _version(name)
    if version is None:
        return f"not installed: pip install 'cislens[{name}]'"
    # In a process of its own: a framework that crashes on import must not take the doctor with it.
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    if run.returncode:
        lines = run.stderr.strip().splitlines()
        return f"does not import: {lines[-1] if lines else f'exit status {run.returncode}'}"
    return f"{version}, {run.stdout.strip().splitlines()[-1]}"


def _print(facts: dict[str, Any]) -> None:
    say(f"cislens {facts['cislens']}, Python {facts['python']}, {facts['machine']}")
    say("packages    " + ", ".join(f"{name} {version}" for name, version in facts["packages"].items()))
    for name, state in facts["frameworks"].items():
        say(f"{name:<11} {state}")
    say(f"explainers  {', '.join(facts['explainers'])}")
    say(f"cache       {facts['cache']}")
    for problem in facts["problems"]:
        say(f"problem     {problem}")
    if not facts["problems"]:
        say("all is well")
