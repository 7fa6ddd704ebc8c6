"""The Stepper and the Matcher over torch networks. Know `nn` and a bundle's weights, no search."""

from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from attn_cli.alignment.merge import mean_over_words
from attn_cli.bundles.bundle import Bundle
from attn_cli.data.shortlist import Shortlist
from attn_cli.errors import ModelError
from attn_cli.inference.beam_layout import Rows
from attn_cli.inference.engines.interface import ALONE, Matched, Side, StepOut, View
from attn_cli.inference.engines.listing import Listing
from attn_cli.nn.attention import Memory, RowLayout
from attn_cli.nn.builder import build_model, build_word_aligner
from attn_cli.nn.device import find_device
from attn_cli.nn.embeddings import SelectedRows
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state_dict import load_state
from attn_cli.nn.word_aligner import WordAligner, WordGroups
from attn_cli.types import IntArray


class EncodedSource(NamedTuple):
    """B sources: their pieces (B, S), and what the decoder may look at."""

    ids: IntArray
    memory: Memory


class SearchState(NamedTuple):
    """N rows of a search: the sentences they look at, where they stand, the decoder's state.

    With a shortlist, the pieces that each sentence may use and the rows that score them.
    """

    source: Memory  # (B, …)
    rows: Rows
    hidden: dict[str, Tensor]  # (N, …)
    candidates: int
    listing: Listing | None = None
    selected: SelectedRows | None = None


class TorchStepper:
    """Runs a `Seq2Seq` one step at a time, without gradients and without dropout.

    Where a search has candidates they are those of the `shortlist`, if there is one.
    """

    def __init__(
        self, network: Seq2Seq, view: View = ALONE, *, shortlist: Shortlist | None = None
    ) -> None:
        self.network, self.view, self.shortlist = network.eval(), view, shortlist
        self.device = next(network.parameters()).device

    def viewed(self, view: View) -> "TorchStepper":
        """The same network, looked at through another view."""
        return TorchStepper(self.network, view, shortlist=self.shortlist)

    @torch.inference_mode()
    def encode(self, ids: IntArray, lengths: IntArray) -> EncodedSource:
        """See `Stepper.encode`."""
        memory = self.network.encode(self._tensor(ids), self._tensor(lengths))
        return EncodedSource(ids, memory)

    @torch.inference_mode()
    def start(self, source: EncodedSource, beam: int) -> SearchState:
        """See `Stepper.start`."""
        ids, memory = source
        state = SearchState(memory, Rows.one_each(len(ids)), self.network.init_state(memory), beam)
        if self.shortlist is None or not beam:
            return state
        listing = Listing(self.shortlist.select(ids))
        selected = self.network.scores.select(self._tensor(listing.pieces))
        return state._replace(listing=listing, selected=selected)

    @torch.inference_mode()
    def step(self, state: SearchState, previous: IntArray, gold: IntArray | None = None) -> StepOut:
        """See `Stepper.step`."""
        logits, weights, hidden = self.network.step(
            self._tensor(previous), state.hidden, state.source, state.selected
        )
        logp = logits.float().log_softmax(-1)  # (N, V), or (N, L) of a shortlist
        best = logp.topk(min(state.candidates, logp.shape[-1]), dim=-1)  # (N, C)
        ids = best.indices.to(torch.int32).cpu().numpy()
        gold_logp, column = None, gold
        if gold is not None and state.listing is not None:
            column = state.listing.columns(state.rows, gold)
        if column is not None:
            gold_logp = logp.gather(1, self._tensor(column)[:, None])[:, 0].cpu().numpy()
        found = StepOut(
            ids,
            best.values.cpu().numpy(),
            gold_logp,
            self.view.of(weights).float().cpu().numpy(),
            state._replace(hidden=hidden),
        )
        return (
            found if state.listing is None else state.listing.with_pieces(found, state.rows, gold)
        )

    @torch.inference_mode()
    def reorder(self, state: SearchState, rows: IntArray) -> SearchState:
        """See `Stepper.reorder`. Sentences without a row leave once they are many."""
        source, now = state.source, state.rows.reordered(rows)
        listing, selected = state.listing, state.selected
        if (kept := now.worth_keeping()) is not None:
            index = self._tensor(kept)
            source, now = source.select(index), now.within(kept)
            if listing is not None and selected is not None:
                listing, selected = listing.of(kept), selected.select(index)
        layout = None
        if not now.one_for_each():
            layout = RowLayout(*map(self._tensor, now.places()))
        index = self._tensor(rows)
        hidden = {name: part.index_select(0, index) for name, part in state.hidden.items()}
        return state._replace(
            source=source._replace(layout=layout),
            rows=now,
            hidden=hidden,
            listing=listing,
            selected=selected,
        )

    def _tensor(self, array: IntArray) -> Tensor:
        return torch.from_numpy(np.asarray(array, dtype=np.int64)).to(self.device)


class TorchMatcher:
    """Runs an `WordAligner` without gradients and without dropout."""

    def __init__(self, head: WordAligner) -> None:
        self.head = head.eval()
        self.device = next(head.parameters()).device

    @torch.inference_mode()
    def match(self, source: Side, target: Side) -> Matched:
        """See `Matcher.match`."""
        found = self.head(*(words_of(side, self.device) for side in (source, target)))
        shares = found.to_source.exp()  # (B, T, S + 1)
        return Matched(
            shares[..., :-1].cpu().numpy(),
            shares[..., -1].cpu().numpy(),
            found.link_probs.cpu().numpy(),
        )


def words_of(side: Side, device: torch.device) -> WordGroups:
    """A side of a batch as the head reads it; as many words as the longest row has."""
    mean = mean_over_words(side.word_of, int(side.word_of.max()) + 1)
    ids = torch.from_numpy(side.ids.astype(np.int64))
    return WordGroups(ids.to(device), torch.from_numpy(mean).to(device))


def load(
    bundle: Bundle,
    view: View,
    *,
    device: str,
    threads: int | None,
    shortlist: Shortlist | None = None,
) -> TorchStepper:
    """The network of a bundle, ready to step. See `engine.open.open_stepper`."""
    network = build_model(
        bundle.recipe.model,
        source_vocab=bundle.source.vocab_size,
        target_vocab=bundle.target.vocab_size,
    )
    network = _filled(network, bundle.weights, device, threads)
    return TorchStepper(network, view, shortlist=shortlist)


def load_head(bundle: Bundle, *, device: str, threads: int | None) -> TorchMatcher:
    """The word aligner of a bundle that has one. See `engine.open.open_matcher`."""
    head = build_word_aligner(
        bundle.recipe.model,
        source_vocab=bundle.source.vocab_size,
        target_vocab=bundle.target.vocab_size,
    )
    return TorchMatcher(_filled(head, bundle.head, device, threads))


Network = TypeVar("Network", Seq2Seq, WordAligner)


def _filled(network: Network, weights: Path, device: str, threads: int | None) -> Network:
    """The network with the weights of that file, on its device."""
    if threads:
        torch.set_num_threads(threads)
    try:
        tensors = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the model {weights.parent} is damaged: {weights.name}: {error}",
            "Copy or train it again.",
        ) from error
    with torch.no_grad():
        load_state(network, tensors, where=str(weights))
    return network.to(find_device(device))
