"""The whole network, from pieces to scores of the next piece. Knows no text and no file."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_cli.nn.attention import Memory, Places, back, placed
from attn_cli.nn.decoders import Decoded, Decoder, State
from attn_cli.nn.dropout import Dropout, SequenceDropout
from attn_cli.nn.embeddings import PieceEmbedding, PieceScores, SelectedRows
from attn_cli.nn.masking import mask_of


class DeepOutput(nn.Module):
    """t_i = maxout(U s_i + V E y_{i-1} + C c_i), pairs of units, the larger of the two kept.

    Bahdanau et al. 2015, appendix A.2.2 (with s_i in place of s_{i-1}); Pascanu et al. 2014.
    """

    def __init__(self, state: int, context: int, embedding: int, *, dropout: float) -> None:
        super().__init__()
        self.mix = nn.Linear(state + context + embedding, 2 * embedding)
        self.dropout = SequenceDropout(dropout)

    def forward(self, decoded: Decoded, embedded: Tensor) -> Tensor:
        """Decoded (…), embedded (…, E) of the last word → features (…, E)."""
        seen = torch.cat([decoded.states, decoded.contexts, embedded], dim=-1)
        pairs = self.mix(self.dropout(seen)).unflatten(-1, (-1, 2))  # (…, E, 2)
        features: Tensor = self.dropout(pairs.amax(-1))
        return features


class StateOutput(nn.Module):
    """The decoder's state says the next word by itself, as in Luong et al. 2015, equation 6, and
    Vaswani et al. 2017, §3.4; through a map where it is not as wide as an embedding."""

    def __init__(self, state: int, embedding: int, *, dropout: float) -> None:
        super().__init__()
        self.map = nn.Identity() if state == embedding else nn.Linear(state, embedding)
        self.dropout = Dropout(dropout)

    def forward(self, decoded: Decoded, embedded: Tensor) -> Tensor:
        """Decoded (…) → features (…, E)."""
        features: Tensor = self.map(self.dropout(decoded.states))
        return features


class Forward(NamedTuple):
    """A teacher-forced pass: features (B, T, E) to be scored; weights (B, T, S), or
    (B, T, heads, S) of several heads, or None; chosen (B, T) where attention draws."""

    features: Tensor
    weights: Tensor | None
    chosen: Tensor | None = None


class Seq2Seq(nn.Module):
    """Encoder → attention → decoder → scores of the next piece.

    `encode` once a sentence, then `step` for each word of a search, or `forward` for a target that
    is known. Weights are returned, never kept.
    """

    def __init__(
        self,
        *,
        source_embedding: PieceEmbedding,
        target_embedding: PieceEmbedding,
        encoder: nn.Module,
        decoder: Decoder,
        readout: DeepOutput | StateOutput,
        scores: PieceScores,
    ) -> None:
        super().__init__()
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        self.encoder = encoder
        self.decoder = decoder
        self.readout = readout
        self.scores = scores

    def encode(self, src: Tensor, src_len: Tensor) -> Memory:
        """(B, S) ids, (B,) lengths → what the decoder may look at."""
        values = self.encoder(self.source_embedding(src), src_len)  # (B, S, D)
        return self.decoder.remember(values, mask_of(src_len, src.shape[1]))

    def start(self, memory: Memory) -> State:
        """The decoder's state before the first word."""
        return self.decoder.start(memory)

    def step(
        self,
        previous: Tensor,
        state: State,
        memory: Memory,
        places: Places | None = None,
        selected: SelectedRows | None = None,
    ) -> tuple[Tensor, Tensor, State]:
        """(N,) last pieces → logits (N, V) of the next, weights (N, S), the state after.

        Of several heads weights are (N, heads, S). Row n looks at sentence n, or at that in which
        `places` puts it. With `selected` the logits (N, L) are those of its sentence's pieces.
        """
        embedded = self.target_embedding(previous)  # (N, E)
        decoded, after = self.decoder.step(embedded, state, memory, places)
        assert decoded.weights is not None
        features = self.readout(decoded, embedded)  # (N, E)
        if selected is None:
            return self.scores(features), decoded.weights, after
        logits = self.scores.score_selected(placed(features, places), selected)  # (B, Q, L)
        return back(logits, places), decoded.weights, after

    def forward(
        self, src: Tensor, src_len: Tensor, tgt_in: Tensor, *, weights: bool = True
    ) -> Forward:
        """(B, S), (B,), (B, T) target pieces behind BOS → features and weights of every step.

        Weights may be left out where nobody looks at them.
        """
        memory = self.encode(src, src_len)
        embedded = self.target_embedding(tgt_in)  # (B, T, E)
        decoded = self.decoder.unroll(embedded, memory, weights=weights)
        return Forward(self.readout(decoded, embedded), decoded.weights, decoded.chosen)
