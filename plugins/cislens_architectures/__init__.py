"""Published architectures: DeepSEA, Beluga, Basset, DeepSTARR, BPNet, ChromBPNet and ExplaiNN."""

from cislens import hookimpl
from cislens.architecture import Architecture
from cislens_architectures.basset import Basset
from cislens_architectures.bpnet import BPNet, ChromBPNet
from cislens_architectures.deepsea import Beluga, DeepSea
from cislens_architectures.deepstarr import DeepStarr
from cislens_architectures.explainn import ExplaiNN

__all__ = ["BPNet", "Basset", "Beluga", "ChromBPNet", "DeepSea", "DeepStarr", "ExplaiNN"]


@hookimpl
def register_architectures() -> list[Architecture]:
    """Add the architectures."""
    return [Basset(), Beluga(), BPNet(), ChromBPNet(), DeepSea(), DeepStarr(), ExplaiNN()]
