"""BPNet and ChromBPNet: the profile of reads at base resolution, and their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from cislens.architecture import Architecture, FileLayer, Network, WeightsFile
from cislens.oracle.encoding import BASES

FIRST, DILATED, LAST = 21, 3, 75  # widths of the first, the dilated and the profile's convolution
LENGTH, PROFILE = 2114, 1000  # bp
PUBLISHED = 8  # dilated convolutions
LITE = ("iconv", "rconvs.{}", "fconv", "linear")
# Names of the Kundaje lab's Keras files: of a model alone, and of ChromBPNet's part without bias.
KERAS = ("bpnet_1st_conv", "bpnet_{}conv", "prof_out_precrop", "logcount_predictions")
KERAS_WITHOUT_BIAS = (
    "wo_bias_bpnet_1st_conv",
    "wo_bias_bpnet_{}conv",
    "wo_bias_bpnet_prof_out_precrop",
    "wo_bias_bpnet_logcount_predictions",
)


class BPNet(Architecture):
    """A trunk of dilated residual convolutions, a profile head and a counts head.

    The table is that of bpnet-lite's `BPNet` and of the Kundaje lab's Keras models (bpnet_model.py of chrombpnet),
    which are the same where bpnet-lite crops by its default, 47 + 2 + 4 + ... bp at either end: what no window of the
    whole trunk reaches beyond the input. Their names are known; other files are read in their order.

    Control tracks are held at zero: the weights that read them are left out, which changes no answer. The profile is
    that of logits over positions, for two strands (strand, position); counts are the logarithm of a number of reads.

    References
    ----------
    Avsec et al. 2021, 10.1038/s41588-021-00782-6.
    """

    name: ClassVar[str] = "bpnet"
    title: ClassVar[str] = "profile and counts of reads, control tracks held at zero (Avsec et al. 2021)"
    references: ClassVar[tuple[str, ...]] = ("10.1038/s41588-021-00782-6",)
    filters: ClassVar[int] = 64  # published

    def layouts(self, file: WeightsFile) -> Sequence[Sequence[str]]:
        """Return the names of bpnet-lite and of the Kundaje lab's Keras files."""
        numbers = range(1, _dilated(file) + 1)
        first, dilated, *heads = LITE
        lite = [first, *(dilated.format(i - 1) for i in numbers), *heads]
        return [lite, *([n[0], *(n[1].format(i) for i in numbers), *n[2:]] for n in (KERAS, KERAS_WITHOUT_BIAS))]

    def part(self, file: WeightsFile) -> WeightsFile:
        """Return the file's layers without the weights that read control tracks, which count as zero."""
        filters = next((k.units for k in file.kernels if k.arrays["kernel"].shape[1:] == (FIRST, len(BASES))), None)
        if filters is None:
            return file
        return replace(file, layers=tuple(_without_control(layer, filters) for layer in file.layers))

    def network(self, file: WeightsFile, length: int | None) -> Network:
        """Return the network; filters, dilated convolutions and strands are those of the file."""
        dilated = _dilated(file)
        *filters, strands, counts = file.sizes((self.filters,) * (dilated + 1) + (1, 1))
        margin = FIRST + LAST - 2 + sum((DILATED - 1) * 2**i for i in range(1, dilated + 1))
        net = Network(length or max(LENGTH, margin + PROFILE), file)
        net.convolution("first", filters[0], FIRST)
        net.activation("first_relu")
        for number in range(1, dilated + 1):
            before = net.last
            net.convolution(f"dilated{number}", filters[number], DILATED, 2**number)
            after = net.activation(f"relu{number}")
            net.crop(f"crop{number}", 2**number, of=before)
            net.add(f"add{number}", after, f"crop{number}")
        trunk = net.last
        net.convolution("profile", strands, LAST)
        # The Kundaje lab's models answer for 1000 bp, however much more their windows would allow.
        surplus = (LENGTH - margin - PROFILE) // 2
        if file.framework == "keras" and surplus > 0:
            net.crop("profile_crop", surplus, of="profile")
        axes = {1: ("position",), 2: ("strand", "position")}.get(strands, ("output", "position"))
        net.head("profile", "logit", axes)
        net.global_pool("mean", "mean", of=trunk)
        net.dense("log_counts", counts)
        net.head("counts", "log")
        return net


class ChromBPNet(BPNet):
    """BPNet for chromatin accessibility: ChromBPNet's part that does not model the enzyme's own preference.

    Of a file that holds both parts (the Kundaje lab's chrombpnet.h5, bpnet-lite's `ChromBPNet`), the part without bias
    is read; chrombpnet_nobias.h5 is it alone. A bias model opens too: it is a BPNet of one output.

    References
    ----------
    Pampari et al. 2024, 10.1101/2024.12.25.630221.
    """

    name: ClassVar[str] = "chrombpnet"
    title: ClassVar[str] = "accessibility profile and counts, without the enzyme's bias (Pampari et al. 2024)"
    references: ClassVar[tuple[str, ...]] = ("10.1101/2024.12.25.630221", "10.1038/s41588-021-00782-6")
    filters: ClassVar[int] = 512

    def part(self, file: WeightsFile) -> WeightsFile:
        """Return the layers of the part without bias, where the file names one."""
        return super().part(file.part(r"(^|/)wo_bias_|(^|\.)accessibility\."))


def _dilated(file: WeightsFile) -> int:
    return len(file.kernels) - 3 if len(file.kernels) > 3 else PUBLISHED


def _without_control(layer: FileLayer, filters: int) -> FileLayer:
    kernel = layer.arrays.get("kernel")
    if kernel is None or kernel.shape[-1] <= filters or not (kernel.ndim == 2 or kernel.shape[1] == LAST):
        return layer
    return replace(layer, arrays={**layer.arrays, "kernel": kernel[..., :filters]})
