"""What each hook must return."""

from __future__ import annotations

from dataclasses import is_dataclass
from importlib import import_module
from inspect import isabstract
from typing import Any, NamedTuple

from cislens.errors import PluginError


class Expected(NamedTuple):
    """What a hook returns: instances of a class, or dataclasses that inherit from it and define its methods."""

    module: str
    name: str
    defines: str = ""


EXPECTED = {
    "explainers": Expected("cislens.explainer", "Explainer", "run and cost"),
    "adapters": Expected("cislens.oracle.adapter", "Adapter"),
    "architectures": Expected("cislens.architecture", "Architecture"),
    "derivations": Expected("cislens.derivation", "Derivation", "run"),
    "metrics": Expected("cislens.metric", "Metric"),
    "exporters": Expected("cislens.exchange", "Exporter", "write"),
    "importers": Expected("cislens.exchange", "Importer", "recognises and read"),
    "trainers": Expected("cislens.training", "Trainer", "train"),
}


def checked(kind: str, returned: Any) -> list[Any]:
    """Return what a hook gave as a list.

    Raises
    ------
    PluginError
        If it is not a list of what the hook asks for, each with a name.
    """
    if not isinstance(returned, list | tuple):
        raise PluginError(f"register_{kind} must return a list, got {returned!r}")
    for item in returned:
        _check(kind, item, EXPECTED[kind])
        if not isinstance(getattr(item, "name", None), str):
            raise PluginError(f"what register_{kind} returns must have a name, got {item!r}")
    return list(returned)


def _check(kind: str, item: Any, expected: Expected) -> None:
    wanted = getattr(import_module(expected.module), expected.name)
    if not expected.defines:
        if not isinstance(item, wanted):
            raise PluginError(f"register_{kind} must return instances of cislens's {expected.name}, got {item!r}")
        return
    fits = isinstance(item, type) and issubclass(item, wanted) and is_dataclass(item) and not isabstract(item)
    if not fits:
        raise PluginError(
            f"register_{kind} must return dataclasses that inherit from cislens's {expected.name} and define "
            f"{expected.defines}, got {item!r}"
        )
