"""Attention as one operator, of operator sets from 23 on."""

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
    past_key: torch.Tensor | None = None,
    past_value: torch.Tensor | None = None,
) -> torch.Tensor:
    """Weigh values by the softmax of query times key; heads lie on an axis of their own, or among the features."""
    if past_key is not None or past_value is not None or len([name for name in node.outputs if name]) > 1:
        raise Uncovered("Attention with a cache of keys and values, or with its scores as an output")
    if node.setting("softcap", 0.0):
        raise Uncovered("Attention with softcap")
    joined = query.ndim == 3
    if joined:
        query = _by_head(query, node.setting("q_num_heads"))
        key, value = (_by_head(part, node.setting("kv_num_heads")) for part in (key, value))
    shared = query.shape[1] // key.shape[1]
    if shared > 1:  # several heads of queries share one of keys and values
        key, value = (part.repeat_interleave(shared, 1) for part in (key, value))
    causal = bool(node.setting("is_causal", 0))
    if causal and mask is not None:
        raise Uncovered("Attention that is causal and masked")
    answer = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=causal, scale=node.setting("scale")
    )
    return answer.transpose(1, 2).flatten(2) if joined else answer


def _by_head(x: torch.Tensor, heads: int) -> torch.Tensor:
    """Return (n, positions, features) as (n, heads, positions, features of a head)."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)
