"""Choose what the rules are applied to: the model's own module or a torch twin, whichever answers as the model does."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cislens import Targeted
from cislens.errors import CapabilityError
from cislens.oracle.base import Oracle
from cislens.oracle.counts import Counts
from cislens.oracle.reverse_complement import ReverseComplementAverage
from cislens_deeplift.own_module import BothStrands, OwnModule
from cislens_deeplift.pairs import explain_pairs
from cislens_deeplift.preflight import Uncovered, listed, of_one_number, uncovered
from cislens_deeplift.scalar import Scalar
from cislens_deeplift.translation import TOLERANCE, Untranslatable, translated
from cislens_torch import TorchOracle
from cislens_torch.layers import to_numpy
from cislens_torch.tensors import evaluating

Array = npt.NDArray[Any]
PROBES = 8  # random sequences, an even number: rules see a batch as two halves
INCOMPLETE = 1e-3  # share of the difference between two probes that contributions may miss


@dataclass(frozen=True, eq=False)
class Admitted:
    """Hold what the rules are applied to, where it computes, whether it is a twin, and what the reader must know."""

    scalar: Scalar
    device: str
    is_twin: bool = False
    warnings: tuple[str, ...] = ()


def admitted(targeted: Targeted, length: int, preflight: str) -> Admitted:
    """Return a target as a module of which the rules cover everything.

    Parameters
    ----------
    targeted
        One target of a model.
    length
        Of the sequences, in bp.
    preflight
        "refuse" or "warn".

    Raises
    ------
    CapabilityError
        If neither the model's own module is covered nor a twin can be made; it names the modules and layers.
    """
    model, head = uncounted(targeted.oracle), targeted.heads[0]
    strand = uncounted(model.oracle) if isinstance(model, ReverseComplementAverage) else model
    probes = random_sequences(length, model.dtype)

    def scalar_of(network: nn.Module, kinds: Iterable[type[nn.Module]] = ()) -> Scalar:
        whole = network if strand is model else BothStrands(network, model.heads)
        return Scalar(whole, targeted.targets[0], head, kinds)

    itself: Admitted | None = None
    misses: tuple[Uncovered, ...] = ()
    own = own_module(strand, head.name, probes)
    if own is not None:
        itself = Admitted(scalar_of(own, of_one_number(own.oracle)), own.device)
        misses = confirmed(uncovered(own.oracle), itself, probes)
        if not misses:
            return itself
    try:
        twin = translated(strand, head, probes)
    except Untranslatable as reason:
        if itself is not None and preflight == "warn":
            told = f"what no rule covers is taken as linear, so that contributions may be wrong: {listed(misses)}"
            return replace(itself, warnings=(told,))
        raise CapabilityError(_refusal(model.name, str(reason), misses)) from reason
    device = "cuda" if torch.cuda.is_available() and model.device != "cpu" else "cpu"
    return Admitted(scalar_of(twin.to(device)), device, is_twin=True)


def _refusal(name: str, reason: str, misses: tuple[Uncovered, ...]) -> str:
    also = f"; and of its own module, {listed(misses)}" if misses else ""
    advice = "put modules of torch.nn there, or state preflight=warn" if misses else "choose another explainer"
    told = f"deeplift_shap needs each nonlinearity of {name} in a form that has a rule"
    return f"{told}, but {reason}{also}: {advice}"


def uncounted(oracle: Oracle) -> Oracle:
    """Return an oracle whose counts are its own: to look at a model once a run is no cost of a sequence."""
    asked = copy.copy(oracle)
    asked.counts = Counts()
    return asked


def random_sequences(length: int, dtype: npt.DTypeLike) -> Array:
    """Return one-hot sequences (PROBES, length, 4), the same for every model."""
    return np.eye(4, dtype=dtype)[np.random.default_rng(0).integers(0, 4, (PROBES, length))]


def own_module(oracle: Oracle, head: str, probes: Array) -> OwnModule | None:
    """Return a torch model's module, where it takes any batch and answers as the oracle does, with nothing changed."""
    if not isinstance(oracle, TorchOracle) or oracle.graph is None or oracle.fixed_batch is not None:
        return None
    own = OwnModule(oracle)
    return own if deviation(own, oracle, head, probes) <= TOLERANCE else None


def deviation(network: nn.Module, oracle: Oracle, head: str, probes: Array) -> float:
    """Return the largest difference of a network from its model, over the larger of 1 and the model's answers."""
    device = next((parameter.device for parameter in network.parameters()), None)
    with torch.no_grad(), evaluating(network):
        answers = to_numpy(network(torch.from_numpy(probes.swapaxes(1, 2).copy()).to(device))[head])
    expected = oracle.predict(probes)[head]
    return float(np.abs(answers - expected).max() / max(1.0, np.abs(expected).max()))


def confirmed(misses: tuple[Uncovered, ...], itself: Admitted, probes: Array) -> tuple[Uncovered, ...]:
    """Return what is surely not covered; where that is nothing, what may not be, if contributions do not add up."""
    sure = tuple(miss for miss in misses if miss.surely)
    if sure or not misses:
        return sure
    half = len(probes) // 2
    for x, reference in zip(probes[:half], probes[half:], strict=True):
        [found] = explain_pairs(itself.scalar, itself.device, x[None], reference[None, None], half)
        if abs(found.delta) > INCOMPLETE * max(abs(found.difference), abs(found.value)):
            return misses
    return ()
