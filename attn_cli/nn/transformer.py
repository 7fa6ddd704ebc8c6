"""The Transformer (Vaswani et al. 2017), pre-norm or post-norm (Xiong et al. 2020).

Its attention over heads is in `dot_product_attention`.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from attn_cli.nn.attention import Memory
from attn_cli.nn.decoders import Decoder, DecoderOutput, State
from attn_cli.nn.dot_product_attention import (
    merge_heads,
    scaled_dot_product_attention,
    split_heads,
)
from attn_cli.nn.dropout import Dropout
from attn_cli.nn.masking import length_mask
from attn_cli.nn.positions import PositionalEncoding, Positions

Activation = Literal["relu", "swish", "gelu"]

#: Activations of the feed-forward layers by the names of the recipe. Swish (Ramachandran et al.
#: 2017) is PyTorch's SiLU.
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "swish": functional.silu,
    "gelu": functional.gelu,
}


class LayerOptions(NamedTuple):
    """The settings that all layers of an encoder or a decoder share.

    With `norm_first` a sublayer f is x + f(norm(x)) (pre-norm). Without it, it is norm(x + f(x))
    (post-norm), as in Vaswani et al. 2017, §3.1.
    """

    heads: int
    feed_forward: int
    dropout: float
    norm_first: bool = True
    activation: Activation = "relu"


class SublayerNorm(nn.LayerNorm):
    """The layer normalization of a residual sublayer f: x + f(norm(x)), or norm(x + f(x)).

    Of `pre_norm` and `post_norm` one normalizes, and the other is the identity.
    """

    def __init__(self, width: int, *, norm_first: bool) -> None:
        super().__init__(width)
        self.norm_first = norm_first

    def pre_norm(self, states: Tensor) -> Tensor:
        """(…, D) → the input of the sublayer."""
        return self(states) if self.norm_first else states

    def post_norm(self, residual_sum: Tensor) -> Tensor:
        """x + f(…), (…, D) → the output of the sublayer."""
        return residual_sum if self.norm_first else self(residual_sum)


class SelfAttention(nn.Module):
    """Multi-head self-attention with a residual connection: x + W_O [head_1 ; … ; head_H].

    Vaswani et al. 2017, §3.2.2; the heads attend over norm(x) with pre-norm.
    """

    def __init__(self, width: int, *, heads: int, dropout: float, norm_first: bool = True) -> None:
        super().__init__()
        self.norm = SublayerNorm(width, norm_first=norm_first)
        self.qkv_proj = nn.Linear(width, 3 * width)  # W_Q, W_K, W_V
        self.out_proj = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        self.heads = heads

    def forward(
        self, states: Tensor, *, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """(N, T, D), mask (N, 1, 1, T) → (N, T, D)."""
        queries, keys, values = self.project_qkv(states)
        parts = (split_heads(part, self.heads) for part in (queries, keys, values))
        heads, _ = scaled_dot_product_attention(*parts, mask=mask, causal=causal)
        return self.add_residual(states, merge_heads(heads))

    def project_qkv(self, states: Tensor) -> tuple[Tensor, ...]:
        """(…, D) → queries, keys and values (…, D)."""
        qkv: Tensor = self.qkv_proj(self.norm.pre_norm(states))
        return qkv.chunk(3, dim=-1)

    def add_residual(self, states: Tensor, contexts: Tensor) -> Tensor:
        """Project the contexts of the heads and add them to the states."""
        return self.norm.post_norm(states + self.dropout(self.out_proj(contexts)))


class FeedForward(nn.Module):
    """The feed-forward sublayer x + W_2 f(W_1 norm(x)), pre-norm; f is ReLU in the paper.

    Vaswani et al. 2017, §3.3.
    """

    def __init__(self, width: int, options: LayerOptions) -> None:
        super().__init__()
        self.norm = SublayerNorm(width, norm_first=options.norm_first)
        self.fc1 = nn.Linear(width, options.feed_forward)
        self.fc2 = nn.Linear(options.feed_forward, width)
        self.activation = ACTIVATIONS[options.activation]
        self.dropout = Dropout(options.dropout)

    def forward(self, states: Tensor) -> Tensor:
        """(…, D) → (…, D)."""
        hidden = self.dropout(self.activation(self.fc1(self.norm.pre_norm(states))))
        return self.norm.post_norm(states + self.dropout(self.fc2(hidden)))


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward."""

    def __init__(self, width: int, options: LayerOptions) -> None:
        super().__init__()
        self.self_attention = _self_attention(width, options)
        self.feed_forward = FeedForward(width, options)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(B, S, D), mask (B, 1, 1, S) → (B, S, D)."""
        output: Tensor = self.feed_forward(self.self_attention(states, mask=mask))
        return output


class TransformerEncoder(nn.Module):
    """Encoder layers over embeddings with positional encodings; states are zero at padding."""

    def __init__(
        self, width: int, options: LayerOptions, *, layers: int, positions: Positions
    ) -> None:
        super().__init__()
        self.positional_encoding = PositionalEncoding(width, kind=positions)
        self.dropout = Dropout(options.dropout)
        self.layers = nn.ModuleList(EncoderLayer(width, options) for _ in range(layers))
        self.norm = _final_norm(width, options)
        self.width = width

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """(B, S, D), (B,) → states (B, S, D)."""
        size = embedded.shape[1]
        mask = length_mask(lengths, size)  # (B, S)
        positions = torch.arange(size, device=embedded.device)
        states = self.dropout(self.positional_encoding(embedded, positions))
        for layer in self.layers:
            states = layer(states, mask[:, None, None, :])
        masked: Tensor = self.norm(states) * mask[:, :, None]
        return masked


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention to the source, feed-forward.

    The cache of a step is the keys and the values, each (N, T, D), of the T pieces so far.
    """

    def __init__(self, width: int, value_size: int, options: LayerOptions) -> None:
        super().__init__()
        self.self_attention = _self_attention(width, options)
        self.cross_norm = SublayerNorm(width, norm_first=options.norm_first)
        self.cross_query_proj = nn.Linear(width, width)
        self.cross_kv_proj = nn.Linear(value_size, 2 * width)  # keys and values of the source
        self.cross_out_proj = nn.Linear(width, width)
        self.feed_forward = FeedForward(width, options)
        self.dropout = Dropout(options.dropout)
        self.heads = options.heads

    def forward(
        self, states: Tensor, keys: Tensor, values: Tensor, mask: Tensor, *, weights: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Run all steps of a known target.

        States (B, T, D), the source's keys and values (B, S, D), its mask (B, 1, 1, S) → states
        (B, T, D), contexts (B, T, D), weights (B, heads, T, S) or None.
        """
        states = self.self_attention(states, causal=True)
        queries = self.cross_query_proj(self.cross_norm.pre_norm(states))
        parts = (split_heads(part, self.heads) for part in (queries, keys, values))
        heads, probs = scaled_dot_product_attention(*parts, mask=mask, weights=weights)
        contexts = self.cross_out_proj(merge_heads(heads))
        states = self.cross_norm.post_norm(states + self.dropout(contexts))
        return self.feed_forward(states), contexts, probs

    def step(
        self, states: Tensor, cache: tuple[Tensor, Tensor], memory: Memory
    ) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Run one step.

        States (N, D), the cache before the step → states (N, D), contexts (N, D), weights
        (N, heads, S), the cache after the step.
        """
        query, key, value = (
            part[:, None] for part in self.self_attention.project_qkv(states)
        )  # (N, 1, D)
        keys, values = torch.cat([cache[0], key], 1), torch.cat([cache[1], value], 1)
        parts = (split_heads(part, self.heads) for part in (query, keys, values))
        heads, _ = scaled_dot_product_attention(*parts, weights=True)
        states = self.self_attention.add_residual(states, merge_heads(heads)[:, 0])
        queries = memory.group(self.cross_query_proj(self.cross_norm.pre_norm(states)))  # (B, Q, D)
        parts = (split_heads(part, self.heads) for part in (queries, memory.keys, memory.values))
        mask = memory.mask[:, None, None, :]
        heads, probs = scaled_dot_product_attention(*parts, mask=mask, weights=True)
        assert probs is not None
        contexts = self.cross_out_proj(memory.ungroup(merge_heads(heads)))  # (N, D)
        weights = memory.ungroup(probs.transpose(1, 2))  # (N, heads, S)
        states = self.cross_norm.post_norm(states + contexts)
        return self.feed_forward(states), contexts, weights, (keys, values)


class TransformerDecoder(Decoder):
    """Decoder layers over the pieces so far, each with multi-head cross-attention to the source.

    Its attention weights are those of all heads, (…, layers · heads, S), layer by layer.
    The memory concatenates the keys and values of all layers, (B, S, layers · D).
    """

    def __init__(
        self,
        width: int,
        options: LayerOptions,
        *,
        value_size: int,
        layers: int,
        positions: Positions,
    ) -> None:
        super().__init__()
        self.positional_encoding = PositionalEncoding(width, kind=positions)
        self.dropout = Dropout(options.dropout)
        self.layers = nn.ModuleList(DecoderLayer(width, value_size, options) for _ in range(layers))
        self.norm = _final_norm(width, options)
        self.width = self.context_size = width

    def prepare_memory(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Decoder.prepare_memory`."""
        pairs = [layer.cross_kv_proj(values).chunk(2, -1) for layer in self._layers()]
        keys, values_by_layer = zip(*pairs, strict=True)
        return Memory(torch.cat(values_by_layer, -1), torch.cat(keys, -1), mask)

    def init_state(self, memory: Memory) -> State:
        """Return position 0 and empty caches."""
        empty = memory.values.new_zeros(memory.values.shape[0], 0, self.width)
        state = {name: empty for depth in range(len(self.layers)) for name in _cache_names(depth)}
        position = memory.mask.new_zeros(memory.mask.shape[0], dtype=torch.long)
        return {"position": position, **state}

    def dynamic_axes(self) -> dict[str, str]:
        """See `Decoder.dynamic_axes`."""
        names = (name for depth in range(len(self.layers)) for name in _cache_names(depth))
        return {"position": "N", **dict.fromkeys(names, "NT")}

    def step(self, embedded: Tensor, state: State, memory: Memory) -> tuple[DecoderOutput, State]:
        """See `Decoder.step`."""
        position = state["position"]
        states = self.positional_encoding(embedded, position)  # (N, D)
        new_state, all_weights = {"position": position + 1}, []
        for depth, (layer, part) in enumerate(
            zip(self._layers(), self._split_layers(memory), strict=True)
        ):
            names = _cache_names(depth)
            cache = (state[names[0]], state[names[1]])
            states, contexts, weights, cache = layer.step(states, cache, part)
            new_state |= dict(zip(names, cache, strict=True))
            all_weights.append(weights)
        return DecoderOutput(self.norm(states), contexts, torch.cat(all_weights, 1)), new_state

    def unroll(self, embedded: Tensor, memory: Memory, *, weights: bool = True) -> DecoderOutput:
        """See `Decoder.unroll`; without weights it uses the fused kernel."""
        positions = torch.arange(embedded.shape[1], device=embedded.device)
        states = self.dropout(self.positional_encoding(embedded, positions))  # (B, T, D)
        mask, layer_weights = memory.mask[:, None, None, :], []
        for layer, part in zip(self._layers(), self._split_layers(memory), strict=True):
            states, contexts, probs = layer(states, part.keys, part.values, mask, weights=weights)
            if probs is not None:
                layer_weights.append(probs)  # (B, heads, T, S)
        all_weights = torch.cat(layer_weights, 1).transpose(1, 2) if layer_weights else None
        return DecoderOutput(self.norm(states), contexts, all_weights)  # (B, T, layers·heads, S)

    def _layers(self) -> list[DecoderLayer]:
        return cast("list[DecoderLayer]", list(self.layers))

    def _split_layers(self, memory: Memory) -> list[Memory]:
        """Return the memory of each layer."""
        layers = len(self.layers)
        pairs = zip(memory.values.chunk(layers, -1), memory.keys.chunk(layers, -1), strict=True)
        return [memory._replace(values=values, keys=keys) for values, keys in pairs]


def _self_attention(width: int, options: LayerOptions) -> SelfAttention:
    return SelfAttention(
        width, heads=options.heads, dropout=options.dropout, norm_first=options.norm_first
    )


def _final_norm(width: int, options: LayerOptions) -> nn.Module:
    """Return the normalization after the last layer; post-norm layers end with their own."""
    return nn.LayerNorm(width) if options.norm_first else nn.Identity()


def _cache_names(depth: int) -> tuple[str, str]:
    """Return the names of a layer's keys and values in the state."""
    return f"keys{depth}", f"values{depth}"
