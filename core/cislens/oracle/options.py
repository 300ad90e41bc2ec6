"""How a model is to be opened: the options that every adapter understands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from cislens.errors import OracleError
from cislens.oracle.batching import BatchSize
from cislens.oracle.encoding import BASES, LAYOUTS
from cislens.oracle.head import Head, Scale, guess_axes

Precision = Literal["float32", "float64", "bfloat16", "float16"]
# What changes how a model runs but not what it is; left out of the fingerprint.
RUN_ONLY = ("batch_size", "device", "trust")


@dataclass(frozen=True)
class ExtraInput:
    """Describe an input beside the sequence: its shape without the batch, and the value it is held at."""

    shape: tuple[int, ...]
    value: float = 0.0


@dataclass(frozen=True)
class OracleOptions:
    """Say how a model wants its input, what its outputs are, and how to run it.

    Parameters
    ----------
    layout
        Axes of the model's input after the batch, such as "length,4" or "4,length"; "auto" reads it from the
        model or finds it with probes.
    base_order, n_value
        The model's order of the bases, and its value for the four channels of an N.
    extra_inputs
        Further inputs by name, held at a value. Those that the file declares are zero without being named.
    length
        Input length in bp, where the model does not say.
    heads
        Names of the model's outputs, in its order, in place of its own.
    outputs
        Names along the output axis of the one head that has as many.
    scales
        What a head's numbers are: {head: "probability"}.
    axes
        What a head's axes count: {head: ("position", "strand")}.
    batch_size
        Sequences a batch; "auto" measures the fastest.
    device
        "auto", "cpu", "cuda", "cuda:1" or "mps".
    precision
        Number type the model computes in.
    reverse_complement
        Average the answers over both strands of each sequence (`cislens.oracle.reverse_complement`).
    trust
        Allow what would run code that the file brings along.
    """

    layout: str = "auto"
    base_order: str = BASES
    n_value: float = 0.0
    extra_inputs: Mapping[str, ExtraInput] = field(default_factory=dict)
    length: int | None = None
    heads: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    scales: Mapping[str, Scale] = field(default_factory=dict)
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    batch_size: BatchSize = "auto"
    device: str = "auto"
    precision: Precision = "float32"
    reverse_complement: bool = False
    trust: bool = False

    def __post_init__(self) -> None:
        if self.layout != "auto" and self.layout.replace(" ", "") not in LAYOUTS:
            raise OracleError(f"the layout must be auto or one of {'; '.join(LAYOUTS)}, got {self.layout!r}")
        if self.length is not None and self.length < 1:
            raise OracleError(f"the input length must be above 0 bp, got {self.length}")

    def identity(self) -> dict[str, Any]:
        """Return the settings that decide what the model answers, for its fingerprint and the report."""
        return {name: value for name, value in asdict(self).items() if name not in RUN_ONLY}

    def declare(self, found: Mapping[str, tuple[int | None, ...]], scales: Mapping[str, Scale]) -> tuple[Head, ...]:
        """Turn the model's outputs into heads, with the user's names, axes and scales over the model's.

        Parameters
        ----------
        found
            Shape of each output without the batch, by the model's own name, in its order; None for positions that grow
            with the input.
        scales
            What the adapter could tell of their scales.

        Raises
        ------
        OracleError
            If names are not as many as outputs, or are of no head.
        """
        names = self.heads or short_names(tuple(found))
        if len(names) != len(found):
            raise OracleError(
                f"--heads must name all {len(found)} outputs of the model ({', '.join(found)}), got {len(names)}"
            )
        for option, given in (("--scale", self.scales), ("--axes", self.axes)):
            if unknown := sorted(set(given) - set(names)):
                raise OracleError(f"{option} must name one of the heads {', '.join(names)}, got {unknown[0]!r}")
        heads = []
        for name, (own, shape) in zip(names, found.items(), strict=True):
            axes = self.axes.get(name) or guess_axes(shape)
            scale = self.scales.get(name) or scales.get(own, "unknown")
            heads.append(Head(name, shape, tuple(axes), scale=scale))
        return self._with_output_names(tuple(heads))

    def _with_output_names(self, heads: tuple[Head, ...]) -> tuple[Head, ...]:
        if not self.outputs:
            return heads
        fitting = [head for head in heads if head.width == len(self.outputs)]
        if len(fitting) != 1:
            widths = ", ".join(f"{head.name}: {head.width}" for head in heads)
            raise OracleError(
                f"--outputs must give as many names as one head has outputs ({widths}), got {len(self.outputs)}"
            )
        named = Head(**{**asdict(fitting[0]), "outputs": self.outputs})
        return tuple(named if head is fitting[0] else head for head in heads)


def short_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return head names without what all of several share up to an underscore or slash.

    Signs that the text form of a target uses are replaced; "Dense_Dev" and "Dense_Hk" become "Dev" and "Hk".
    """
    cleaned = tuple(name.replace("/", "_").replace(":", "_") for name in names)
    if len(cleaned) > 1:
        shared = cleaned[0]
        for name in cleaned[1:]:
            while not name.startswith(shared):
                shared = shared[:-1]
        shared = shared[: shared.rfind("_") + 1]
        # A name that is left as a number would be taken for an index.
        if all(len(name) > len(shared) and not name[len(shared) :].isdigit() for name in cleaned):
            cleaned = tuple(name.removeprefix(shared) for name in cleaned)
    return cleaned
