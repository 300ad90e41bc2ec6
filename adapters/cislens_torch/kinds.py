"""What each torch function does, in framework-neutral words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from cislens.oracle.layer import LayerKind
from cislens_torch.axes import REARRANGING, SAME, rearranged
from cislens_torch.operation import Axes, Call, Description, Window, tensors_in

ACTIVATIONS = frozenset(
    "relu relu6 exp sigmoid tanh gelu silu elu selu celu leaky_relu prelu softplus softsign hardtanh hardsigmoid "
    "hardswish mish logsigmoid threshold log log1p expm1 sqrt rsqrt square pow abs clamp clip clamp_min clamp_max "
    "softmax log_softmax softmin sin cos hardshrink softshrink tanhshrink rrelu reciprocal neg erf exp2 log2 log10 "
    "special_expit".split()
)
NAMED_OTHERWISE = {"special_expit": "sigmoid"}
ALONG_AN_AXIS = frozenset({"softmax", "log_softmax", "softmin"})
SUMS = frozenset({"add", "sub", "rsub", "subtract"})
PRODUCTS = frozenset({"mul", "div", "multiply", "divide", "true_divide", "rdiv"})
JOINS = frozenset({"cat", "concat", "concatenate", "stack"})
REDUCTIONS = frozenset(
    "sum mean max min amax amin logsumexp std var prod median nanmean nansum nanmedian all any argmax argmin".split()
)
DROPOUTS = frozenset(
    "dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout".split()
)
RECURRENT = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu", "repeated", "recurrence"})
ATTENTION = frozenset({"scaled_dot_product_attention", "multi_head_attention_forward"})
PADS = frozenset({"pad", "constant_pad_nd"})


def describe(call: Call, result: Any) -> Description:
    """Return what a call does with the marked values it reads."""
    name = call.function
    if name in SAME:
        return Description(None, call.marked[0][1].axes)
    if name in REARRANGING:
        return rearranged(call)
    if name in JOINS:
        return _joined(call)
    if name in SUMS or name in PRODUCTS:
        return _elementwise(call, result)
    if name in REDUCTIONS:
        return _reduced(call, result)
    for names, handler in HANDLERS:
        if name in names:
            # A function of one input does what it says only where that input is what holds the sequence.
            if call.argument(0, "input") is call.marked[0][0]:
                return handler(call)
            break
    return Description("other", _unchanged(call, result))


def _unchanged(call: Call, result: Any) -> Axes:
    """Return the axes of the first input, where the result is of its form; what is not known stays open."""
    source, mark = call.marked[0]
    first = next(tensors_in(result), None)
    if first is None or first.ndim != source.ndim:
        return Axes()
    kept = [
        axis if axis is not None and first.shape[axis] == source.shape[axis] else None
        for axis in (mark.axes.batch, mark.axes.position)
    ]
    return Axes(*kept)


def _convolution(call: Call) -> Description:
    source, mark = call.marked[0]
    weight, bias = call.argument(1, "weight"), call.argument(2, "bias")
    spatial = weight.ndim - 2
    arrays = {"weight": weight} | ({"bias": bias} if bias is not None else {})
    place = mark.axes.position
    if place is None:
        kernel = weight.shape[-1]
        kind: LayerKind = "dense" if weight[0, 0].numel() == 1 else "convolution"
        return Description(kind, Axes(mark.axes.batch), Window(kernel), arrays=arrays)
    axis = place - (source.ndim - spatial)
    if axis < 0:
        return Description("other", Axes(mark.axes.batch))
    stride, dilation = (along(call.argument(i, n, 1), axis) for i, n in ((3, "stride"), (5, "dilation")))
    window = Window(weight.shape[2 + axis], stride, dilation, _conv_padding(call, axis), axis)
    return Description("convolution", mark.axes, window, arrays=arrays)


def _conv_padding(call: Call, axis: int) -> tuple[int, int]:
    padding = call.argument(4, "padding", 0)
    if isinstance(padding, str):
        reach = along(call.argument(5, "dilation", 1), axis) * (call.argument(1, "weight").shape[2 + axis] - 1)
        return (reach // 2, reach - reach // 2) if padding == "same" else (0, 0)
    width = along(padding, axis)
    return width, width


def along(value: Any, axis: int) -> int:
    """Return a setting that is one number for all spatial axes, or one for each."""
    if isinstance(value, tuple | list | torch.Size):
        each = list(value)
        return int(each[axis] if len(each) > 1 else each[0])
    return int(value)


def _pool(call: Call) -> Description:
    source, mark = call.marked[0]
    shift = 1 if call.function.startswith("lp_") else 0
    size = call.argument(1 + shift, "kernel_size")
    strides = call.argument(2 + shift, "stride") or size
    spatial = int(call.function[call.function.index("d") - 1])
    axis = None if mark.axes.position is None else mark.axes.position - (source.ndim - spatial)
    if axis is None:
        return Description("pool", mark.axes)
    if axis < 0:
        return Description("other", mark.axes)
    dilation = along(call.argument(4, "dilation", 1), axis) if call.function.startswith("max_") else 1
    padding = 0 if shift else along(call.argument(3, "padding", 0), axis)
    window = Window(along(size, axis), along(strides, axis), dilation, (padding, padding), axis)
    return Description("pool", mark.axes, window)


def _adaptive_pool(call: Call) -> Description:
    source, mark = call.marked[0]
    spatial = int(call.function[-2])
    if mark.axes.position is None:
        return Description("global_pool", mark.axes)
    axis = mark.axes.position - (source.ndim - spatial)
    size = call.argument(1, "output_size")
    wanted = (size[axis] if isinstance(size, tuple | list) else size) if axis >= 0 else 0
    positions = source.shape[mark.axes.position]
    if wanted == 1:
        return Description("global_pool", Axes(mark.axes.batch))
    if not wanted or positions % wanted:
        return Description("other", mark.axes)
    return Description("pool", mark.axes, Window(positions // wanted, positions // wanted, axis=axis))


def _linear(call: Call) -> Description:
    source, mark = call.marked[0]
    weight, bias = call.argument(1, "weight"), call.argument(2, "bias")
    arrays = {"weight": weight} | ({"bias": bias} if bias is not None else {})
    return _dense(source, mark.axes, arrays)


def _product(call: Call) -> Description:
    source, mark = call.marked[0]
    weight = call.argument(1, "mat2", call.argument(1, "other"))
    if len(call.marked) > 1 or weight is None or weight.ndim != 2:
        return Description("other", Axes(mark.axes.batch))
    return _dense(source, mark.axes, {"weight": weight.detach().T})


def _dense(source: torch.Tensor, axes: Axes, arrays: dict[str, torch.Tensor]) -> Description:
    if axes.position is None or axes.position == source.ndim - 1:
        return Description("dense", Axes(axes.batch), arrays=arrays)
    return Description("convolution", axes, Window(), arrays=arrays)


def _normalisation(call: Call) -> Description:
    _, mark = call.marked[0]
    given = {"mean": call.argument(1, "running_mean"), "variance": call.argument(2, "running_var")}
    given |= {"scale": call.argument(3, "weight"), "offset": call.argument(4, "bias")}
    over_the_batch = call.argument(5, "training", False) or given["mean"] is None
    arrays = {name: array for name, array in given.items() if array is not None}
    return Description("other" if over_the_batch else "normalisation", mark.axes, arrays=arrays)


def _layer_norm(call: Call) -> Description:
    source, mark = call.marked[0]
    given = {"scale": call.argument(2, "weight"), "offset": call.argument(3, "bias")}
    if call.function == "rms_norm":
        given.pop("offset")
    arrays = {name: array for name, array in given.items() if array is not None}
    first = source.ndim - len(call.argument(1, "normalized_shape"))
    mixes = mark.axes.position is not None and mark.axes.position >= first
    return Description("other" if mixes else "normalisation", mark.axes, arrays=arrays)


def _activation(call: Call) -> Description:
    source, mark = call.marked[0]
    if call.function in ALONG_AN_AXIS:
        dim = call.argument(1, "dim")
        if dim is not None and dim % source.ndim == mark.axes.position:
            return Description("other", mark.axes, activation=call.function)
    return Description("activation", mark.axes, activation=NAMED_OTHERWISE.get(call.function, call.function))


def _gated(call: Call) -> Description:
    source, mark = call.marked[0]
    mixes = call.argument(1, "dim", -1) % source.ndim == mark.axes.position
    return Description("other" if mixes else "multiply", mark.axes)


def _pad(call: Call) -> Description:
    source, mark = call.marked[0]
    if mark.axes.position is None:
        return Description("other", mark.axes)
    widths = tuple(call.argument(1, "pad"))
    first = 2 * (source.ndim - 1 - mark.axes.position)
    before, after = widths[first : first + 2] if len(widths) > first else (0, 0)
    return Description("pad", mark.axes, Window(padding=(int(before), int(after))))


def _same(kind: Any) -> Callable[[Call], Description]:
    return lambda call: Description(kind, call.marked[0][1].axes)


def _elementwise(call: Call, result: Any) -> Description:
    kind: Any = "add" if call.function in SUMS else "multiply"
    result = next(tensors_in(result))
    found = []
    for tensor, mark in call.marked:
        shift = result.ndim - tensor.ndim
        found.append(Axes(*(None if axis is None else axis + shift for axis in (mark.axes.batch, mark.axes.position))))
    places = {axes.position for axes in found if axes.position is not None}
    batches = {axes.batch for axes in found}
    if len(places) > 1 or len(batches) > 1:
        return Description("other", Axes())
    return Description(kind, Axes(batches.pop(), places.pop() if places else None))


def _joined(call: Call) -> Description:
    dim = call.argument(1, "dim", call.kwargs.get("axis", 0))
    tensor, mark = call.marked[0]
    agree = len({m.axes for _, m in call.marked}) == 1
    if call.function == "stack":
        dim = dim % (tensor.ndim + 1)
        moved = [None if axis is None else axis + (dim <= axis) for axis in (mark.axes.batch, mark.axes.position)]
        return Description("concatenate" if agree else "other", Axes(*moved) if agree else Axes())
    mixes = dim % tensor.ndim in (mark.axes.batch, mark.axes.position)
    return Description("concatenate" if agree and not mixes else "other", mark.axes if agree else Axes())


def _reduced(call: Call, result: Any) -> Description:
    source, mark = call.marked[0]
    dims = call.argument(1, "dim", call.kwargs.get("axis"))
    if isinstance(dims, torch.Tensor) or not call.args or call.args[0] is not source:
        return Description("other", _unchanged(call, result))
    listed = range(source.ndim) if dims is None else (dims,) if isinstance(dims, int) else dims
    gone = {int(d) % source.ndim for d in listed}
    keeps = next(tensors_in(result)).ndim == source.ndim
    left = [
        None if axis is None or axis in gone else axis - (0 if keeps else sum(d < axis for d in gone))
        for axis in (mark.axes.batch, mark.axes.position)
    ]
    return Description("global_pool" if mark.axes.position in gone else "other", Axes(*left))


def _dimensions(stem: str) -> frozenset[str]:
    return frozenset(f"{stem}{d}d" for d in (1, 2, 3))


HANDLERS: tuple[tuple[frozenset[str], Callable[[Call], Description]], ...] = (
    (_dimensions("conv"), _convolution),
    (_dimensions("max_pool") | _dimensions("avg_pool") | _dimensions("lp_pool"), _pool),
    (frozenset(f"max_pool{d}d_with_indices" for d in (1, 2, 3)), _pool),
    (_dimensions("adaptive_avg_pool") | _dimensions("adaptive_max_pool"), _adaptive_pool),
    (frozenset({"linear"}), _linear),
    (frozenset({"matmul", "mm"}), _product),
    (frozenset({"batch_norm"}), _normalisation),
    (frozenset({"layer_norm", "rms_norm"}), _layer_norm),
    (ACTIVATIONS, _activation),
    (frozenset({"glu"}), _gated),
    (PADS, _pad),
    (DROPOUTS, _same("dropout")),
    (RECURRENT, _same("recurrent")),
    (ATTENTION, _same("attention")),
    (frozenset({"embedding"}), _same("embedding")),
)
