"""Basset: accessibility of 600 bp in 164 cell types."""

from __future__ import annotations

from typing import ClassVar

from cislens.architecture import Architecture, Network, WeightsFile

WIDTHS, POOLS = (19, 11, 7), (3, 4, 4)


class Basset(Architecture):
    """Three convolutions and two hidden dense layers, each with batch normalisation; a sigmoid at the end.

    Widths and pools are the paper's. Convolutions are not padded, so that 2000 features reach the dense layers, as in
    Kipoi's conversion of the authors' torch7 model (Basset/pretrained_model_reloaded_th.py, whose bases are ACGT).
    Networks that were trained anew with padding, of 2600 features, exist with differing paddings, which their weights
    do not tell: these need their authors' code. So the length of the input is not guessed from the features, either.

    References
    ----------
    Kelley et al. 2016, 10.1101/gr.200535.115.
    """

    name: ClassVar[str] = "basset"
    title: ClassVar[str] = "accessibility of 600 bp in 164 cell types (Kelley et al. 2016)"
    references: ClassVar[tuple[str, ...]] = ("10.1101/gr.200535.115",)

    def network(self, file: WeightsFile, length: int | None) -> Network:
        """Return the network; its numbers of filters, units and cell types are those of the file."""
        *units, cell_types = file.sizes((300, 200, 200, 1000, 1000, 164))
        filters, hidden = units[:3], units[3:]
        net = Network(length or 600, file)
        for number, (count, width, pool) in enumerate(zip(filters, WIDTHS, POOLS, strict=True), 1):
            net.convolution(f"conv{number}", count, width)
            net.normalisation(f"norm{number}")
            net.activation(f"relu{number}")
            net.pool(f"pool{number}", pool)
        net.flatten("flatten")
        for number, count in enumerate(hidden, 1):
            net.dense(f"dense{number}", count)
            net.normalisation(f"norm{number + 3}")
            net.activation(f"relu{number + 3}")
        net.dense("dense3", cell_types)
        net.activation("sigmoid", "sigmoid")
        net.head("accessibility", "probability")
        return net
