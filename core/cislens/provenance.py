"""What a report records of the model, the targets and the software."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from typing import Any

import numpy as np

import cislens
from cislens.oracle.base import Oracle
from cislens.sequences import Sequences
from cislens.target import target_settings
from cislens.targeted import Targeted

FRAMEWORKS = ("torch", "keras", "tensorflow", "tf_keras", "onnx", "onnxruntime", "memelite")


def describe_model(oracle: Oracle) -> dict[str, Any]:
    """Return the model's name, fingerprint, heads and options as JSON values."""
    return {
        "name": oracle.name,
        "kind": type(oracle).__name__,
        "fingerprint": oracle.fingerprint,
        "length": oracle.length,
        "device": oracle.device,
        "heads": [asdict(head) for head in oracle.heads],
        "options": oracle.options.identity() if oracle.options is not None else {},
    }


def describe_targets(targeted: Targeted, sequences: Sequences, seed: int) -> tuple[Mapping[str, Any], ...]:
    """Return for each target its text, and what was fitted with what it was fitted on."""
    described = []
    for target in targeted.targets:
        settings = dict(target_settings(target))
        if target.component is not None:
            settings["fitted_on"] = (
                f"the {len(sequences)} sequences explained (at most 250 of them) and random mutants, seed {seed}"
            )
        described.append(settings)
    return tuple(described)


def versions() -> dict[str, str]:
    """Return the versions of Python, cislens, numpy and the frameworks that are loaded."""
    found = {"python": platform.python_version(), "cislens": cislens.__version__, "numpy": np.__version__}
    found.update({name: metadata.version(name) for name in FRAMEWORKS if name in sys.modules})
    return found
