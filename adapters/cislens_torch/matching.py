"""Put weights from a file into a model: all of them, or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from cislens.architecture.listing import side_by_side
from cislens.errors import OracleError

# Counts of training steps, which nothing is computed from and older files lack.
UNUSED = "num_batches_tracked"
# Ends of names that tell what a tensor is: two that differ are never matched by order.
TELLING = frozenset(
    {"weight", "bias", "running_mean", "running_var", "in_proj_weight", "in_proj_bias", "weight_ih_l0", "weight_hh_l0"}
)


def load_weights(module: nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Load weights by name, or by order and shape where the names differ.

    A file keeps the order in which modules were made, except safetensors, which sorts: there names must agree.

    Raises
    ------
    OracleError
        If a tensor of the model would keep its initial value, or one of the file would go nowhere; both sides are
        listed.
    """
    own = {name: tensor for name, tensor in module.state_dict().items() if isinstance(tensor, torch.Tensor)}
    counts = {name: tensor for name, tensor in own.items() if name.endswith(UNUSED)}
    wanted = [name for name in own if name not in counts]
    given = [name for name in weights if not name.endswith(UNUSED)]
    pairs = _by_name(wanted, given) or _by_order(own, wanted, weights, given, ordered=path.suffix != ".safetensors")
    if pairs is None or any(own[a].shape != weights[b].shape for a, b in pairs.items()):
        raise OracleError(_mismatch(own, wanted, weights, given, path))
    module.load_state_dict({**counts, **{name: weights[other] for name, other in pairs.items()}}, strict=False)


def _by_name(wanted: list[str], given: list[str]) -> dict[str, str] | None:
    """Pair equal names, with or without a prefix that all names of the file or of the model share."""
    if len(wanted) != len(given) or not wanted:
        return None
    if set(wanted) == set(given):
        return {name: name for name in wanted}
    if (prefix := _shared_prefix(given, wanted)) is not None:
        return {name: prefix + name for name in wanted}
    if (prefix := _shared_prefix(wanted, given)) is not None:
        return {prefix + name: name for name in given}
    return None


def _shared_prefix(longer: list[str], shorter: list[str]) -> str | None:
    for name in longer:
        if name.endswith("." + shorter[0]):
            prefix = name.removesuffix(shorter[0])
            return prefix if {prefix + other for other in shorter} == set(longer) else None
    return None


def _by_order(
    own: Mapping[str, torch.Tensor],
    wanted: list[str],
    weights: Mapping[str, torch.Tensor],
    given: list[str],
    *,
    ordered: bool,
) -> dict[str, str] | None:
    if not ordered or len(wanted) != len(given):
        return None
    for name, other in zip(wanted, given, strict=True):
        ends = {name.rpartition(".")[2], other.rpartition(".")[2]}
        told_apart = len(ends) == 2 and ends <= TELLING
        if own[name].shape != weights[other].shape or told_apart:
            return None
    return dict(zip(wanted, given, strict=True))


def _mismatch(
    own: Mapping[str, torch.Tensor],
    wanted: list[str],
    weights: Mapping[str, torch.Tensor],
    given: list[str],
    path: Path,
) -> str:
    told = (
        f"the weights in {path} must fit the model, by name or in order and shape, but the model wants {len(wanted)} "
        f"tensors and the file holds {len(given)} (model left, file right): build the model that they were saved from"
    )
    left = [(name, _form(own[name])) for name in wanted]
    right = [(name, _form(weights[name])) for name in given]
    return f"{told}\n{side_by_side(left, right)}"


def _form(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
