"""DeepSTARR: developmental and housekeeping enhancer activity in fly cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from cislens.architecture import Architecture, Network, WeightsFile
from cislens.architecture.network import fitting

WIDTHS, POOL = (7, 3, 5, 3), 2
CONVOLUTIONS, HIDDEN = 4, 2
ACTIVITIES = ("Dev", "Hk")


class DeepStarr(Architecture):
    """Four convolutions and two dense layers over 249 bp; activity with a developmental and a housekeeping promoter.

    The table is that of the authors' Keras model (Zenodo 5502060). Its two last layers are heads of their own; ports to
    PyTorch with one last layer of two units have one head with both as outputs. A Keras file is flattened as Keras
    does, and normalised with Keras's epsilon of 1e-3; a PyTorch file as PyTorch does, with 1e-5.

    References
    ----------
    de Almeida et al. 2022, 10.1038/s41588-022-01048-5.
    """

    name: ClassVar[str] = "deepstarr"
    title: ClassVar[str] = "enhancer activity of 249 bp in fly cells, Dev and Hk (de Almeida et al. 2022)"
    references: ClassVar[tuple[str, ...]] = ("10.1038/s41588-022-01048-5",)

    def layouts(self, file: WeightsFile) -> Sequence[Sequence[str]]:
        """Return the names of ports to PyTorch whose last layers only their names tell apart."""
        blocks = [name for i in range(1, CONVOLUTIONS + 1) for name in (f"conv{i}", f"bn{i}")]
        dense = [name for i in range(1, HIDDEN + 1) for name in (f"fc{i}", f"bn{CONVOLUTIONS + i}")]
        return [[*blocks, *dense, "dev", "hk"]]

    def network(self, file: WeightsFile, length: int | None) -> Network:
        """Return the network; its numbers of filters and units are those of the file."""
        joined = len(file.kernels) == CONVOLUTIONS + HIDDEN + 1
        units = file.sizes((256, 60, 60, 120, 256, 256, *((2,) if joined else (1, 1))))
        filters, hidden = units[:CONVOLUTIONS], units[CONVOLUTIONS : CONVOLUTIONS + HIDDEN]

        def trunk(length: int) -> Network:
            net = Network(length, file)
            for number, (count, width) in enumerate(zip(filters, WIDTHS, strict=True), 1):
                net.convolution(f"conv{number}", count, width, padding="same")
                net.normalisation(f"norm{number}")
                net.activation(f"relu{number}")
                net.pool(f"pool{number}", POOL)
            return net

        net = fitting(trunk, file.inputs_of(CONVOLUTIONS), length, 249)
        net.flatten("flatten")
        for number, count in enumerate(hidden, 1):
            net.dense(f"dense{number}", count)
            net.normalisation(f"norm{CONVOLUTIONS + number}")
            net.activation(f"relu{CONVOLUTIONS + number}")
        if joined:
            net.dense("activity", units[-1])
            net.head("activity", "linear", outputs=ACTIVITIES if units[-1] == len(ACTIVITIES) else ())
            return net
        last = net.last
        for name in ACTIVITIES:
            net.dense(f"dense_{name.lower()}", 1, of=last)
            net.head(name, "linear")
        return net
