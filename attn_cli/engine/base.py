"""The narrow seam between a network and a search: the Stepper. Knows numpy and nothing else.

Whatever can read a source and score the next piece is a Stepper: torch, an exported graph, or a
fake in a test. Candidates cross the seam, not distributions: log-softmax and top-C run where the
logits live.
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
        """One row for each source sentence, whose steps will offer C = `beam` candidates."""
        ...

    def step(self, state: State, previous: IntArray, gold: IntArray | None = None) -> StepOut:
        """Advance every row by its last piece (N,); with `gold` (N,), score that piece too."""
        ...

    def reorder(self, state: State, rows: IntArray) -> State:
        """The rows `rows` (N',) of the state, in that order, repeated or left out as they come."""
        ...
