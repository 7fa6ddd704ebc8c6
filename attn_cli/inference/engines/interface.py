"""The interfaces between networks and their users, in numpy.

An `IncrementalDecoder` encodes sources and scores the next piece: PyTorch, an exported graph, or a
fake in a test. It returns candidates, not distributions: log-softmax and top-C run next to the
logits. An `AlignmentModel` aligns the words of two sentences.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from attn_cli.alignment.merge import word_means, word_shares
from attn_cli.config import ModelConfig, Recipe
from attn_cli.errors import ModelError, UsageError
from attn_cli.types import Crossing, FloatArray, HeadId, IntArray

#: A batch of encoded sources: opaque.
Source = Any

#: The state of N rows between two steps: opaque, rows on axis 0.
State = Any


class HeadSelection(NamedTuple):
    """The attention heads whose mean is returned, counted layer by layer from 0; () is all."""

    indices: tuple[int, ...]

    def of(self, weights: Any) -> Any:
        """Weights (N, heads, S), of numpy or torch, → (N, S); (N, S) as they are."""
        if weights.ndim == 3:
            return (weights[:, list(self.indices)] if self.indices else weights).mean(1)
        return weights


#: The mean of all heads.
ALL_HEADS = HeadSelection(())


def refuse_nan(*outputs: NDArray[Any]) -> None:
    """Raise ModelError if an output has NaN, which no search can rank."""
    if any(np.isnan(output).any() for output in outputs):
        raise ModelError(
            "the model computes NaN: its parameters are damaged or diverged in training",
            "Copy or train it again; attn models verify checks it.",
        )


def select_heads(model: ModelConfig, *, layer: int = 0, head: int = 0) -> HeadSelection:
    """Select a head of a layer, both from 1.

    Layer 0 is the second to last, whose attention aligns best (Garg et al. 2019, §4.2);
    head 0 is the mean of the layer's heads. Raises UsageError if the network has no such head.
    """
    layers, heads = model.heads
    for name, number, count in (("layer", layer, layers), ("head", head, heads)):
        if number > max(1, count):
            raise UsageError(
                f"there is no {name} {number}: the model has attention in {layers} "
                f"layer{'s' * (layers != 1)} of {heads} head{'s' * (heads != 1)}",
                f"Choose a {name} from 1 to {max(1, count)}.",
            )
    if layers * heads <= 1:
        return ALL_HEADS
    first = ((layer or max(1, layers - 1)) - 1) * heads
    return HeadSelection((first + head - 1,) if head else tuple(range(first, first + heads)))


def default_heads(recipe: Recipe) -> HeadSelection:
    """Select the heads that a recipe names in [decode]. Raises as `select_heads`."""
    decode = recipe.decode
    return select_heads(recipe.model, layer=decode.attention_layer, head=decode.attention_head)


def single_heads(model: ModelConfig, *, layer: int = 0) -> list[HeadId]:
    """Return every head of a layer, or with 0 of all layers, in order.

    Raises UsageError if the network has no such layer.
    """
    select_heads(model, layer=layer)
    layers, heads = model.heads
    return [
        HeadId(number, head)
        for number in ([layer] if layer else range(1, layers + 1))
        for head in range(1, heads + 1)
    ]


class StepOutput(NamedTuple):
    """The output of one step for N rows.

    ids (N, C) int32 and logp (N, C) float32: the C most probable next pieces, best first.
    target_logp (N,): the log-probability of the target piece, None without one.
    weights (N, S): the attention weights; zero at padding.
    state: the state of the rows after this step, before their next piece is selected.
    """

    ids: IntArray
    logp: FloatArray
    target_logp: FloatArray | None
    weights: FloatArray
    state: State


class IncrementalDecoder(Protocol):
    """A network that a search decodes with, step by step."""

    def encode(self, ids: IntArray, lengths: IntArray) -> Source:
        """(B, S) pieces, PAD after each row's (B,) length → the encoded source."""
        ...

    def start(self, source: Source, beam: int) -> State:
        """Return one row for each source sentence; its steps return C = `beam` candidates.

        C is at most the size of the vocabulary, and 0 with `beam` 0, for forced decoding.
        """
        ...

    def step(self, state: State, previous: IntArray, target: IntArray | None = None) -> StepOutput:
        """Advance every row by its last piece (N,); with `target` (N,), score that piece too."""
        ...

    def reorder(self, state: State, rows: IntArray) -> State:
        """Select the rows `rows` (N',) of the state, in that order, with repetitions."""
        ...


class PaddedWords(NamedTuple):
    """One side of a batch of pairs: ids (B, P) and the word of each piece (B, P), -1 for none.

    `crossing` has, for each row, the pieces that belong to several words; () if there are none.
    """

    ids: IntArray
    word_ids: IntArray
    crossing: tuple[tuple[Crossing, ...], ...] = ()

    @property
    def mean(self) -> FloatArray:
        """(B, W, P): 1 / n at each of a word's n pieces; W is the most words of a row."""
        last = max((each.word for row in self.crossing for each in row), default=-1)
        words = max(int(self.word_ids.max()), last) + 1
        shares = word_shares(self.word_ids, words, self.crossing)
        return word_means(shares).astype(np.float32, order="C")


class AlignmentOutput(NamedTuple):
    """The alignment of B pairs of sentences.

    weights (B, T, S): the distribution of each target word over the source words, and unaligned
    (B, T), its probability of NULL; together they sum to 1. links (B, T, S): the probability of
    each link, from both directions.
    """

    weights: FloatArray
    unaligned: FloatArray
    links: FloatArray


class AlignmentModel(Protocol):
    """A word aligner."""

    def align(self, source: PaddedWords, target: PaddedWords) -> AlignmentOutput:
        """Align the words of each pair; every row has at least one word on each side."""
        ...
