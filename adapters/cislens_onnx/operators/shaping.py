"""Operators that move values to another place or form."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators.registry import operator

PADDING = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}

PLAIN_NEAREST = {("asymmetric", "floor")}
CENTRED_NEAREST = {
    *itertools.product(
        ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"), ("round_prefer_floor", "round_prefer_ceil")
    ),
    ("tf_half_pixel_for_nn", "floor"),
}


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
        size, parts = x.shape[axis], len(node.outputs)
        each = -(-size // parts)
        stated = [each] * (parts - 1) + [size - each * (parts - 1)]
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
    if mode != "constant":
        return _pad_by_own_values(x, {axis: each[axis] for axis in touched}, mode)
    flat = [width for axis in reversed(range(min(touched), x.ndim)) for width in each.get(axis, (0, 0))]
    return functional.pad(x, flat, "constant", 0.0 if value is None else value.item())


def _pad_by_own_values(x: torch.Tensor, widths: dict[int, tuple[int, int]], mode: str) -> torch.Tensor:
    """Pad any axes with what stands in them; torch does it to the last ones, with one or two before these."""
    untouched = [axis for axis in reversed(range(x.ndim)) if axis not in widths]
    axes = sorted([*widths, *untouched[: max(0, x.ndim - 2 - len(widths))]])
    if len(axes) == x.ndim or len(axes) > 3:
        raise Uncovered(f"Pad of mode {mode} along {len(widths)} of {x.ndim} axes")
    if mode == "wrap" and any(min(both) < 0 for both in widths.values()):
        raise Uncovered("Pad of mode wrap with negative widths")
    last = list(range(-len(axes), 0))
    flat = [width for axis in reversed(axes) for width in widths.get(axis, (0, 0))]
    return functional.pad(x.movedim(axes, last), flat, PADDING[mode]).movedim(last, axes)


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
    """Stretch the spatial axes, in the ways that torch's upsampling layers know."""
    by_size = sizes is not None and sizes.numel() > 0
    given = sizes if by_size else scales
    assert given is not None
    factors = [1.0] * x.ndim
    for axis, number in zip(node.setting("axes") or range(x.ndim), given.tolist(), strict=True):
        factors[axis] = number / x.shape[axis] if by_size else number
    if x.ndim not in (3, 4) or factors[:2] != [1, 1]:
        raise Uncovered("Resize of other than one or two spatial axes")
    settings = _interpolation(node, factors[2:])
    if by_size:
        size = [round(factor * length) for factor, length in zip(factors[2:], x.shape[2:], strict=True)]
        answer = functional.interpolate(x, size=size, **settings)
    else:
        answer = functional.interpolate(x, scale_factor=factors[2:], recompute_scale_factor=False, **settings)
    alone = any(new == 1 < old for new, old in zip(answer.shape, x.shape, strict=True))
    if node.setting("coordinate_transformation_mode") == "pytorch_half_pixel" and alone:
        raise Uncovered("Resize to one position with coordinates pytorch_half_pixel")
    return answer


def _interpolation(node: Node, factors: list[float]) -> dict[str, Any]:
    """Return how torch computes a Resize."""
    mode, place = node.setting("mode", "nearest"), node.setting("coordinate_transformation_mode", "half_pixel")
    rounding = node.setting("nearest_mode", "round_prefer_floor")
    for name, plain in (("antialias", 0), ("keep_aspect_ratio_policy", "stretch")):
        if node.setting(name, plain) != plain:
            raise Uncovered(f"Resize with {name}")
    if mode == "linear" and place in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        return {"mode": ("linear", "bilinear")[len(factors) - 1], "align_corners": place == "align_corners"}
    # A whole number of copies of each position lies around it, so that its centre is always the nearest.
    copied = all(factor >= 1 and factor == int(factor) for factor in factors)
    if mode == "nearest" and ((place, rounding) in PLAIN_NEAREST or (copied and (place, rounding) in CENTRED_NEAREST)):
        return {"mode": "nearest"}
    how = f" and rounding {rounding}" if mode == "nearest" else ""
    raise Uncovered(f"Resize of mode {mode} with coordinates {place}{how}")
