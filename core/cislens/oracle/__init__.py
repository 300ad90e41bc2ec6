"""Models as functions from sequences to named heads."""

from cislens.oracle.base import HOOKS, Oracle, Outputs, Pullback
from cislens.oracle.counts import Counts
from cislens.oracle.encoding import Encoding
from cislens.oracle.function import FunctionOracle
from cislens.oracle.head import Head
from cislens.oracle.layer import Layer
from cislens.oracle.options import ExtraInput, OracleOptions

__all__ = [
    "HOOKS",
    "Counts",
    "Encoding",
    "ExtraInput",
    "FunctionOracle",
    "Head",
    "Layer",
    "Oracle",
    "OracleOptions",
    "Outputs",
    "Pullback",
]
