"""Open `arch:NAME` with a file of weights: read it, match it, build it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cislens.architecture.blueprint import Blueprint
from cislens.architecture.file_layer import WeightsFile
from cislens.errors import OracleError
from cislens.oracle.adapter import Adapter, ModelSource
from cislens.plugins import registry

PREFIX = "arch:"
FORM = re.compile(r"arch:(?P<name>\w+)(@(?P<framework>\w+))?")


def open_architecture(text: str, weights: Path | None, given: Mapping[str, Any]) -> tuple[ModelSource, dict[str, Any]]:
    """Return the built network as a model in hand, and the options to open it with.

    It is built in the framework that wrote the file, so that it is computed as its authors did; in another one where
    that is not installed, or where the text names one, as in `arch:deepstarr@torch`.

    Parameters
    ----------
    text
        "arch:NAME" or "arch:NAME@FRAMEWORK".
    weights
        A file of weights of any framework.
    given
        Options that the user states; the blueprint's own stand in for the others.

    Raises
    ------
    OracleError
        If the file is missing or does not fit.
    PluginError
        If no architecture has that name.
    """
    match = FORM.fullmatch(text)
    if match is None:
        raise OracleError(f"an architecture is written arch:NAME or arch:NAME@FRAMEWORK, got {text!r}")
    architecture = registry().architecture(match["name"])
    if weights is None:
        raise OracleError(f"{text} must be given a file of weights: add --weights FILE (weights=FILE)")
    file = _read(weights)
    blueprint = architecture.blueprint(file, given.get("length"))
    model = _built(blueprint, _builders(match["framework"], file))
    return ModelSource(f"{text} with {weights.name}", model=model), blueprint.options(given)


def _read(path: Path) -> WeightsFile:
    adapters = registry().adapters.values()
    for adapter in adapters:
        try:
            file = adapter.weights(path)
        except ModuleNotFoundError as error:
            raise OracleError(f"{path} needs {error.name}, which is not installed: {adapter.install}") from error
        if file is not None:
            return file
    raise OracleError(
        f"{path} must be a file of weights (.pt, .pth, .ckpt, .safetensors, .h5, .hdf5, .keras), got {path.suffix!r}"
    )


def _builders(wanted: str | None, file: WeightsFile) -> list[Adapter]:
    """Return the adapters to build with, the first that is installed coming to it."""
    able = {name: adapter for name, adapter in registry().adapters.items() if adapter.builds}
    if wanted is None:
        return sorted(able.values(), key=lambda adapter: adapter.name != file.framework)
    if wanted not in able:
        raise OracleError(f"an architecture can be built in {', '.join(able)}, got @{wanted}")
    return [able[wanted]]


def _built(blueprint: Blueprint, adapters: Iterable[Adapter]) -> Any:
    missing = []
    for adapter in adapters:
        try:
            return adapter.build(blueprint)
        except ModuleNotFoundError as error:
            missing.append(f"{error.name} ({adapter.install})")
    raise OracleError(f"arch:{blueprint.name} must be built in a framework that is installed: {' or '.join(missing)}")
