"""The whole network, from source pieces to the logits of the next target piece."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_cli.nn.attention import Memory
from attn_cli.nn.decoders import Decoder, DecoderOutput, State
from attn_cli.nn.dropout import Dropout, SequenceDropout
from attn_cli.nn.embeddings import OutputProjection, PieceEmbedding, SelectedRows
from attn_cli.nn.masking import length_mask


class DeepOutput(nn.Module):
    """t_i = maxout(U s_i + V E y_{i-1} + C c_i), the maximum of each pair of units.

    Bahdanau et al. 2015, appendix A.2.2, with s_i in place of s_{i-1}; Goodfellow et al. 2013.
    """

    def __init__(
        self, state_size: int, context_size: int, embedding_size: int, *, dropout: float
    ) -> None:
        super().__init__()
        self.maxout_proj = nn.Linear(state_size + context_size + embedding_size, 2 * embedding_size)
        self.dropout = SequenceDropout(dropout)

    def forward(self, output: DecoderOutput, embedded: Tensor) -> Tensor:
        """A decoder's output (…), the embedding (…, E) of the last piece → features (…, E)."""
        inputs = torch.cat([output.states, output.contexts, embedded], dim=-1)
        pairs = self.maxout_proj(self.dropout(inputs)).unflatten(-1, (-1, 2))  # (…, E, 2)
        features: Tensor = self.dropout(pairs.amax(-1))
        return features


class LinearReadout(nn.Module):
    """Features from the decoder's state alone, projected if it is not as wide as an embedding.

    Luong et al. 2015, equation 6; Vaswani et al. 2017, §3.4.
    """

    def __init__(self, state_size: int, embedding_size: int, *, dropout: float) -> None:
        super().__init__()
        self.proj = (
            nn.Identity() if state_size == embedding_size else nn.Linear(state_size, embedding_size)
        )
        self.dropout = Dropout(dropout)

    def forward(self, output: DecoderOutput, embedded: Tensor) -> Tensor:
        """A decoder's output (…) → features (…, E)."""
        features: Tensor = self.proj(self.dropout(output.states))
        return features


class ForwardOutput(NamedTuple):
    """The output of a pass with teacher forcing.

    features (B, T, E); weights (B, T, S), or with several heads (B, T, heads, S), or None;
    sampled_logp (B, T) of hard attention in training.
    """

    features: Tensor
    weights: Tensor | None
    sampled_logp: Tensor | None = None


class Seq2Seq(nn.Module):
    """Encoder → attention → decoder → logits of the next piece.

    Call `encode` once per sentence, then `step` for each piece of a search, or `forward` for a
    known target.
    """

    def __init__(
        self,
        *,
        source_embedding: PieceEmbedding,
        target_embedding: PieceEmbedding,
        encoder: nn.Module,
        decoder: Decoder,
        readout: DeepOutput | LinearReadout,
        output_projection: OutputProjection,
    ) -> None:
        super().__init__()
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        self.encoder = encoder
        self.decoder = decoder
        self.readout = readout
        self.output_projection = output_projection

    def encode(self, src: Tensor, src_len: Tensor) -> Memory:
        """(B, S) ids, (B,) lengths → the memory to attend to."""
        values = self.encoder(self.source_embedding(src), src_len)  # (B, S, D)
        return self.decoder.prepare_memory(values, length_mask(src_len, src.shape[1]))

    def init_state(self, memory: Memory) -> State:
        """Return the decoder's state before the first step."""
        return self.decoder.init_state(memory)

    def step(
        self,
        previous: Tensor,
        state: State,
        memory: Memory,
        selected: SelectedRows | None = None,
    ) -> tuple[Tensor, Tensor, State]:
        """(N,) ids of the last pieces → logits (N, V) of the next, weights (N, S), the state after.

        Weights of several heads are (N, heads, S). Row n attends to sentence n, or to that of its
        slot in `memory.layout`. With `selected`, the rows of shortlists, the logits are (N, L).
        """
        embedded = self.target_embedding(previous)  # (N, E)
        output, after = self.decoder.step(embedded, state, memory)
        assert output.weights is not None
        features = self.readout(output, embedded)  # (N, E)
        if selected is None:
            return self.output_projection(features), output.weights, after
        features = memory.group(features)  # (B, Q, E)
        logits = self.output_projection.project_selected(features, selected)  # (B, Q, L)
        return memory.ungroup(logits), output.weights, after

    def forward(
        self, src: Tensor, src_len: Tensor, tgt_in: Tensor, *, weights: bool = True
    ) -> ForwardOutput:
        """(B, S) ids, (B,) lengths, (B, T) target ids from BOS on → features and weights.

        Without `weights` the attention weights may be omitted.
        """
        memory = self.encode(src, src_len)
        embedded = self.target_embedding(tgt_in)  # (B, T, E)
        output = self.decoder.unroll(embedded, memory, weights=weights)
        return ForwardOutput(self.readout(output, embedded), output.weights, output.sampled_logp)
