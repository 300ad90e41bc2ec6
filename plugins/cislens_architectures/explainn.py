"""ExplaiNN: a sum of independent units, each of which sees the sequence through one filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from cislens.architecture import Architecture, Network, WeightsFile
from cislens.architecture.network import fitting

POOL = 7


class ExplaiNN(Architecture):
    """One filter a unit, an exponential, pooling by 7, small dense layers of each unit's own, and a linear sum.

    The table is that of the authors' PyTorch code (explainn/models/networks.py of wassermanlab/ExplaiNN) with the
    pooling of 7 that it has by default; the number of units, the filters' width, the hidden layers, the classes and the
    length of the input follow from the weights. Without hidden layers a unit's value is its filter's maximum.

    References
    ----------
    Novakovsky et al. 2023, 10.1186/s13059-023-02985-y.
    """

    name: ClassVar[str] = "explainn"
    title: ClassVar[str] = "independent units of one filter each (Novakovsky et al. 2023)"
    references: ClassVar[tuple[str, ...]] = ("10.1186/s13059-023-02985-y",)

    def layouts(self, file: WeightsFile) -> Sequence[Sequence[str]]:
        """Return the names of the authors' code for as many hidden layers as the file holds."""
        hidden = len(file.kernels) - 2
        names = ["linears.0", "linears.1"]
        names += ["linears.6", "linears.7"] if hidden > 0 else []
        names += ["linears.10", "linears.11"] if hidden == 2 else []
        if hidden > 2:
            names += [f"linears_bg.{number}.{part}" for number in range(hidden - 2) for part in (1, 2)]
            names += ["last_linear.1", "last_linear.2"]
        return [[*names, "final"]]

    def network(self, file: WeightsFile, length: int | None) -> Network:
        """Return the network; all sizes are those of the file."""
        kernels = list(file.kernels)
        fits = len(kernels) > 1 and kernels[0].arrays["kernel"].ndim == 3
        filters, width = kernels[0].arrays["kernel"].shape[:2] if fits else (100, 19)
        hidden = [layer.units // filters for layer in kernels[1:-1]] if fits else [100, 1]
        classes = kernels[-1].units if fits else 1

        def trunk(length: int) -> Network:
            net = Network(length, file)
            net.convolution("filters", filters, width)
            net.normalisation("filters_norm")
            net.activation("exp", "exp")
            if hidden:
                net.pool("pool", POOL)
            return net

        if hidden:
            net = fitting(trunk, file.inputs_of(1) * filters, length, 200)
            net.flatten_by_channel("flatten")
        else:
            net = trunk(length or 200)
            net.global_pool("maximum", "max")
        for number, units in enumerate(hidden, 1):
            net.grouped_dense(f"hidden{number}", units, filters)
            net.normalisation(f"hidden{number}_norm")
            net.activation(f"relu{number}")
        net.dense("final", classes)
        net.head("classes", "unknown")
        return net
