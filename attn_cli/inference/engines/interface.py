"""The narrow seams between a network and those who ask it. Know numpy and recipes, no network.

Whatever can read a source and score the next piece is a Stepper: torch, an exported graph, or a
fake in a test. Candidates cross that seam, not distributions: log-softmax and top-C run where the
logits live. Whatever can say which words of two sentences correspond is a Matcher.
"""

from typing import Any, NamedTuple, Protocol

from attn_cli.config import ModelConfig
from attn_cli.errors import UsageError
from attn_cli.types import FloatArray, IntArray

#: A batch of sources as the engine holds them: opaque.
Source = Any

#: What the engine remembers of N rows between two steps: opaque, rows on axis 0.
State = Any


class HeadSelection(NamedTuple):
    """Which of a network's heads are looked at: the mean of these, numbered layer by layer.

    Where none is named it is the mean of all, of which there may be but one.
    """

    heads: tuple[int, ...]

    def of(self, weights: Any) -> Any:
        """Weights (N, heads, S), of numpy or torch, → (N, S); (N, S) as they are."""
        if weights.ndim == 3:
            return (weights[:, list(self.heads)] if self.heads else weights).mean(1)
        return weights


#: The view of a network that has but one head.
ALL_HEADS = HeadSelection(())


def select_heads(model: ModelConfig, *, layer: int = 0, head: int = 0) -> HeadSelection:
    """The view of a layer and a head, both from 1.

    Layer 0 is the last but one, whose heads are the likeliest to look at what they translate (Garg
    et al. 2019, §4.2); head 0 is the mean of the layer's heads. Raises UsageError for one that the
    network does not have.
    """
    layers, heads = model.heads
    for name, asked, there in (("layer", layer, layers), ("head", head, heads)):
        if asked > max(1, there):
            raise UsageError(
                f"there is no {name} {asked}: the model attends with {layers} "
                f"layer{'s' * (layers != 1)} of {heads} head{'s' * (heads != 1)}",
                f"Choose a {name} from 1 to {max(1, there)}.",
            )
    if layers * heads <= 1:
        return ALL_HEADS
    first = ((layer or max(1, layers - 1)) - 1) * heads
    return HeadSelection((first + head - 1,) if head else tuple(range(first, first + heads)))


class HeadId(NamedTuple):
    """One head, by its layer and its number there, both from 1, and the view of it alone."""

    layer: int
    head: int
    view: HeadSelection


def single_heads(model: ModelConfig, *, layer: int = 0) -> list[HeadId]:
    """Every head of a layer, or with 0 of all layers, in order.

    Raises UsageError for a layer that the network does not have.
    """
    select_heads(model, layer=layer)
    layers, heads = model.heads
    return [
        HeadId(at, head, select_heads(model, layer=at, head=head))
        for at in ([layer] if layer else range(1, layers + 1))
        for head in range(1, heads + 1)
    ]


class StepOutput(NamedTuple):
    """What one step found for N rows.

    ids (N, C) int32 and logp (N, C) float32: the C likeliest next pieces, best first.
    gold_logp (N,): the log-probability of the piece asked for, None where none was.
    weights (N, S): where each row looked; zero at padding.
    state: the rows after this step, whichever piece is chosen for them.
    """

    ids: IntArray
    logp: FloatArray
    target_logp: FloatArray | None
    weights: FloatArray
    state: State


class IncrementalDecoder(Protocol):
    """A network as a search sees it."""

    def encode(self, ids: IntArray, lengths: IntArray) -> Source:
        """(B, S) pieces, PAD behind each row's (B,) length → the source, read once."""
        ...

    def start(self, source: Source, beam: int) -> State:
        """One row for each source sentence, whose steps will offer C = `beam` candidates.

        Fewer where the vocabulary is smaller; none where `beam` is 0, for a target that is given.
        """
        ...

    def step(self, state: State, previous: IntArray, target: IntArray | None = None) -> StepOutput:
        """Advance every row by its last piece (N,); with `target` (N,), score that piece too."""
        ...

    def reorder(self, state: State, rows: IntArray) -> State:
        """The rows `rows` (N',) of the state, in that order, repeated or left out as they come."""
        ...


class PaddedWords(NamedTuple):
    """One side of a batch of pairs: ids (B, P) and the word of each piece (B, P), -1 for none."""

    ids: IntArray
    word_of: IntArray


class AlignmentOutput(NamedTuple):
    """What corresponds to what in B pairs.

    weights (B, T, S): how much of each target word is of each source word, and leftover (B, T), of
    none; together they sum to 1. links (B, T, S): the probability that the two words correspond,
    judged from both sides.
    """

    weights: FloatArray
    leftover: FloatArray
    links: FloatArray


class AlignmentModel(Protocol):
    """A word aligner as those who ask see it."""

    def align(self, source: PaddedWords, target: PaddedWords) -> AlignmentOutput:
        """Which words correspond. Every row holds at least one word on each side."""
        ...
