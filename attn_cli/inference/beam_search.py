"""Beam search with an `IncrementalDecoder`, vectorized over a batch of sentences.

A sentence starts with `beam` places. At each step its likeliest continuations fill the places left;
one that ends gives its place up for good, so the rows alive shrink as sentences finish and a
finished one costs nothing more (the search of Bahdanau et al. 2015). With one place this is greedy
search; with as many places as there are sentences it is exhaustive.
"""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli.config import DecodeConfig
from attn_cli.inference.copying import SPARE, SPARE_WITHOUT, Bits, Copying, count_bits
from attn_cli.inference.engines.interface import (
    IncrementalDecoder,
    State,
    StepOutput,
    refuse_nan,
)
from attn_cli.inference.penalties import coverage, length_norm
from attn_cli.types import BOS, EOS, FloatArray, Hypothesis, IntArray

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class SearchConfig:
    """How to search. `n_best` hypotheses at most are kept for each sentence, never above `beam`.

    `stop_early` ends a sentence once nothing alive can overtake its n-best, which never changes
    what is found: a log-probability only falls, the longest length divides it most, and the
    coverage penalty is at best 0.
    """

    beam: int = 5
    n_best: int = 1
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    max_length_ratio: float = 2.0
    max_length_extra: int = 10
    stop_early: bool = True

    @classmethod
    def of(cls, decode: DecodeConfig) -> "SearchConfig":
        """A recipe's way of searching, without what it says of how lines are read and written."""
        same = {name: value for name, value in asdict(decode).items() if hasattr(cls, name)}
        return cls(beam=decode.beam_size, **same)

    def longest(self, source_length: IntArray) -> Index:
        """(B,) pieces of the sources → (B,) pieces of the longest targets, end included."""
        longest: Index = (source_length * self.max_length_ratio).astype(np.intp)
        return longest + self.max_length_extra


class _Step(NamedTuple):
    """One past step of the rows that were alive in it: enough to walk back."""

    parent: Index  # (N,) row of the step before
    piece: IntArray  # (N,) what was chosen
    logp: Floats  # (N,) of the sentence up to here
    weights: FloatArray | None  # (P, S) of the parents' rows, where they looked for this piece


class _Finished(NamedTuple):
    """A hypothesis that has ended: its row `parent` of the step before, and its score."""

    score: float
    step: int
    parent: int
    logp: float


def search(
    stepper: IncrementalDecoder,
    ids: IntArray,
    lengths: IntArray,
    settings: SearchConfig,
    *,
    keep_weights: bool = False,
    copying: Copying | None = None,
) -> list[list[Hypothesis]]:
    """(B, S) sources → for each, its hypotheses, best first (at least one, at most n_best).

    Ties are broken by the order in which hypotheses were found, so results do not depend on the
    batch. Weights are over the row's own `length` source pieces. With `copying` each hypothesis has
    the placeholders of its sentence, each of them once.
    """
    return _Beam(stepper, ids, lengths, settings, keep_weights, copying).run()


