"""Take the tensors out of a pickled module, or out of a checkpoint that holds foreign objects beside them.

`torch.load(weights_only=True)` refuses such files whole. Here the pickle is read with inert stand-ins for every class,
so that nothing of it is imported or run, and the tensors are found where a module keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from cislens_torch.inert import Inert
from cislens_torch.stored import Content, Unreadable

# Where a checkpoint holds a model beside other things.
NESTS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights")
DICTIONARIES = frozenset({"collections.OrderedDict", "collections.defaultdict", "builtins.dict", "__builtin__.dict"})
SETS = frozenset({"builtins.set", "__builtin__.set"})
MOST_MODULES = 20_000  # more than any model has: a few that contain each other could stand for endlessly many


def tensors_of(content: Content) -> dict[str, torch.Tensor]:
    """Return a file's tensors by the names, and in the order, that `state_dict()` would give them.

    Raises
    ------
    Unreadable
        If a tensor is damaged.
    """
    return _tensors(content, content.root)


def _tensors(content: Content, value: Any) -> dict[str, torch.Tensor]:
    if is_module(value):
        return dict(_of_modules(content, value))
    entries = _entries(value)
    for name in NESTS:
        if is_module(entries.get(name)) or _entries(entries.get(name)):
            return _tensors(content, entries[name])
    found = {str(name): content.tensor(part) for name, part in entries.items()}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def is_module(value: Any) -> bool:
    """Tell whether a stand-in has what every torch module has."""
    return isinstance(value, Inert) and {"_parameters", "_buffers", "_modules"} <= set(value.attributes)


def _entries(value: Any) -> Mapping[Any, Any]:
    if isinstance(value, Inert) and value.name in DICTIONARIES:
        # Python 2 gave an ordered dictionary its entries as pairs.
        pairs = next((part for part in value.args if isinstance(part, list)), [])
        return dict(pairs) | value.entries
    return value if isinstance(value, dict) else {}


def _of_modules(content: Content, root: Inert) -> Iterator[tuple[str, torch.Tensor]]:
    waiting: list[tuple[str, Inert]] = [("", root)]
    for _ in range(MOST_MODULES):
        if not waiting:
            return
        path, module = waiting.pop()
        held = module.attributes
        for kind in ("_parameters", "_buffers"):
            for name, value in _entries(held[kind]).items():
                tensor = content.tensor(value)
                if tensor is not None and (kind == "_parameters" or name not in _not_saved(module)):
                    yield f"{path}{name}", tensor
        children = [(f"{path}{name}.", child) for name, child in _entries(held["_modules"]).items()]
        waiting += [(name, child) for name, child in reversed(children) if is_module(child)]
    raise Unreadable("its modules contain each other")


def _not_saved(module: Inert) -> set[Any]:
    """Return names of the buffers that a module leaves out of its state dict."""
    held = module.attributes.get("_non_persistent_buffers_set", set())
    if isinstance(held, Inert):
        held = held.args[0] if held.name in SETS and held.args else ()
    return set(held)
