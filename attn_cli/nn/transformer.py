"""The Transformer: sentences and targets read by self-attention (Vaswani et al. 2017).

Pre-norm (Xiong et al. 2020): x + f(norm(x)), and a norm at the end. Knows the memory and the state
that every decoder has; no search and no vocabulary.

    heads are split off the width as in the paper: (N, T, D) → (N, heads, T, D / heads)
"""

import math
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from attn_cli.nn.attention import Memory, Places, back, placed
from attn_cli.nn.decoders import Decoded, Decoder, State
from attn_cli.nn.dropout import Dropout
from attn_cli.nn.masking import mask_of

Positions = Literal["sinusoidal", "learned"]

#: Places that learned positions tell apart; what is further is at the last of them.
FURTHEST = 1024


def attend(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    *,
    mask: Tensor | None = None,
    causal: bool = False,
    weights: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """softmax(Q Kᵀ / √d) V of every head, and the weights where they are asked for.

    (N, heads, T, d), (N, heads, S, d) twice → (N, heads, T, d), (N, heads, T, S) or None. `mask`
    (N, 1, 1 or T, S) bool is True where one may look; `causal` lets place t look at 0 … t. Without
    weights it is torch's fused kernel, which keeps no matrix of T × S (flash attention, Dao et al.
    2022, where the hardware has it); with them, the product written out.
    """
    if not weights:
        return _fused(queries, keys, values, mask=mask, causal=causal), None
    scores = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])  # (N, heads, T, S)
    if causal:
        size = scores.shape[-2:]
        mask = torch.ones(size, dtype=torch.bool, device=scores.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    shares = scores.softmax(-1)
    return shares.to(values.dtype) @ values, shares


def _fused(
    queries: Tensor, keys: Tensor, values: Tensor, *, mask: Tensor | None, causal: bool
) -> Tensor:
    """torch's kernel: on a processor always in fp32, which takes a seventh of bf16's time there,
    forward and back, at 16 pieces, two fifths at 60, and as much at 2,048."""
    kernel = functional.scaled_dot_product_attention
    if queries.device.type != "cpu":
        return kernel(queries, keys, values, attn_mask=mask, is_causal=causal)
    exact = torch.promote_types(queries.dtype, torch.float32)
    with torch.autocast("cpu", enabled=False):
        queries, keys = queries.to(exact), keys.to(exact)
        found = kernel(queries, keys, values.to(exact), attn_mask=mask, is_causal=causal)
    return found.to(values.dtype)


def split(states: Tensor, heads: int) -> Tensor:
    """(N, T, D) → (N, heads, T, D / heads)."""
    size = states.shape[-1] // heads
    return states.view(*states.shape[:-1], heads, size).transpose(1, 2)


def joined(heads: Tensor) -> Tensor:
    """(N, heads, T, d) → (N, T, D)."""
    return heads.transpose(1, 2).flatten(2)


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """(…) places → (…, width): sin(p / 10000^(2i/width)), then the cosines (§3.5, reordered)."""
    steps = torch.arange(0, width, 2, device=positions.device, dtype=torch.float32)
    angles = positions[..., None].float() * torch.exp(steps * (-math.log(10_000.0) / width))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class Position(nn.Module):
    """Adds to each embedding where it stands."""

    def __init__(self, width: int, *, kind: Positions) -> None:
        super().__init__()
        self.width = width
        self.table = nn.Embedding(FURTHEST, width) if kind == "learned" else None
        if self.table is not None:
            nn.init.normal_(self.table.weight, std=width**-0.5)

    def forward(self, embedded: Tensor, places: Tensor) -> Tensor:
        """(…, D) at `places` (…) → (…, D)."""
        if self.table is None:
            return embedded + sinusoids(places, self.width).to(embedded.dtype)
        learned: Tensor = self.table(places.clamp(max=FURTHEST - 1))
        return embedded + learned


class SelfAttention(nn.Module):
    """Every state asks all states of its sequence: x + W_O heads(norm(x))."""

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.maps = nn.Linear(width, 3 * width)  # W_Q, W_K, W_V
        self.out = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        self.heads = heads

    def forward(
        self, states: Tensor, *, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """(N, T, D), mask (N, 1, 1, T) → (N, T, D)."""
        queries, keys, values = self.asked(states)
        parts = (split(part, self.heads) for part in (queries, keys, values))
        found, _ = attend(*parts, mask=mask, causal=causal)
        return self.added(states, joined(found))

    def asked(self, states: Tensor) -> tuple[Tensor, ...]:
        """(…, D) → queries, keys and values (…, D)."""
        maps: Tensor = self.maps(self.norm(states))
        return maps.chunk(3, dim=-1)

    def added(self, states: Tensor, found: Tensor) -> Tensor:
        """What the heads found joins the states."""
        summed: Tensor = states + self.dropout(self.out(found))
        return summed


class FeedForward(nn.Module):
    """x + W_2 max(0, W_1 norm(x)) (§3.3)."""

    def __init__(self, width: int, hidden: int, *, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.into = nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, width)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """(…, D) → (…, D)."""
        hidden = self.dropout(torch.relu(self.into(self.norm(states))))
        summed: Tensor = states + self.dropout(self.out(hidden))
        return summed


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward."""

    def __init__(self, width: int, *, heads: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.attention = SelfAttention(width, heads=heads, dropout=dropout)
        self.feed_forward = FeedForward(width, feed_forward, dropout=dropout)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(B, S, D), mask (B, 1, 1, S) → (B, S, D)."""
        found: Tensor = self.feed_forward(self.attention(states, mask=mask))
        return found


class TransformerEncoder(nn.Module):
    """Layers over embeddings and their positions; states are zero at padding."""

    def __init__(
        self,
        width: int,
        *,
        layers: int,
        heads: int,
        feed_forward: int,
        dropout: float,
        positions: Positions,
    ) -> None:
        super().__init__()
        self.position = Position(width, kind=positions)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(width, heads=heads, feed_forward=feed_forward, dropout=dropout)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.width = width

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """(B, S, D), (B,) → states (B, S, D)."""
        size = embedded.shape[1]
        mask = mask_of(lengths, size)  # (B, S)
        places = torch.arange(size, device=embedded.device)
        states = self.dropout(self.position(embedded, places))
        for layer in self.layers:
            states = layer(states, mask[:, None, None, :])
        masked: Tensor = self.norm(states) * mask[:, :, None]
        return masked


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the source, feed-forward.

    What it has read so far is its cache: keys and values (N, T, D) of the words up to now.
    """

    def __init__(
        self, width: int, value: int, *, heads: int, feed_forward: int, dropout: float
    ) -> None:
        super().__init__()
        self.own = SelfAttention(width, heads=heads, dropout=dropout)
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.source = nn.Linear(value, 2 * width)  # keys and values of the source
        self.out = nn.Linear(width, width)
        self.feed_forward = FeedForward(width, feed_forward, dropout=dropout)
        self.dropout = Dropout(dropout)
        self.heads = heads

    def forward(
        self, states: Tensor, keys: Tensor, values: Tensor, mask: Tensor, *, weights: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """A known target: (B, T, D), the source's keys and values (B, S, D), its mask (B, 1, 1, S)
        → (B, T, D), contexts (B, T, D), weights (B, heads, T, S) or None."""
        states = self.own(states, causal=True)
        asked = self.query(self.norm(states))
        parts = (split(part, self.heads) for part in (asked, keys, values))
        heads, shares = attend(*parts, mask=mask, weights=weights)
        contexts = self.out(joined(heads))
        states = states + self.dropout(contexts)
        return self.feed_forward(states), contexts, shares

    def step(
        self,
        states: Tensor,
        cache: tuple[Tensor, Tensor],
        source: Memory,
        places: Places | None,
    ) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, Tensor]]:
        """One word: (N, D), the cache before it → (N, D), contexts (N, D), weights (N, heads, S),
        the cache after it."""
        query, key, value = (part[:, None] for part in self.own.asked(states))  # (N, 1, D)
        keys, values = torch.cat([cache[0], key], 1), torch.cat([cache[1], value], 1)
        parts = (split(part, self.heads) for part in (query, keys, values))
        heads, _ = attend(*parts, weights=True)
        states = self.own.added(states, joined(heads)[:, 0])
        asked = placed(self.query(self.norm(states)), places)  # (B, Q, D)
        parts = (split(part, self.heads) for part in (asked, source.keys, source.values))
        heads, shares = attend(*parts, mask=source.mask[:, None, None, :], weights=True)
        assert shares is not None
        contexts = self.out(back(joined(heads), places))  # (N, D)
        seen = back(shares.transpose(1, 2), places)  # (N, heads, S)
        return self.feed_forward(states + contexts), contexts, seen, (keys, values)


class TransformerDecoder(Decoder):
    """Layers over the words so far, each of which looks at the source with many heads.

    Weights are those of all heads of all layers, (…, layers · heads, S), layer by layer. The memory
    holds the keys and values of all layers side by side, (B, S, layers · D).
    """

    def __init__(
        self,
        width: int,
        *,
        value: int,
        layers: int,
        heads: int,
        feed_forward: int,
        dropout: float,
        positions: Positions,
    ) -> None:
        super().__init__()
        self.position = Position(width, kind=positions)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            DecoderLayer(width, value, heads=heads, feed_forward=feed_forward, dropout=dropout)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.width = self.context = width

    def remember(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Decoder.remember`."""
        pairs = [layer.source(values).chunk(2, -1) for layer in self._layers()]
        keys, found = zip(*pairs, strict=True)
        return Memory(torch.cat(found, -1), torch.cat(keys, -1), mask)

    def start(self, memory: Memory) -> State:
        """Nothing was read yet: caches of no words."""
        nothing = memory.values.new_zeros(memory.values.shape[0], 0, self.width)
        state = {name: nothing for depth in range(len(self.layers)) for name in _caches(depth)}
        first = memory.mask.new_zeros(memory.mask.shape[0], dtype=torch.long)
        return {"position": first, **state}

    def axes(self) -> dict[str, str]:
        """See `Decoder.axes`."""
        names = (name for depth in range(len(self.layers)) for name in _caches(depth))
        return {"position": "N", **dict.fromkeys(names, "NT")}

    def step(
        self, embedded: Tensor, state: State, memory: Memory, places: Places | None = None
    ) -> tuple[Decoded, State]:
        """See `Decoder.step`."""
        at = state["position"]
        states = self.position(embedded, at)  # (N, D)
        after, weights = {"position": at + 1}, []
        for depth, (layer, source) in enumerate(
            zip(self._layers(), self._split(memory), strict=True)
        ):
            names = _caches(depth)
            cache = (state[names[0]], state[names[1]])
            states, contexts, seen, cache = layer.step(states, cache, source, places)
            after |= dict(zip(names, cache, strict=True))
            weights.append(seen)
        return Decoded(self.norm(states), contexts, torch.cat(weights, 1)), after

    def unroll(self, embedded: Tensor, memory: Memory, *, weights: bool = True) -> Decoded:
        """See `Decoder.unroll`; without weights through the fused kernel."""
        places = torch.arange(embedded.shape[1], device=embedded.device)
        states = self.dropout(self.position(embedded, places))  # (B, T, D)
        mask, seen = memory.mask[:, None, None, :], []
        for layer, source in zip(self._layers(), self._split(memory), strict=True):
            states, contexts, shares = layer(
                states, source.keys, source.values, mask, weights=weights
            )
            seen.append(shares)
        shown = [shares for shares in seen if shares is not None]
        found = torch.cat(shown, 1).transpose(1, 2) if shown else None  # (B, T, layers·heads, S)
        return Decoded(self.norm(states), contexts, found)

    def _layers(self) -> list[DecoderLayer]:
        return cast("list[DecoderLayer]", list(self.layers))

    def _split(self, memory: Memory) -> list[Memory]:
        """The memory of each layer."""
        layers = len(self.layers)
        pairs = zip(memory.values.chunk(layers, -1), memory.keys.chunk(layers, -1), strict=True)
        return [Memory(values, keys, memory.mask) for values, keys in pairs]


def _caches(depth: int) -> tuple[str, str]:
    """The names of a layer's keys and values in the state."""
    return f"keys{depth}", f"values{depth}"
