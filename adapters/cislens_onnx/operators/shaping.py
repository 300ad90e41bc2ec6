"""Operators that move values to another place or form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators.registry import operator

PADDING = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def numbers(given: torch.Tensor | None, node: Node, name: str) -> list[int] | None:
    """Return whole numbers that older operator sets hold as a setting and newer ones take as an input."""
    if given is not None:
        return [int(number) for number in given.reshape(-1).tolist()]
    held = node.setting(name)
    return None if held is None else [int(number) for number in held]


@operator("Constant")
def constant(node: Node) -> torch.Tensor:
    """Return the value that the node holds, in whichever form."""
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if (held := node.setting(name)) is not None:
            kind = np.float32 if name.startswith("value_f") else np.int64 if name.startswith("value_i") else None
            return torch.from_numpy(np.array(held, kind))
    raise Uncovered("Constant of texts or sparse values")


@operator("ConstantOfShape")
def constant_of_shape(node: Node, shape: torch.Tensor) -> torch.Tensor:
    """Return one value in every place of a shape."""
    value = torch.from_numpy(np.array(node.setting("value", np.zeros(1, np.float32)))).reshape(())
    return value.expand(shape.tolist()).clone()


@operator("Shape")
def shape_of(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return the sizes, as numbers that do not depend on the values."""
    return torch.tensor(list(x.shape)[node.setting("start", 0) : node.setting("end")], dtype=torch.int64)


@operator("Size")
def size_of(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return how many values there are."""
    return torch.tensor(math.prod(x.shape), dtype=torch.int64)


@operator("Reshape")
def reshape(node: Node, x: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    """Give values another shape; a 0 keeps a size, unless it is allowed to mean none."""
    wanted = shape.tolist()
    if not node.setting("allowzero", 0):
        wanted = [x.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    return x.reshape(wanted)


@operator("Flatten")
def flatten(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Join the axes before and from `axis` on into one each."""
    axis = node.setting("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return torch.flatten(x, 1) if axis == 1 and x.ndim > 1 else x.reshape(math.prod(x.shape[:axis]), -1)


@operator("Squeeze")
def squeeze(node: Node, x: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
    """Leave out axes of size one."""
    chosen = numbers(axes, node, "axes")
    return x.squeeze(tuple(chosen)) if chosen else x.squeeze()


@operator("Unsqueeze")
def unsqueeze(node: Node, x: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
    """Add axes of size one, where they stand in the result."""
    chosen = numbers(axes, node, "axes") or []
    for axis in sorted(axis % (x.ndim + len(chosen)) for axis in chosen):
        x = x.unsqueeze(axis)
    return x


@operator("Transpose")
def transpose(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Reorder the axes."""
    return x.permute(node.setting("perm") or list(reversed(range(x.ndim))))


@operator("Concat")
def concatenate(node: Node, *parts: torch.Tensor) -> torch.Tensor:
    """Join along an axis."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, node.setting("axis"))


@operator("Split")
def split(node: Node, x: torch.Tensor, sizes: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
    """Cut along an axis, into parts of stated sizes or into equal ones, the last of which may be smaller."""
    axis = node.setting("axis", 0)
    stated = numbers(sizes, node, "split")
    if stated is None:
        return torch.split(x, -(-x.shape[axis] // len(node.outputs)), axis)
    return torch.split(x, stated, axis)


@operator("Expand")
def expand(node: Node, x: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    """Repeat along axes of size one; a 1 keeps a size."""
    wanted = shape.tolist()
    ours = [1] * (len(wanted) - x.ndim) + list(x.shape)
    theirs = [1] * (x.ndim - len(wanted)) + wanted
    return x.expand([b if a == 1 else a for a, b in zip(ours, theirs, strict=True)])


@operator("Tile")
def tile(node: Node, x: torch.Tensor, repeats: torch.Tensor) -> torch.Tensor:
    """Repeat along each axis."""
    return x.repeat(repeats.tolist())


@operator("Pad")
def pad(
    node: Node,
    x: torch.Tensor,
    pads: torch.Tensor | None = None,
    value: torch.Tensor | None = None,
    axes: torch.Tensor | None = None,
) -> torch.Tensor:
    """Add values before and after, or cut where the width is negative."""
    widths = numbers(pads, node, "pads") or []
    chosen = range(x.ndim) if axes is None else [axis % x.ndim for axis in axes.tolist()]
    each = {axis: (widths[i], widths[i + len(widths) // 2]) for i, axis in enumerate(chosen)}
    mode = node.setting("mode", "constant")
    touched = [axis for axis, both in each.items() if any(both)]
    if not touched:
        return x
    first = min(touched) if mode == "constant" else min(2, x.ndim - 1)
    if mode != "constant" and (min(touched) < first or x.ndim < 3):
        raise Uncovered(f"Pad of mode {mode} along the first two axes")
    flat = [width for axis in reversed(range(first, x.ndim)) for width in each.get(axis, (0, 0))]
    if mode != "constant":
        return functional.pad(x, flat, PADDING[mode])
    return functional.pad(x, flat, "constant", 0.0 if value is None else value.item())


@operator("DepthToSpace")
def depth_to_space(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Lay channels out over a block of places."""
    n, _, h, w = x.shape
    block = node.setting("blocksize")
    if node.setting("mode", "DCR") == "DCR":
        return x.reshape(n, block, block, -1, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, -1, h * block, w * block)
    return functional.pixel_shuffle(x, block)


@operator("SpaceToDepth")
def space_to_depth(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Lay a block of places out over channels."""
    n, c, h, w = x.shape
    block = node.setting("blocksize")
    parts = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, c * block * block, h // block, w // block)


@operator("Resize")
def resize(
    node: Node,
    x: torch.Tensor,
    roi: torch.Tensor | None = None,
    scales: torch.Tensor | None = None,
    sizes: torch.Tensor | None = None,
) -> torch.Tensor:
    """Stretch the spatial axes, in the ways that torch's upsampling layers are exported in."""
    mode, place = node.setting("mode", "nearest"), node.setting("coordinate_transformation_mode", "half_pixel")
    settings: dict[str, Any] = {"mode": "nearest"}
    if mode == "linear" and place in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        settings = {"mode": {3: "linear", 4: "bilinear"}.get(x.ndim), "align_corners": place == "align_corners"}
    elif mode != "nearest" or (place, node.setting("nearest_mode", "round_prefer_floor")) != ("asymmetric", "floor"):
        raise Uncovered(f"Resize of mode {mode} with coordinates {place}")
    if node.setting("axes") is not None or settings["mode"] is None:
        raise Uncovered("Resize of some axes only, or of more than two")
    if sizes is not None and sizes.numel():
        return functional.interpolate(x, size=sizes.tolist()[2:], **settings)
    assert scales is not None
    return functional.interpolate(x, scale_factor=scales.tolist()[2:], recompute_scale_factor=False, **settings)
