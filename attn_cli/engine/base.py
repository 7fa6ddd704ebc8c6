"""The narrow seams between a network and those who ask it. Know numpy and nothing else.

Whatever can read a source and score the next piece is a Stepper: torch, an exported graph, or a
fake in a test. Candidates cross that seam, not distributions: log-softmax and top-C run where the
logits live. Whatever can say which words of two sentences correspond is a Matcher.
"""

from typing import Any, NamedTuple, Protocol

from attn_cli.values import FloatArray, IntArray

#: A batch of sources as the engine holds them: opaque.
Source = Any

#: What the engine remembers of N rows between two steps: opaque, rows on axis 0.
State = Any


class StepOut(NamedTuple):
    """What one step found for N rows.

    ids (N, C) int32 and logp (N, C) float32: the C likeliest next pieces, best first.
    gold_logp (N,): the log-probability of the piece asked for, None where none was.
    weights (N, S): where each row looked; zero at padding.
    state: the rows after this step, whichever piece is chosen for them.
    """

    ids: IntArray
    logp: FloatArray
    gold_logp: FloatArray | None
    weights: FloatArray
    state: State


class Stepper(Protocol):
    """A network as a search sees it."""

    def encode(self, ids: IntArray, lengths: IntArray) -> Source:
        """(B, S) pieces, PAD behind each row's (B,) length → the source, read once."""
        ...

    def start(self, source: Source, beam: int) -> State:
        """One row for each source sentence, whose steps will offer C = `beam` candidates.

        Fewer where the vocabulary is smaller; none where `beam` is 0, for a target that is given.
        """
        ...

    def step(self, state: State, previous: IntArray, gold: IntArray | None = None) -> StepOut:
        """Advance every row by its last piece (N,); with `gold` (N,), score that piece too."""
        ...

    def reorder(self, state: State, rows: IntArray) -> State:
        """The rows `rows` (N',) of the state, in that order, repeated or left out as they come."""
        ...


class Side(NamedTuple):
    """One side of a batch of pairs: ids (B, P) and the word of each piece (B, P), -1 for none."""

    ids: IntArray
    word_of: IntArray


class Matched(NamedTuple):
    """What corresponds to what in B pairs.

    weights (B, T, S): how much of each target word is of each source word, and leftover (B, T), of
    none; together they sum to 1. links (B, T, S): the probability that the two words correspond,
    judged from both sides.
    """

    weights: FloatArray
    leftover: FloatArray
    links: FloatArray


class Matcher(Protocol):
    """An alignment head as those who ask see it."""

    def match(self, source: Side, target: Side) -> Matched:
        """Which words correspond. Every row holds at least one word on each side."""
        ...
