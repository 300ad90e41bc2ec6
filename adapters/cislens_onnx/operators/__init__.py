"""ONNX operators as torch functions, in families."""

from cislens_onnx.operators import (
    attention,
    convolution,
    elementwise,
    indexing,
    loop,
    normalisation,
    pooling,
    recurrent,
    reduction,
    shaping,
)
from cislens_onnx.operators.registry import OPERATORS

__all__ = [
    "OPERATORS",
    "attention",
    "convolution",
    "elementwise",
    "indexing",
    "loop",
    "normalisation",
    "pooling",
    "recurrent",
    "reduction",
    "shaping",
]
