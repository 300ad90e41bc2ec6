"""The trainers of the reference models: their settings, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cislens import setting
from cislens_torch import TorchTrainer

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class StandardCnn(TorchTrainer):
    """Train the standard three-layer CNN of ARGMINN's comparisons.

    Three convolutions, each followed by ReLU and batch normalisation, a maximum over windows of 40 bp, and two dense
    layers of 10 and 5 units. The supplement does not say how borders are padded: ours are not.

    References
    ----------
    Tseng et al. 2024, 10.48550/arXiv.2410.06211, supplement C.2.
    """

    name: ClassVar[str] = "standard_cnn"
    references: ClassVar[tuple[str, ...]] = ("10.48550/arXiv.2410.06211",)

    filters: int = setting(8, "of each convolution")
    width: int = setting(10, "of the first filters, in bp")

    def network(self, length: int, outputs: int) -> nn.Module:
        """Return the network."""
        from cislens_reference_models.networks import standard_cnn

        return standard_cnn(length, outputs, self.filters, self.width)


@dataclass(frozen=True)
class ResidualNetwork(TorchTrainer):
    """Train a residual network with dilated convolutions, of the kind that MEM explains.

    MEM's paper names the kind and no sizes: ours are a wide first convolution, the maximum over windows of a few bp,
    residual blocks whose dilation doubles, the maximum over positions, and a dense layer, so that motifs are found
    wherever they stand. Without the windows an epoch takes seven times as long, and on motifs of natural strength the
    network learned the stronger one alone.

    References
    ----------
    The paper on motif explainer models ("Uncovering biological motifs and syntax via sufficient and necessary
    explanations"), section 4.
    """

    name: ClassVar[str] = "residual_network"

    channels: int = setting(32, "of every convolution")
    width: int = setting(13, "of the first filters, in bp")
    pool: int = setting(5, "bp that the maximum is taken over after the first filters")
    blocks: int = setting(3, "residual blocks; the dilation of each is twice that of the one before")

    def network(self, length: int, outputs: int) -> nn.Module:
        """Return the network."""
        from cislens_reference_models.networks import residual_network

        return residual_network(length, outputs, self.channels, self.width, self.pool, self.blocks)


@dataclass(frozen=True)
class BassetLike(TorchTrainer):
    """Train a small network of Basset's kind: three convolutions with pooling, and a dense layer with dropout.

    References
    ----------
    Kelley et al. 2016, 10.1101/gr.200535.115; narrower than theirs.
    """

    name: ClassVar[str] = "basset_like"
    references: ClassVar[tuple[str, ...]] = ("10.1101/gr.200535.115",)

    filters: int = setting(64, "of each convolution")
    hidden: int = setting(128, "units of the dense layer")
    dropout: float = setting(0.3, "share of the dense layer's units that are left out at a step")

    def network(self, length: int, outputs: int) -> nn.Module:
        """Return the network."""
        from cislens_reference_models.networks import basset_like

        return basset_like(length, outputs, self.filters, self.hidden, self.dropout)


@dataclass(frozen=True)
class BpnetLike(TorchTrainer):
    """Train a small network of BPNet's kind: a wide convolution, dilated ones that add to it, a mean over positions.

    It has BPNet's body and its head for total counts, without the head for profiles.

    References
    ----------
    Avsec et al. 2021, 10.1038/s41588-021-00782-6; narrower than theirs.
    """

    name: ClassVar[str] = "bpnet_like"
    references: ClassVar[tuple[str, ...]] = ("10.1038/s41588-021-00782-6",)

    channels: int = setting(32, "of every convolution")
    width: int = setting(21, "of the first filters, in bp")
    layers: int = setting(4, "dilated convolutions; the dilation of each is twice that of the one before")

    def network(self, length: int, outputs: int) -> nn.Module:
        """Return the network."""
        from cislens_reference_models.networks import bpnet_like

        return bpnet_like(length, outputs, self.channels, self.width, self.layers)
