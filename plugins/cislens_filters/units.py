"""The units of a layer: where their values are read, and which windows of the sequence they see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cislens.errors import CapabilityError
from cislens.oracle import Layer

UNITWISE = ("normalisation", "dropout")  # what may stand between a filter and its nonlinearity


@dataclass(frozen=True)
class Units:
    """Say what the units of a layer see.

    Parameters
    ----------
    layer
        The layer whose units they are.
    read
        The layer at whose nonlinearity their values are read: itself, or a normalisation that alone follows it.
    width
        bp that a unit sees.
    step, offset
        bp between neighbouring positions, and where the window of position 0 starts, negative inside padding.
    """

    layer: str
    read: str
    width: int
    step: int
    offset: int

    def inside(self, length: int, positions: int) -> range:
        """Return the positions whose windows lie wholly in a sequence of `length` bp."""
        first = max(0, -(self.offset // self.step))
        last = (length - self.width - self.offset) // self.step
        return range(first, min(last + 1, positions))


def units_of(layers: Sequence[Layer], name: str | None) -> Units:
    """Return the units of a layer, of the first convolution if it is not named.

    Raises
    ------
    CapabilityError
        If there is no such layer, or its units see the whole sequence; the sentence lists those that will do.
    """
    seeing = {layer.name: layer for layer in layers if layer.receptive_field is not None and layer.kind != "input"}
    convolutions = [layer.name for layer in seeing.values() if layer.kind == "convolution"]
    chosen = seeing.get(name) if name else seeing.get(next(iter(convolutions), ""))
    if chosen is None or chosen.receptive_field is None or chosen.step is None or chosen.offset is None:
        raise CapabilityError(
            f"filters are read from a layer whose units see a window of the sequence, got {name or 'no convolution'}: "
            f"choose one of {', '.join(seeing) or 'none in this model'}"
        )
    return Units(chosen.name, _read(layers, chosen), chosen.receptive_field, chosen.step, chosen.offset)


def _read(layers: Sequence[Layer], layer: Layer) -> str:
    while layer.activation is None:
        followers = [other for other in layers if layer.name in other.inputs]
        if len(followers) != 1 or followers[0].kind not in UNITWISE:
            break
        layer = followers[0]
    return layer.name
