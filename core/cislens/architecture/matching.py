"""Put the layers of a file into the steps of a network: all of them, or none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cislens.architecture.blueprint import Step
from cislens.architecture.file_layer import Array, FileLayer, WeightsFile
from cislens.architecture.listing import side_by_side
from cislens.architecture.network import Network
from cislens.errors import OracleError


def filled(network: Network, file: WeightsFile, name: str) -> tuple[Step, ...]:
    """Return the steps of a network with the weights of a file.

    Convolutions, dense layers and normalisations are each matched in the file's order, and must have the sizes that
    the steps want. So it does not matter how the file names them, nor whether it lists the normalisations beside the
    convolutions or behind them.

    Raises
    ------
    OracleError
        If a step would be left without weights, or a layer of the file would go nowhere; both sides are listed.
    """
    wanted = [step for step in network.steps.values() if step.form]
    pairs = _paired(wanted, file)
    if pairs is None:
        left = [(step.name, step.form) for step in wanted]
        right = [(layer.name, layer.form) for layer in file.layers]
        raise OracleError(
            f"the weights in {file.path} must be of the architecture {name}, but it wants {len(left)} layers and the "
            f"file holds {len(right)} (architecture left, file right): name the architecture that they were saved "
            f"from, or build it in model.py:factory --weights {file.path.name}\n{side_by_side(left, right)}"
        )
    for layer in file.layers:
        if not all(np.isfinite(array).all() for array in layer.arrays.values()):
            raise OracleError(f"the weights in {file.path} must be finite, but those of {layer.name} are not")
    if not file.ordered:
        _refuse_ambiguous(list(pairs.values()), file)
    return tuple(
        replace(step, arrays=_as_wanted(step, pairs[step.name])) if step.form else step
        for step in network.steps.values()
    )


def _paired(wanted: Sequence[Step], file: WeightsFile) -> dict[str, FileLayer] | None:
    pairs: dict[str, FileLayer] = {}
    forms = [*(step.form for step in wanted), *(layer.form for layer in file.layers)]
    for kind in dict.fromkeys(map(_kind, forms)):
        steps = [step for step in wanted if _kind(step.form) == kind]
        layers = [layer for layer in file.layers if _kind(layer.form) == kind]
        if [step.form for step in steps] != [layer.form for layer in layers]:
            return None
        pairs |= {step.name: layer for step, layer in zip(steps, layers, strict=True)}
    return pairs


def _kind(form: str) -> str:
    return form.partition(" ")[0]


def _refuse_ambiguous(layers: Sequence[FileLayer], file: WeightsFile) -> None:
    """Raise if layers of one form have names that do not number them, in a file that keeps no order of its own."""
    stems: dict[str, set[str]] = {}
    for layer in layers:
        stems.setdefault(layer.form, set()).add(re.sub(r"_?\d+", "", layer.name))
    for form, names in stems.items():
        if len(names) > 1:
            found = sorted(layer.name for layer in layers if layer.form == form)
            raise OracleError(
                f"{file.path} must tell its layers apart, but it sorts them by name, and {', '.join(found)} are all of "
                f"the form {form}: save the weights with torch.save, or under the published names"
            )


def _as_wanted(step: Step, layer: FileLayer) -> dict[str, Array]:
    if not step.kernel_shape:
        return dict(layer.arrays)
    return dict(layer.arrays) | {"kernel": layer.arrays["kernel"].reshape(step.kernel_shape)}
