"""What a layer of some framework may be in torch.

The words of `Layer` do not say everything: not the epsilon of a normalisation, nor the order of flattening, nor which
kind of pooling. So each layer has a few candidates, of which its values tell the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cislens.architecture.blueprint import THRESHOLD
from cislens.oracle.layer import Layer
from cislens_deeplift.rules import Exponential, Largest, Logarithm
from cislens_deeplift.twin import Concatenation, OverPositions, PositionsFirst, Product, Sum

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Sources = Sequence[torch.Tensor]  # (n, units, positions) or (n, units)

EPSILONS = (1e-3, 1e-5, 1e-4, 1e-2, 1e-6, 1e-7, 1e-8, 0.0)
LOW = -1e30  # in place of what pooling does not see beyond the ends

ACTIVATIONS: dict[str, tuple[Callable[[], nn.Module], ...]] = {
    "linear": (nn.Identity,),
    "relu": (nn.ReLU,),
    "relu6": (nn.ReLU6,),
    "sigmoid": (nn.Sigmoid,),
    "tanh": (nn.Tanh,),
    "exp": (Exponential,),
    "exponential": (Exponential,),
    "log": (Logarithm,),
    "elu": (nn.ELU,),
    "selu": (nn.SELU,),
    "celu": (nn.CELU,),
    "gelu": (nn.GELU, partial(nn.GELU, "tanh")),
    "silu": (nn.SiLU,),
    "swish": (nn.SiLU,),
    "mish": (nn.Mish,),
    "softplus": (nn.Softplus,),
    "softsign": (nn.Softsign,),
    "logsigmoid": (nn.LogSigmoid,),
    "log_sigmoid": (nn.LogSigmoid,),
    "hardtanh": (nn.Hardtanh,),
    "hard_tanh": (nn.Hardtanh,),
    "hardsigmoid": (nn.Hardsigmoid,),
    "hard_sigmoid": (nn.Hardsigmoid,),
    "hardswish": (nn.Hardswish,),
    "hard_silu": (nn.Hardswish,),
    "leaky_relu": tuple(partial(nn.LeakyReLU, slope) for slope in (0.01, 0.1, 0.2, 0.3)),
    "threshold": (partial(nn.Threshold, 0, THRESHOLD),),
    "softmax": (partial(nn.Softmax, 1),),
}


def candidates(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    """Yield modules that a layer may be, each of which can be called with tensors like its sources."""
    if sources and layer.kind in KINDS:
        yield from KINDS[layer.kind](layer, sources, arrays)


def activations(function: str) -> Iterator[nn.Module]:
    """Yield modules that an activation of that name may be."""
    for make in ACTIVATIONS.get(function, ()):
        yield make()


def _convolution(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    kernel, source = arrays.get("kernel"), sources[0]
    if kernel is None or kernel.ndim != 3 or source.ndim != 3 or source.shape[1] % kernel.shape[2]:
        return
    units, width, channels = kernel.shape
    groups = source.shape[1] // channels
    if units % groups or not _reaches(source, layer):
        return
    before, after = layer.padding
    module = _undrawn(
        nn.Conv1d,
        source.shape[1],
        units,
        width,
        stride=layer.stride,
        padding=before if before == after else 0,
        dilation=layer.dilation,
        groups=groups,
        bias="bias" in arrays,
    )
    _fill(module, weight=kernel.transpose(0, 2, 1), bias=arrays.get("bias"))
    yield module if before == after else nn.Sequential(nn.ConstantPad1d((before, after), 0.0), module)


def _reaches(source: torch.Tensor, layer: Layer) -> bool:
    return source.shape[2] + sum(layer.padding) > (layer.kernel - 1) * layer.dilation


def _dense(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    kernel = arrays.get("kernel")
    if kernel is None or kernel.ndim != 2 or sources[0][0].numel() != kernel.shape[1]:
        return
    module = _undrawn(nn.Linear, kernel.shape[1], kernel.shape[0], bias="bias" in arrays)
    _fill(module, weight=kernel, bias=arrays.get("bias"))
    for flat in _flatten(layer, sources, arrays) if sources[0].ndim == 3 else ():
        yield nn.Sequential(flat, module)
    if sources[0].ndim == 2:
        yield module


def _normalisation(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    mean = arrays.get("mean")
    if mean is None or mean.shape != (sources[0].shape[1],):
        return
    for epsilon in EPSILONS:
        module = nn.BatchNorm1d(len(mean), epsilon)
        scale, offset = arrays.get("scale", np.ones_like(mean)), arrays.get("offset", np.zeros_like(mean))
        _fill(module, weight=scale, bias=offset, running_mean=mean, running_var=arrays["variance"])
        yield module


def _activation(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    yield from activations(layer.activation or "linear")
    for slope in arrays.values() if layer.activation == "prelu" else ():
        if slope.size in (1, sources[0].shape[1]):
            module = nn.PReLU(slope.size)
            _fill(module, weight=slope.reshape(-1))
            yield module


def _pool(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    if sources[0].ndim != 3 or not _reaches(sources[0], layer):
        return
    before, after = layer.padding
    even = before == after and before <= layer.kernel // 2
    padding = before if even else 0
    largest = nn.MaxPool1d(layer.kernel, layer.stride, padding, layer.dilation)
    yield largest if even else nn.Sequential(nn.ConstantPad1d((before, after), LOW), largest)
    for counted in (True, False) if even and layer.dilation == 1 else ():
        yield nn.AvgPool1d(layer.kernel, layer.stride, padding, count_include_pad=counted)


def _global_pool(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    if sources[0].ndim == 3:
        yield nn.Sequential(Largest(), nn.Flatten())
        yield OverPositions(mean=True)
        yield OverPositions(mean=False)


def _flatten(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    yield nn.Flatten()
    if sources[0].ndim == 3:
        yield nn.Sequential(PositionsFirst(), nn.Flatten())


def _add(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    if len({source.shape for source in sources}) == 1:
        yield Sum([1.0] * len(sources))
        yield Sum([1 / len(sources)] * len(sources))
        if len(sources) == 2:
            yield Sum([1.0, -1.0])


def _multiply(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    if len(sources) == 2 and sources[0].shape == sources[1].shape:
        yield Product()


def _concatenate(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    if len({(source.ndim, *source.shape[2:]) for source in sources}) == 1:
        yield Concatenation()


def _pad(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    if sources[0].ndim == 3:
        yield nn.ConstantPad1d(layer.padding, 0.0)


def _unchanged(layer: Layer, sources: Sources, arrays: Arrays) -> Iterator[nn.Module]:
    yield nn.Identity()


def _undrawn(kind: type[nn.Module], *sizes: int, **settings: Any) -> nn.Module:
    """Return a module without initial values, which torch would draw from its global generator."""
    module: nn.Module = nn.utils.skip_init(kind, *sizes, **settings)  # type: ignore[no-untyped-call]
    return module


def _fill(module: nn.Module, **arrays: Array | None) -> None:
    """Give a module its weights and buffers, in their own number type."""
    with torch.no_grad():
        for name, array in arrays.items():
            if array is not None:
                getattr(module, name).copy_(torch.from_numpy(np.ascontiguousarray(array)))


KINDS: dict[str, Callable[[Layer, Sources, Arrays], Iterator[nn.Module]]] = {
    "convolution": _convolution,
    "dense": _dense,
    "normalisation": _normalisation,
    "activation": _activation,
    "pool": _pool,
    "global_pool": _global_pool,
    "flatten": _flatten,
    "add": _add,
    "multiply": _multiply,
    "concatenate": _concatenate,
    "pad": _pad,
    "dropout": _unchanged,
    "permute": _unchanged,
}
