"""Scaled dot-product attention over several heads (Vaswani et al. 2017, §3.2).

The width is split into heads: (N, T, D) → (N, heads, T, d), d = D / heads.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional


def scaled_dot_product_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    *,
    mask: Tensor | None = None,
    causal: bool = False,
    weights: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """softmax(Q Kᵀ / √d) V of every head, and the attention weights if `weights` is set.

    (N, heads, T, d), (N, heads, S, d) twice → (N, heads, T, d), (N, heads, T, S) or None. `mask`
    (N, 1, 1 or T, S) bool is True at positions to attend to; `causal` masks positions after t.
    Without weights this is PyTorch's fused kernel, which stores no T × S matrix (flash attention,
    Dao et al. 2022, where available).
    """
    if not weights:
        return _run_fused_kernel(queries, keys, values, mask=mask, causal=causal), None
    energies = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])  # (N, heads, T, S)
    if causal:
        size = energies.shape[-2:]
        mask = torch.ones(size, dtype=torch.bool, device=energies.device).tril()
    if mask is not None:
        energies = energies.masked_fill(~mask, -torch.inf)
    probs = energies.softmax(-1)
    return probs.to(values.dtype) @ values, probs


def _run_fused_kernel(
    queries: Tensor, keys: Tensor, values: Tensor, *, mask: Tensor | None, causal: bool
) -> Tensor:
    """Run PyTorch's kernel; on a CPU in fp32, which is faster there than bf16."""
    kernel = functional.scaled_dot_product_attention
    if queries.device.type != "cpu":
        return kernel(queries, keys, values, attn_mask=mask, is_causal=causal)
    dtype = torch.promote_types(queries.dtype, torch.float32)
    with torch.autocast("cpu", enabled=False):
        queries, keys = queries.to(dtype), keys.to(dtype)
        output = kernel(queries, keys, values.to(dtype), attn_mask=mask, is_causal=causal)
    return output.to(values.dtype)


def split_heads(states: Tensor, heads: int) -> Tensor:
    """(N, T, D) → (N, heads, T, D / heads)."""
    size = states.shape[-1] // heads
    return states.view(*states.shape[:-1], heads, size).transpose(1, 2)


def merge_heads(heads: Tensor) -> Tensor:
    """(N, heads, T, d) → (N, T, D)."""
    return heads.transpose(1, 2).flatten(2)
