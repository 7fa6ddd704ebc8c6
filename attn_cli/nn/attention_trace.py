"""Record what attention computes along a known target, by hooks on the unchanged modules."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from attn_cli.nn.attention import (
    Attention,
    AttentionOutput,
    Memory,
    MultiHeadAttention,
    SoftAttention,
)
from attn_cli.nn.decoders import RecurrentDecoderBase
from attn_cli.nn.dot_product_attention import scaled_dot_product_attention, split_heads
from attn_cli.nn.scorers import AdditiveScorer, DotScorer, Scorer
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.transformer import (
    DecoderLayer,
    SelfAttention,
    TransformerDecoder,
)
from attn_cli.types import BOS, AttentionSteps, FloatArray, HeadSteps, ScoreFunction


class SelfAttentionWeights(NamedTuple):
    """Self-attention weights: (heads, S, S) for each layer of the encoder, (heads, T, T) for each
    layer of the decoder. A side without self-attention has no layers.

    Row t of the decoder attends to columns 0 to t: BOS and the target pieces before position t.
    """

    encoder: tuple[FloatArray, ...]
    decoder: tuple[FloatArray, ...]


def trace_attention(network: Seq2Seq, src: Tensor, tgt: Tensor) -> AttentionSteps:
    """(S,) source ids and (T,) target ids, EOS last → every step of attention.

    The network must be in eval mode. Raises ValueError if its decoder has no attention.
    """
    src_len = torch.tensor([len(src)], device=src.device)
    embedded = network.source_embedding(src[None])  # (1, S, E)
    states = network.encoder(embedded, src_len)  # (1, S, D)
    memory = network.encode(src[None], src_len)
    decoder = network.decoder
    if isinstance(decoder, TransformerDecoder):
        trace: _Trace = _TransformerTrace(decoder, memory)
    elif isinstance(decoder, RecurrentDecoderBase):
        trace = _RecurrentTrace(decoder.attention, memory)
    else:
        raise ValueError(f"{type(decoder).__name__} has no attention to trace")
    logp = []
    with trace.recording():
        state, previous = network.init_state(memory), torch.tensor([BOS], device=src.device)
        for piece in tgt:
            logits, _, state = network.step(previous, state, memory)
            logp.append(logits[0].float().log_softmax(-1))
            previous = piece[None]
    heads, contexts = trace.steps()
    return AttentionSteps(
        _array(embedded[0]), _array(states[0]), heads, contexts, _array(torch.stack(logp))
    )


class _Trace(ABC):
    """Base class: records tensors by name with hooks, and builds the steps from them."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.records: dict[Any, list[Any]] = {}

    @abstractmethod
    def hooks(self) -> Iterator[tuple[nn.Module, Callable[..., None]]]:
        """Yield each module to record, and the hook that is called with its inputs and output."""

    @abstractmethod
    def steps(self) -> tuple[tuple[HeadSteps, ...], FloatArray]:
        """Return the steps of all heads, and the contexts (L, T, D) of all layers."""

    def record(self, name: Any, value: Any) -> None:
        """Append a value of the current step."""
        self.records.setdefault(name, []).append(value)

    def stack(self, name: Any) -> Tensor:
        """Return the T recorded tensors (…) of that name as one, (T, …)."""
        return torch.stack(self.records[name])

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Install the hooks for this block."""
        handles = [module.register_forward_hook(hook) for module, hook in self.hooks()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


class _RecurrentTrace(_Trace):
    """The steps of the one attention of a recurrent decoder."""

    def __init__(self, attention: Attention, memory: Memory) -> None:
        super().__init__(memory)
        self.attention = attention
        if isinstance(attention, MultiHeadAttention):
            self.scorers = list(attention.scorers)
        elif isinstance(attention, SoftAttention):
            self.scorers = [attention.scorer]
        else:
            raise ValueError(f"{type(attention).__name__} has no steps to trace")

    def hooks(self) -> Iterator[tuple[nn.Module, Callable[..., None]]]:
        for number, scorer in enumerate(self.scorers):
            yield scorer, self._scorer_hook(number)
        yield self.attention, self._attention_hook

    def _scorer_hook(self, number: int) -> Callable[..., None]:
        def hook(module: Scorer, inputs: tuple[Any, ...], energies: Tensor) -> None:
            queries, keys, coverage = (*inputs, None)[:3]
            self.record(("queries", number), queries[0, 0])
            self.record(("keys", number), keys[0])
            self.record(("energies", number), energies[0, 0])
            if coverage is not None:
                self.record(("coverage", number), coverage[0, 0])

        return hook

    def _attention_hook(
        self, module: Attention, inputs: tuple[Any, ...], output: AttentionOutput
    ) -> None:
        self.record("weights", output.weights[0])
        self.record("contexts", output.contexts[0])
        if isinstance(module, SoftAttention):
            states, memory = inputs[:2]
            zeros = torch.zeros_like(memory.mask, dtype=states.dtype)[:, None]  # (1, 1, S)
            self.record("bias", module.bias_energies(zeros, states, memory)[0, 0])

    def steps(self) -> tuple[tuple[HeadSteps, ...], FloatArray]:
        count = len(self.scorers)
        values = self.memory.values[0].chunk(count, -1)
        weights = self.stack("weights")  # (T, S) or (T, heads, S)
        by_head = weights.unbind(1) if weights.ndim == 3 else [weights]
        heads = [
            self._head(number, head_values, head_weights)
            for number, (head_values, head_weights) in enumerate(zip(values, by_head, strict=True))
        ]
        return tuple(heads), _array(self.stack("contexts")[None])

    def _head(self, number: int, values: Tensor, weights: Tensor) -> HeadSteps:
        energies = self.stack(("energies", number))
        biased, bias = energies, None
        if "bias" in self.records and (total_bias := self.stack("bias")).any():
            biased, bias = energies + total_bias, _array(total_bias)
        normalizer = cast("SoftAttention | MultiHeadAttention", self.attention).normalizer
        has_coverage = ("coverage", number) in self.records
        return HeadSteps(
            1,
            number + 1,
            _score_function(self.scorers[number]),
            queries=_array(self.stack(("queries", number))),
            keys=_array(self.records["keys", number][0]),
            values=_array(values),
            energies=_array(energies),
            probs=_array(normalizer(biased)),
            weights=_array(weights),
            contexts=_array(weights.to(values.dtype) @ values),
            coverage=_array(self.stack(("coverage", number))) if has_coverage else None,
            bias=bias,
        )


def _score_function(scorer: Scorer) -> ScoreFunction:
    """Return the score function of a scorer. That of a dot product needs no parameters.

    Raises ValueError for a scorer of another kind.
    """
    if isinstance(scorer, DotScorer):
        return ScoreFunction("dot")
    if not isinstance(scorer, AdditiveScorer):
        raise ValueError(f"{type(scorer).__name__} has no score function to trace")
    vector = _array(scorer.energy.weight[0])
    coverage_vector = _array(scorer.coverage_proj.weight[:, 0]) if scorer.uses_coverage else None
    return ScoreFunction(
        "additive", activation=scorer.activation, vector=vector, coverage_vector=coverage_vector
    )


class _TransformerTrace(_Trace):
    """The steps of the cross-attention of each layer of a Transformer's decoder."""

    def __init__(self, decoder: TransformerDecoder, memory: Memory) -> None:
        super().__init__(memory)
        self.layers = cast("list[DecoderLayer]", list(decoder.layers))

    def hooks(self) -> Iterator[tuple[nn.Module, Callable[..., None]]]:
        for depth, layer in enumerate(self.layers):
            yield layer.cross_query_proj, self._output_hook(("queries", depth))
            yield layer.cross_out_proj, self._output_hook(("contexts", depth))

    def _output_hook(self, name: Any) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            self.record(name, output[0])

        return hook

    def steps(self) -> tuple[tuple[HeadSteps, ...], FloatArray]:
        depth = len(self.layers)
        all_keys, all_values = (
            part[0].chunk(depth, -1) for part in (self.memory.keys, self.memory.values)
        )
        heads = [
            head
            for number, layer in enumerate(self.layers)
            for head in self._heads(number, layer.heads, all_keys[number], all_values[number])
        ]
        contexts = torch.stack([self.stack(("contexts", number)) for number in range(depth)])
        return tuple(heads), _array(contexts)

    def _heads(self, depth: int, heads: int, keys: Tensor, values: Tensor) -> Iterator[HeadSteps]:
        queries = self.stack(("queries", depth))  # (T, D)
        parts = (split_heads(part[None], heads)[0] for part in (queries, keys, values))
        for number, (query, key, value) in enumerate(zip(*parts, strict=True), start=1):
            scale = 1 / math.sqrt(query.shape[-1])
            energies = query @ key.T * scale  # (T, S)
            weights = energies.softmax(-1)
            yield HeadSteps(
                depth + 1,
                number,
                ScoreFunction("dot", scale),
                queries=_array(query),
                keys=_array(key),
                values=_array(value),
                energies=_array(energies),
                probs=_array(weights),
                weights=_array(weights),
                contexts=_array(weights @ value),
            )