class _Beam:
    def __init__(
        self,
        stepper: IncrementalDecoder,
        ids: IntArray,
        lengths: IntArray,
        settings: SearchConfig,
        keep_weights: bool,
        copying: Copying | None,
    ) -> None:
        batch, size = ids.shape
        self.stepper, self.lengths, self.settings = stepper, lengths, settings
        self.keep_weights = keep_weights
        self.longest = settings.longest(lengths)  # (B,)
        self.copying = copying
        self.unwritten: Bits = np.zeros(batch, np.int64)  # (N,)
        candidates = settings.beam
        if copying is not None:
            self.unwritten = copying.required
            self.longest = np.maximum(self.longest, count_bits(self.unwritten) + 1)
            candidates += SPARE if self.unwritten.any() else SPARE_WITHOUT
        self.real = np.arange(size)[None, :] < lengths[:, None]  # (B, S)
        self.places = np.full(batch, settings.beam)  # (B,) left to fill
        self.finished: list[list[_Finished]] = [[] for _ in range(batch)]
        self.past: list[_Step] = []
        # The rows alive, sentence by sentence, each sentence's best first.
        self.sentence: Index = np.arange(batch)  # (N,)
        self.logp: Floats = np.zeros(batch)  # (N,)
        self.attended: FloatArray = np.zeros((batch, size), np.float32)  # (N, S)
        self.state: State = stepper.start(stepper.encode(ids, lengths), candidates)

    def run(self) -> list[list[Hypothesis]]:
        previous = np.full(len(self.sentence), BOS, np.int32)
        for step in range(1, int(self.longest.max()) + 1):
            previous = self._advance(step, previous)
            if not len(previous):
                break
        assert not len(previous), "every sentence ends at its longest"
        return [
            [self._hypothesis(b, found) for found in self._best(b)]
            for b in range(len(self.finished))
        ]

    def _advance(self, step: int, previous: IntArray) -> IntArray:
        """One more piece for every row; returns the pieces of the rows still alive after it."""
        out, ids, gained = self._step(step, previous)
        refuse_nan(gained, out.weights)
        if self.settings.coverage_penalty:
            self.attended = self.attended + out.weights
        parent, piece, logp = self._choose(ids, self.logp[:, None] + gained)
        ended = piece == EOS
        self._finish(step, parent[ended], logp[ended])
        alive = self._unpruned(parent, logp, ~ended)
        parent, piece, logp = parent[alive], piece[alive], logp[alive]
        self.past.append(_Step(parent, piece, logp, out.weights if self.keep_weights else None))
        self.sentence, self.logp = self.sentence[parent], logp
        if self.copying is not None:
            self.unwritten = self.unwritten[parent]
            if self.unwritten.any():
                self.unwritten = self.copying.after(self.unwritten, piece)
        if len(parent):
            self.state = self.stepper.reorder(out.state, parent.astype(np.int32))
            if self.settings.coverage_penalty:
                self.attended = self.attended[parent]
        return piece

    def _step(self, step: int, previous: IntArray) -> tuple[StepOutput, IntArray, Floats]:
        """What the network finds, and the continuations of each row that may be: (N, C) pieces and
        their log-probabilities, -inf for those that may not."""
        steps_left = self.longest[self.sentence] - step  # (N,)
        if self.copying is not None and self.unwritten.any():
            due = self.copying.next_of(self.unwritten)
            out = self.stepper.step(self.state, previous, due)
            return out, *self.copying.restrict(out, self.unwritten, due, steps_left)
        must_end = steps_left <= 0
        target = np.full(len(previous), EOS, np.int32) if must_end.any() else None
        out = self.stepper.step(self.state, previous, target)
        ids, gained = out.ids, out.logp.astype(np.float64)  # (N, C)
        if self.copying is not None and (never := self.copying.never[ids]).any():
            gained = np.where(never, -np.inf, gained)
            if (nothing := ~np.isfinite(gained).any(1)).any():  # but for the end, as at the longest
                must_end = must_end | nothing
                out = self.stepper.step(self.state, previous, np.full_like(previous, EOS))
        if out.target_logp is not None:  # at its longest, a sentence can only end
            ids, gained = ids.copy(), gained.copy()
            ids[must_end, 0], gained[must_end, 0] = EOS, out.target_logp[must_end]
            gained[must_end, 1:] = -np.inf
        return out, ids, gained

    def _choose(self, ids: IntArray, logp: Floats) -> tuple[Index, IntArray, Floats]:
        """(N, C) continuations → the likeliest of each sentence, as many as it has places.

        Returns their parent rows, pieces and log-probabilities, sentence by sentence, best first.
        """
        n, c = logp.shape
        flat = logp.reshape(-1)
        # Stable order: by sentence, then likeliest first, then the order they came in.
        order = np.lexsort((-flat, np.repeat(self.sentence, c)))
        owner = self.sentence[order // c]
        first = np.searchsorted(owner, owner)  # where each one's sentence begins
        rank = np.arange(n * c) - first
        chosen = order[(rank < self.places[owner]) & np.isfinite(flat[order])]
        return chosen // c, ids.reshape(-1)[chosen], flat[chosen]

    def _finish(self, step: int, parent: Index, logp: Floats) -> None:
        owner = self.sentence[parent]
        score = logp / length_norm(step, self.settings.length_penalty)
        if self.settings.coverage_penalty:
            score = score + coverage(
                self.attended[parent], self.real[owner], self.settings.coverage_penalty
            )
        for b, row, s, lp in zip(owner, parent, score, logp, strict=True):
            self.finished[b].append(_Finished(float(s), step, int(row), float(lp)))
        np.subtract.at(self.places, owner, 1)

    def _unpruned(self, parent: Index, logp: Floats, alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which continuations go on: those that could still enter their sentence's n-best."""
        if not self.settings.stop_early:
            return alive
        owner = self.sentence[parent]
        n_best = min(self.settings.n_best, self.settings.beam)
        bar = np.full(len(self.finished), -np.inf)
        for b in set(owner.tolist()):  # np.unique would import numpy.ma
            if len(self.finished[b]) >= n_best:
                bar[b] = sorted((f.score for f in self.finished[b]), reverse=True)[n_best - 1]
        most = logp / length_norm(self.longest[owner], self.settings.length_penalty)
        # A sentence goes on whole or not at all: dropping one row would hand its place to another.
        best = np.full(len(self.finished), -np.inf)
        np.maximum.at(best, owner[alive], most[alive])
        return alive & (best > bar)[owner]

    def _best(self, b: int) -> list[_Finished]:
        ranked = sorted(self.finished[b], key=lambda f: -f.score)
        return ranked[: min(self.settings.n_best, self.settings.beam)]

    def _hypothesis(self, b: int, found: _Finished) -> Hypothesis:
        """Walk back from where it ended."""
        pieces, totals = [EOS], [found.logp]
        rows = [found.parent]  # row of each step's input, latest first
        row = found.parent
        for past in reversed(self.past[: found.step - 1]):
            pieces.append(int(past.piece[row]))
            totals.append(float(past.logp[row]))
            row = int(past.parent[row])
            rows.append(row)
        weights = None
        if self.keep_weights:
            looked = [self.past[i].weights for i in range(found.step)]
            size = int(self.lengths[b])
            weights = np.stack(
                [w[r, :size] for w, r in zip(looked, reversed(rows), strict=True) if w is not None]
            )
        token_logp = np.diff(np.array(totals[::-1]), prepend=0.0).astype(np.float32)
        return Hypothesis(np.array(pieces[::-1], np.int32), found.score, token_logp, weights)
