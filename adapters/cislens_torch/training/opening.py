"""Open a checkpoint that says which trainer made it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from cislens import settings
from cislens.errors import OracleError, PluginError
from cislens.oracle.options import OracleOptions
from cislens.plugins import registry
from cislens_torch.checkpoint import read_tensors
from cislens_torch.matching import load_weights
from cislens_torch.oracle import TorchOracle
from cislens_torch.training.files import METADATA
from cislens_torch.training.trainer import TorchTrainer


def open_trained(path: Path, options: OracleOptions, name: str) -> TorchOracle | None:
    """Return the oracle of a checkpoint of `cislens train`; None where the file is none.

    Raises
    ------
    OracleError
        If its trainer is not installed, or is of another version that builds another network.
    """
    said = _said(path)
    if said is None:
        return None
    try:
        kind = registry().trainer(said["trainer"])
    except PluginError as error:
        raise OracleError(
            f"{path} was trained by {said['trainer']!r}, whose plugin must be installed: {error}"
        ) from error
    trainer = settings.build(kind, said["settings"])
    if not isinstance(trainer, TorchTrainer):
        raise OracleError(f"{path} was trained by {said['trainer']!r}, which builds no torch network here")
    network = trainer.network(said["length"], len(said["outputs"]))
    load_weights(network, read_tensors(path), path)
    return TorchOracle(network, _stated(options, said), name)


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
        said = json.loads(text) if text is not None else None
    except (SafetensorError, OSError, ValueError):
        return None  # what is wrong with it is told where its tensors are read
    return (
        said if isinstance(said, dict) and {"trainer", "settings", "length", "outputs", "task"} <= set(said) else None
    )