def trace_self_attention(network: Seq2Seq, src: Tensor, tgt: Tensor) -> SelfAttentionWeights:
    """(S,) source ids and (T,) target ids, EOS last → all self-attention weights.

    The network must be in eval mode.
    """
    weights: dict[nn.Module, FloatArray] = {}

    def hook(module: SelfAttention, inputs: tuple[Tensor], keywords: dict[str, Any]) -> None:
        parts = (split_heads(part, module.heads) for part in module.project_qkv(inputs[0]))
        _, probs = scaled_dot_product_attention(*parts, **keywords, weights=True)
        assert probs is not None
        weights[module] = _array(probs[0])

    sides = [
        [module for module in side.modules() if isinstance(module, SelfAttention)]
        for side in (network.encoder, network.decoder)
    ]
    handles = [
        module.register_forward_pre_hook(hook, with_kwargs=True)
        for side in sides
        for module in side
    ]
    try:
        bos = torch.tensor([BOS], device=src.device)
        tgt_in = torch.cat([bos, tgt[:-1]])
        network(src[None], torch.tensor([len(src)], device=src.device), tgt_in[None])
    finally:
        for handle in handles:
            handle.remove()
    encoder, decoder = (tuple(weights[module] for module in side) for side in sides)
    return SelfAttentionWeights(encoder, decoder)


def _array(tensor: Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().float().cpu().numpy().astype(np.float32, copy=True)
    return array
