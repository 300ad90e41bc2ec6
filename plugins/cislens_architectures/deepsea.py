"""DeepSEA and its successor Beluga: chromatin features of a long window, by the group of Olga Troyanskaya."""

from __future__ import annotations

from typing import ClassVar

from cislens.architecture import Architecture, Network, WeightsFile
from cislens.architecture.network import fitting

ORDER = "AGCT"  # of the bases, in which both were trained
WIDTH, POOL = 8, 4


class DeepSea(Architecture):
    """Three convolutions and two dense layers over 1000 bp, 919 chromatin features.

    The table is the paper's (supplementary note), its settings those of the authors' torch7 model, which puts 1e-6 in
    place of what is not above zero, as its conversions to PyTorch keep it (Kipoi: DeepSEA/model_architecture.py).
    Kipoi's network turns ACGT into AGCT before its first layer; its weights are these.

    References
    ----------
    Zhou & Troyanskaya 2015, 10.1038/nmeth.3547.
    """

    name: ClassVar[str] = "deepsea"
    title: ClassVar[str] = "919 chromatin features of 1000 bp (Zhou & Troyanskaya 2015)"
    references: ClassVar[tuple[str, ...]] = ("10.1038/nmeth.3547",)

    def network(self, file: WeightsFile, length: int | None) -> Network:
        """Return the network; its numbers of filters, units and features are those of the file."""
        *filters, hidden, features = file.sizes((320, 480, 960, 925, 919))

        def trunk(length: int) -> Network:
            net = Network(length, file, ORDER)
            for number, units in enumerate(filters, 1):
                net.convolution(f"conv{number}", units, WIDTH)
                net.activation(f"threshold{number}", "threshold")
                if number < len(filters):
                    net.pool(f"pool{number}", POOL)
            return net

        net = fitting(trunk, file.inputs_of(len(filters)), length, 1000)
        net.flatten("flatten")
        net.dense("dense1", hidden)
        net.activation("threshold4", "threshold")
        net.dense("dense2", features)
        net.activation("sigmoid", "sigmoid")
        net.head("chromatin", "probability")
        return net


class Beluga(Architecture):
    """Six convolutions in pairs and two dense layers over 2000 bp, 2002 chromatin features: ExPecto's first stage.

    The table and the names ("model.0.0.weight", ...) are those of the authors' PyTorch code (ExPecto: chromatin.py) and
    of Kipoi's DeepSEA/beluga.

    References
    ----------
    Zhou et al. 2018, 10.1038/s41588-018-0160-6.
    """

    name: ClassVar[str] = "beluga"
    title: ClassVar[str] = "2002 chromatin features of 2000 bp, as in ExPecto (Zhou et al. 2018)"
    references: ClassVar[tuple[str, ...]] = ("10.1038/s41588-018-0160-6",)

    def network(self, file: WeightsFile, length: int | None) -> Network:
        """Return the network; its numbers of filters, units and features are those of the file."""
        *filters, hidden, features = file.sizes((320, 320, 480, 480, 640, 640, 2003, 2002))

        def trunk(length: int) -> Network:
            net = Network(length, file, ORDER)
            for number, units in enumerate(filters, 1):
                net.convolution(f"conv{number}", units, WIDTH)
                net.activation(f"relu{number}")
                if number in (2, 4):
                    net.pool(f"pool{number // 2}", POOL)
            return net

        net = fitting(trunk, file.inputs_of(len(filters)), length, 2000)
        net.flatten("flatten")
        net.dense("dense1", hidden)
        net.activation("relu7")
        net.dense("dense2", features)
        net.activation("sigmoid", "sigmoid")
        net.head("chromatin", "probability")
        return net
