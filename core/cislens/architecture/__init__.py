"""Published architectures: networks that a file of weights alone is enough to open."""

from cislens.architecture.architecture import Architecture
from cislens.architecture.blueprint import Blueprint, BlueprintHead, Step
from cislens.architecture.file_layer import FileLayer, WeightsFile
from cislens.architecture.network import Network

__all__ = ["Architecture", "Blueprint", "BlueprintHead", "FileLayer", "Network", "Step", "WeightsFile"]
