"""Open a checkpoint that says which trainer made it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from cislens import settings
from cislens.errors import CislensError, OracleError, PluginError
from cislens.oracle.options import OracleOptions
from cislens.plugins import registry
from cislens.training.data import Task
from cislens_torch.checkpoint import read_tensors
from cislens_torch.matching import load_weights
from cislens_torch.oracle import TorchOracle
from cislens_torch.training.building import built
from cislens_torch.training.files import METADATA
from cislens_torch.training.trainer import TorchTrainer


def open_trained(path: Path, options: OracleOptions, name: str) -> TorchOracle | None:
    """Return the oracle of a checkpoint of `cislens train`; None where the file is none.

    What the file says of itself names a registered trainer and its settings; nothing that it brings along is run.

    Raises
    ------
    OracleError
        If what it says of itself makes no sense, or its trainer is not installed or builds another network.
    """
    said = _said(path)
    if said is None:
        return None
    with torch.random.fork_rng([]):  # initial weights, which those of the file replace, draw from torch's generator
        network = _network(path, said)
    load_weights(network, read_tensors(path), path)
    return TorchOracle(network, _stated(options, said), name)


def _network(path: Path, said: dict[str, Any]) -> nn.Module:
    try:
        kind = registry().trainer(said["trainer"])
    except PluginError as error:
        raise OracleError(
            f"{path} was trained by {said['trainer']!r}, whose plugin must be installed: {error}"
        ) from error
    if not issubclass(kind, TorchTrainer):
        raise OracleError(f"{path} was trained by {said['trainer']!r}, which builds no torch network here")
    # Settings of training alone build nothing; one of the network that is not said would be built by its default.
    own = {setting.name for setting in settings.describe(kind)} - {s.name for s in settings.describe(TorchTrainer)}
    if unsaid := sorted(own - set(said["settings"])):
        raise OracleError(
            f"{path} must say every setting of {said['trainer']}'s network, but not {', '.join(unsaid)}: it was "
            "trained by another version of it; install that one, or train it anew"
        )
    try:
        return built(settings.build(kind, said["settings"]), said["length"], len(said["outputs"]))
    except CislensError as error:
        raise OracleError(
            f"{path} must say settings of which the {said['trainer']} installed here builds its network, but {error}"
        ) from error


def _stated(options: OracleOptions, said: dict[str, Any]) -> OracleOptions:
    """Return the options with what the checkpoint says where the user said nothing."""
    heads = options.heads or ("prediction",)
    scale: Any = "logit" if said["task"] == "binary" else "linear"
    return replace(
        options,
        layout="4,length",
        length=options.length or said["length"],
        heads=heads,
        outputs=options.outputs or tuple(said["outputs"]),
        scales={heads[0]: scale, **options.scales},
    )


def _said(path: Path) -> dict[str, Any] | None:
    if path.suffix.lower() != ".safetensors":
        return None
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(METADATA)
    except (SafetensorError, OSError):
        return None  # what is wrong with it is told where its tensors are read
    if text is None:
        return None
    said: Any
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not _makes_sense(said):
        raise OracleError(
            f"{path} must say its trainer, settings, length, outputs and task, as cislens train writes them, but what "
            f"it says is {text[:60]!r}: train it anew, or build its model with model.py:factory --weights {path.name}"
        )
    checked: dict[str, Any] = said
    return checked


def _makes_sense(said: Any) -> bool:
    return (
        isinstance(said, dict)
        and isinstance(said.get("trainer"), str)
        and isinstance(said.get("settings"), dict)
        and type(said.get("length")) is int
        and said["length"] > 0
        and isinstance(said.get("outputs"), list)
        and bool(said["outputs"])
        and all(isinstance(name, str) for name in said["outputs"])
        and said.get("task") in get_args(Task)
    )
