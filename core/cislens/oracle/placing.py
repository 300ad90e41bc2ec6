"""Where the positions of a profile lie on the input, as the layers tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from cislens.oracle.head import Head
from cislens.oracle.layer import Layer


def placed_heads(heads: Iterable[Head], layers: Iterable[Layer], ends: Mapping[str, str]) -> tuple[Head, ...]:
    """Return heads with the bp that their positions cover, where the layers tell.

    A position is laid in the middle of its receptive field, as wide as the step to the next.

    Parameters
    ----------
    heads
        Of the model.
    layers
        Of the model, receptive fields filled in.
    ends
        For each head, by name, the layer that gives it; a head left out keeps what it says.
    """
    by_name = {layer.name: layer for layer in layers}
    return tuple(_placed(head, by_name.get(ends.get(head.name, ""))) for head in heads)


def _placed(head: Head, layer: Layer | None) -> Head:
    if not head.is_profile or layer is None or layer.receptive_field is None:
        return head
    assert layer.offset is not None
    assert layer.step is not None
    first = layer.offset + (layer.receptive_field - layer.step) // 2
    return replace(head, bin_width=layer.step, offset=first)
