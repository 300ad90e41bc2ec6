"""A network with its weights, in words that name no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cislens.architecture.file_layer import Array, FlattenOrder, kernel_form, normalisation_form
from cislens.oracle.head import Scale

SEQUENCE = "sequence"
THRESHOLD = 1e-6  # what a threshold gives in place of values that are not above zero
StepKind = Literal[
    "convolution",
    "normalisation",
    "activation",
    "pool",
    "global_pool",
    "crop",
    "add",
    "flatten",
    "dense",
    "grouped_dense",
]
Function = Literal["relu", "threshold", "exp", "sigmoid", "mean", "max"]


@dataclass(frozen=True, eq=False)
class Step:
    """Describe one step of a network.

    Parameters
    ----------
    name
        Unique; layers are named after it.
    kind
        What it does. A `crop` leaves out `padding` positions at both ends; a `pool` takes the maximum of `width`
        positions and goes on by as many; a `grouped_dense` has a dense layer of its own for each of `groups` equal
        parts of its input.
    inputs
        Names of the steps that it reads; "sequence" is the one-hot sequence.
    positions, channels
        What it gives: None positions after flattening.
    width, dilation, padding
        Of its window: positions, spacing, zeros before and after.
    groups
        Of a grouped dense layer.
    function
        Of an activation: `threshold` is x above 0 and `THRESHOLD` elsewhere, as in networks of torch7. Of a global
        pool: mean or max.
    order
        Which axis varies slowest after flattening.
    epsilon
        What a normalisation adds to the variance.
    arrays
        Its weights, as a `FileLayer` names and shapes them.
    """

    name: str
    kind: StepKind
    inputs: tuple[str, ...]
    positions: int | None
    channels: int
    width: int = 1
    dilation: int = 1
    padding: tuple[int, int] = (0, 0)
    groups: int = 1
    function: Function = "relu"
    order: FlattenOrder = "channels"
    epsilon: float = 1e-5
    kernel_shape: tuple[int, ...] = ()
    arrays: Mapping[str, Array] = field(default_factory=dict)

    @property
    def form(self) -> str:
        """Kind and size of its weights in words, as those of a `FileLayer`; empty without weights."""
        if self.kernel_shape:
            return kernel_form(self.kernel_shape)
        return normalisation_form(self.channels) if self.kind == "normalisation" else ""


@dataclass(frozen=True)
class BlueprintHead:
    """Describe one answer of a network.

    Parameters
    ----------
    name, axes, scale, outputs
        As of a `cislens.oracle.Head`.
    step
        The step that gives it.
    """

    name: str
    step: str
    axes: tuple[str, ...]
    scale: Scale
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Blueprint:
    """Describe a whole network, so that any adapter can build it.

    Parameters
    ----------
    name
        Of the architecture.
    steps
        In topological order, with their weights.
    heads
        What it answers with.
    length
        Of its input, in bp.
    base_order
        Its order of the bases.
    """

    name: str
    steps: tuple[Step, ...]
    heads: tuple[BlueprintHead, ...]
    length: int
    base_order: str

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return options to open the built network with: what the blueprint knows, and over it what the user gives.

        Scales and axes are kept head by head, also under the names that the user gives the heads.
        """
        names = [head.name for head in self.heads]
        called = dict(zip(names, given.get("heads") or names, strict=False))
        outputs = [head.outputs for head in self.heads if head.outputs]
        known: dict[str, Any] = {"base_order": self.base_order, "length": self.length, "heads": tuple(names)}
        known |= {"outputs": outputs[0] if len(outputs) == 1 else ()}
        scales = {called[head.name]: head.scale for head in self.heads if head.name in called}
        axes = {called[head.name]: head.axes for head in self.heads if head.name in called}
        merged = {"scales": scales | dict(given.get("scales") or {}), "axes": axes | dict(given.get("axes") or {})}
        return {**known, **{name: value for name, value in given.items() if value not in (None, ())}, **merged}
