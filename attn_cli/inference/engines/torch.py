"""An `IncrementalDecoder` and an `AlignmentModel` that run PyTorch networks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attn_cli.bundles.bundle import Bundle
from attn_cli.data.shortlist import Shortlist
from attn_cli.errors import ModelError
from attn_cli.inference.beam_layout import BeamRows
from attn_cli.inference.engines.interface import (
    ALL_HEADS,
    AlignmentOutput,
    HeadSelection,
    PaddedWords,
    StepOutput,
)
from attn_cli.inference.engines.listing import Listing
from attn_cli.nn.attention import Memory, RowLayout
from attn_cli.nn.attention_trace import trace_attention, trace_self_attention
from attn_cli.nn.builder import build_model, build_word_aligner
from attn_cli.nn.device import find_device
from attn_cli.nn.embeddings import SelectedRows
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state_dict import check_state, load_state, unique_state_dict
from attn_cli.nn.word_aligner import WordAligner, WordGroups
from attn_cli.types import AttentionSteps, FloatArray, IntArray


class EncodedSource(NamedTuple):
    """B sources: their pieces (B, S), and the memory that the decoder attends to."""

    ids: IntArray
    memory: Memory


class SearchState(NamedTuple):
    """N rows of a search: the sources, the sentence of each row, and the decoder's state.

    With a shortlist, the pieces of each sentence's list and the output vectors of these pieces.
    """

    source: Memory  # (B, …)
    rows: BeamRows
    hidden: dict[str, Tensor]  # (N, …)
    candidates: int
    listing: Listing | None = None
    selected: SelectedRows | None = None


class TorchDecoder:
    """Runs a `Seq2Seq` one step at a time, without gradients and without dropout.

    With a `shortlist` the candidates of a search are limited to it.
    """

    def __init__(
        self,
        network: Seq2Seq,
        heads: HeadSelection = ALL_HEADS,
        *,
        shortlist: Shortlist | None = None,
    ) -> None:
        self.network, self.heads, self.shortlist = network.eval(), heads, shortlist
        self.device = next(network.parameters()).device

    def with_heads(self, heads: HeadSelection) -> "TorchDecoder":
        """Return a decoder of the same network with another selection of heads."""
        return TorchDecoder(self.network, heads, shortlist=self.shortlist)

    @torch.inference_mode()
    def encode(self, ids: IntArray, lengths: IntArray) -> EncodedSource:
        """See `IncrementalDecoder.encode`."""
        memory = self.network.encode(self._tensor(ids), self._tensor(lengths))
        return EncodedSource(ids, memory)

    @torch.inference_mode()
    def start(self, source: EncodedSource, beam: int) -> SearchState:
        """See `IncrementalDecoder.start`."""
        ids, memory = source
        state = SearchState(
            memory, BeamRows.initial(len(ids)), self.network.init_state(memory), beam
        )
        if self.shortlist is None or not beam:
            return state
        listing = Listing(self.shortlist.select(ids))
        selected = self.network.output_projection.select(self._tensor(listing.pieces))
        return state._replace(listing=listing, selected=selected)

    @torch.inference_mode()
    def step(
        self, state: SearchState, previous: IntArray, target: IntArray | None = None
    ) -> StepOutput:
        """See `IncrementalDecoder.step`."""
        logits, weights, hidden = self.network.step(
            self._tensor(previous), state.hidden, state.source, state.selected
        )
        logp = logits.float().log_softmax(-1)  # (N, V), or (N, L) of a shortlist
        top_k = logp.topk(min(state.candidates, logp.shape[-1]), dim=-1)  # (N, C)
        ids = top_k.indices.to(torch.int32).cpu().numpy()
        target_logp, column = None, target
        if target is not None and state.listing is not None:
            column = state.listing.columns(state.rows, target)
        if column is not None:
            target_logp = logp.gather(1, self._tensor(column)[:, None])[:, 0].cpu().numpy()
        out = StepOutput(
            ids,
            top_k.values.cpu().numpy(),
            target_logp,
            self.heads.of(weights).float().cpu().numpy(),
            state._replace(hidden=hidden),
        )
        if state.listing is None:
            return out
        return state.listing.with_pieces(out, state.rows, target)

    @torch.inference_mode()
    def reorder(self, state: SearchState, rows: IntArray) -> SearchState:
        """See `IncrementalDecoder.reorder`. Drops sentences without rows once they are many."""
        source, new_rows = state.source, state.rows.reordered(rows)
        listing, selected = state.listing, state.selected
        if (live := new_rows.live_sentences()) is not None:
            index = self._tensor(live)
            source, new_rows = source.select(index), new_rows.restrict_to(live)
            if listing is not None and selected is not None:
                listing, selected = listing.of(live), selected.select(index)
        layout = None
        if not new_rows.is_identity():
            layout = RowLayout(*map(self._tensor, new_rows.layout()))
        index = self._tensor(rows)
        hidden = {name: part.index_select(0, index) for name, part in state.hidden.items()}
        return state._replace(
            source=source._replace(layout=layout),
            rows=new_rows,
            hidden=hidden,
            listing=listing,
            selected=selected,
        )

    @torch.inference_mode()
    def trace_attention(self, ids: IntArray, target: IntArray) -> AttentionSteps:
        """(S,) source pieces and (T,) target pieces, EOS last → every step of attention."""
        return trace_attention(self.network, self._tensor(ids), self._tensor(target))

    @torch.inference_mode()
    def trace_self_attention(
        self, ids: IntArray, target: IntArray, side: Literal["encoder", "decoder"]
    ) -> list[FloatArray]:
        """(S,) source pieces and (T,) target pieces, EOS last → weights of each layer of a side.

        See `SelfAttentionWeights`.
        """
        weights = trace_self_attention(self.network, self._tensor(ids), self._tensor(target))
        return list(weights.encoder if side == "encoder" else weights.decoder)

    def _tensor(self, array: IntArray) -> Tensor:
        return torch.from_numpy(np.asarray(array, dtype=np.int64)).to(self.device)


class TorchAligner:
    """Runs a `WordAligner` without gradients and without dropout."""

    def __init__(self, aligner: WordAligner) -> None:
        self.aligner = aligner.eval()
        self.device = next(aligner.parameters()).device

    @torch.inference_mode()
    def align(self, source: PaddedWords, target: PaddedWords) -> AlignmentOutput:
        """See `AlignmentModel.align`."""
        output = self.aligner(*(word_groups(side, self.device) for side in (source, target)))
        weights = output.to_source.exp()  # (B, T, S + 1)
        return AlignmentOutput(
            weights[..., :-1].cpu().numpy(),
            weights[..., -1].cpu().numpy(),
            output.link_probs.cpu().numpy(),
        )


def word_groups(side: PaddedWords, device: torch.device) -> WordGroups:
    """Return a side of a batch as the input of a word aligner."""
    ids = torch.from_numpy(side.ids.astype(np.int64))
    return WordGroups(ids.to(device), torch.from_numpy(side.mean).to(device))


def load(
    bundle: Bundle,
    heads: HeadSelection,
    *,
    device: str,
    threads: int | None,
    shortlist: Shortlist | None = None,
) -> TorchDecoder:
    """Load the translation network of a bundle. See `registry.open_decoder`."""
    network = _load(build_model, bundle, bundle.weights, device, threads)
    return TorchDecoder(network, heads, shortlist=shortlist)


def load_aligner(bundle: Bundle, *, device: str, threads: int | None) -> TorchAligner:
    """Load the word aligner of a bundle that has one. See `registry.open_aligner`."""
    aligner = _load(build_word_aligner, bundle, bundle.word_aligner, device, threads)
    return TorchAligner(aligner)


class _WithoutNormalDraws(TorchFunctionMode):
    """Leave tensors as they are instead of drawing them from a normal distribution.

    PyTorch draws on the meta device by code that imports its compiler, which takes two seconds.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in (nn.init.normal_, Tensor.normal_):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


Network = TypeVar("Network", Seq2Seq, WordAligner)


def _load(
    build: Callable[..., Network], bundle: Bundle, weights: Path, device: str, threads: int | None
) -> Network:
    """Build a network from the recipe and load its parameters from the file `weights`.

    Compares shapes before it allocates memory, since a damaged recipe may need more than there is.
    """
    if threads:
        torch.set_num_threads(threads)
    try:
        tensors = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the model {weights.parent} is damaged: {weights.name}: {error}",
            "Copy or train it again.",
        ) from error
    sizes = {
        "source_vocab_size": bundle.source.vocab_size,
        "target_vocab_size": bundle.target.vocab_size,
    }
    with torch.device("meta"), _WithoutNormalDraws():
        expected = unique_state_dict(build(bundle.recipe.model, **sizes))
    check_state(expected, tensors, where=str(weights))
    network = build(bundle.recipe.model, **sizes)
    with torch.no_grad():
        load_state(network, tensors, where=str(weights))
    return network.to(find_device(device))
