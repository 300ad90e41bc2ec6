"""Attention and turned positions as one operator each, of operator sets from 23 on."""

from __future__ import annotations

import torch
from torch.nn import functional

from cislens_onnx.node import Node, Uncovered
from cislens_onnx.operators.registry import operator


@operator("Attention")
def attention(
    node: Node,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None = None,
    *cache: torch.Tensor | None,
) -> torch.Tensor:
    """Weigh values by the softmax of query times key; heads lie on an axis of their own, or among the features."""
    if any(part is not None for part in cache) or len([name for name in node.outputs if name]) > 1:
        raise Uncovered("Attention with a cache of keys and values, or with its scores as an output")
    joined = query.ndim == 3
    if joined:
        query = _by_head(query, node.setting("q_num_heads"))
        key, value = (_by_head(part, node.setting("kv_num_heads")) for part in (key, value))
    shared = query.shape[1] // key.shape[1]
    if shared > 1:  # several heads of queries share one of keys and values
        key, value = (part.repeat_interleave(shared, 1) for part in (key, value))
    causal, cap, scale = bool(node.setting("is_causal", 0)), node.setting("softcap", 0.0), node.setting("scale")
    if causal and (mask is not None or cap):
        mask, causal = _causal(query, key, mask), False
    if cap:
        query, key, mask = _capped(query, key, mask, cap, scale)
    answer = functional.scaled_dot_product_attention(query, key, value, mask, is_causal=causal, scale=scale)
    return answer.transpose(1, 2).flatten(2) if joined else answer


def _causal(query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Return a mask that also hides from every query the keys after it."""
    seen = torch.ones((query.shape[2], key.shape[2]), dtype=torch.bool, device=key.device).tril()
    if mask is None:
        return seen
    return mask & seen if mask.dtype == torch.bool else mask.masked_fill(~seen, -torch.inf)


def _capped(
    query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None, cap: float, scale: float | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return queries, keys and a mask for scores that are bent to within a cap before any is hidden."""
    factor: float = query.shape[-1] ** -0.5 if scale is None else scale
    scores = cap * torch.tanh(torch.matmul(query, key.transpose(2, 3)) * (factor / cap))
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else torch.add(scores, mask)
    # torch caps no scores of its own, so all of them are in the mask, and queries and keys add nothing.
    return torch.zeros_like(query), torch.zeros_like(key), scores


def _by_head(x: torch.Tensor, heads: int) -> torch.Tensor:
    """Return (n, positions, features) as (n, heads, positions, features of a head)."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


@operator("RotaryEmbedding")
def rotary_embedding(
    node: Node,
    x: torch.Tensor,
    cosines: torch.Tensor,
    sines: torch.Tensor,
    places: torch.Tensor | None = None,
) -> torch.Tensor:
    """Turn pairs of features by angles that say where they stand, and keep the features that no angle is given for."""
    joined, interleaved = x.ndim == 3, node.setting("interleaved", 0)
    heads = x.reshape(*x.shape[:2], node.setting("num_heads"), -1) if joined else x
    held = (cosines, sines) if places is None else (cosines[places], sines[places])
    cosine, sine = (part.unsqueeze(2 if joined else 1) for part in held)
    turned, kept = heads.tensor_split([2 * cosine.shape[-1]], -1)
    first, second = (turned[..., 0::2], turned[..., 1::2]) if interleaved else turned.chunk(2, -1)
    pair = (cosine * first - sine * second, sine * first + cosine * second)
    answer = torch.cat([torch.stack(pair, -1).flatten(-2) if interleaved else torch.cat(pair, -1), kept], -1)
    return answer.flatten(2) if joined else answer
