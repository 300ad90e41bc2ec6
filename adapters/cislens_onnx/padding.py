"""State the padding of dilated convolutions, which onnxruntime does not work out."""

from __future__ import annotations

import onnx
from onnx import helper

SAME = ("SAME_UPPER", "SAME_LOWER")


def state_padding(model: onnx.ModelProto) -> None:
    """Give convolutions of `auto_pad` SAME their padding in numbers, in place.

    PyTorch's exporter writes padding="same" so. onnxruntime refuses it of a dilated convolution, although at a step of
    one the padding does not depend on the length: dilation x (width - 1), the odd one at the end or the start.
    """
    widths = {tensor.name: list(tensor.dims[2:]) for tensor in model.graph.initializer}
    for node in model.graph.node:
        settings = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        kind = settings.get("auto_pad", b"").decode()
        width = settings.get("kernel_shape") or widths.get(node.input[1] if len(node.input) > 1 else "")
        if node.op_type != "Conv" or kind not in SAME or not width or set(settings.get("strides", [1])) != {1}:
            continue
        totals = [d * (k - 1) for d, k in zip(settings.get("dilations", [1] * len(width)), width, strict=True)]
        less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
        pads = [*less, *more] if kind == "SAME_UPPER" else [*more, *less]
        kept = [attribute for attribute in node.attribute if attribute.name not in ("auto_pad", "pads")]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("pads", pads)])
