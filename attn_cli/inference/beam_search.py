"""Beam search with an `IncrementalDecoder`, vectorized over a batch of sentences.

A sentence starts with `beam` open slots, which its most probable continuations fill at each step.
A hypothesis that ends closes its slot, so that the number of live rows falls as sentences end (the
search of Bahdanau et al. 2015). With one slot this is greedy search.
"""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli.config import DecodeConfig
from attn_cli.inference.copying import (
    EXTRA_CANDIDATES,
    EXTRA_CANDIDATES_WITHOUT,
    Bits,
    Copying,
    count_bits,
)
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
    """The settings of a search, which returns at most min(`n_best`, `beam`) hypotheses.

    `stop_early` ends a sentence once no live row can enter its n-best. This does not change the
    results: log-probabilities never rise, the length penalty is largest at the maximum length, and
    the coverage penalty is at most 0.
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
        """Return the settings of the search in a recipe's [decode]."""
        common = {name: value for name, value in asdict(decode).items() if hasattr(cls, name)}
        return cls(beam=decode.beam_size, **common)

    def max_lengths(self, source_length: IntArray) -> Index:
        """(B,) pieces of the sources → (B,) most pieces of their targets, EOS included."""
        lengths: Index = (source_length * self.max_length_ratio).astype(np.intp)
        return lengths + self.max_length_extra


class _Step(NamedTuple):
    """One step of the live rows, as the backpointers need it."""

    parent: Index  # (N,) row of the previous step
    piece: IntArray  # (N,)
    logp: Floats  # (N,) of the hypothesis up to this piece
    weights: FloatArray | None  # (P, S) attention of the parents' rows at this piece


class _Finished(NamedTuple):
    """A hypothesis that has ended: its row `parent` of the previous step, and its score."""

    score: float
    step: int
    parent: int
    logp: float


def search(
    decoder: IncrementalDecoder,
    ids: IntArray,
    lengths: IntArray,
    settings: SearchConfig,
    *,
    keep_weights: bool = False,
    copying: Copying | None = None,
) -> list[list[Hypothesis]]:
    """(B, S) sources → the hypotheses of each, best first: at least one, at most `n_best`.

    Of equal scores the earlier hypothesis is first, so results do not depend on the batch.
    With `keep_weights` each has its attention weights (T, length) over its source pieces. With
    `copying` each contains the placeholders of its sentence, each of them once.
    """
    return _Beam(decoder, ids, lengths, settings, keep_weights, copying).run()


class _Beam:
    def __init__(
        self,
        decoder: IncrementalDecoder,
        ids: IntArray,
        lengths: IntArray,
        settings: SearchConfig,
        keep_weights: bool,
        copying: Copying | None,
    ) -> None:
        batch, size = ids.shape
        self.decoder, self.lengths, self.settings = decoder, lengths, settings
        self.keep_weights = keep_weights
        self.max_lengths = settings.max_lengths(lengths)  # (B,)
        self.copying = copying
        self.unwritten: Bits = np.zeros(batch, np.int64)  # (N,)
        candidates = settings.beam
        if copying is not None:
            self.unwritten = copying.required
            self.max_lengths = np.maximum(self.max_lengths, count_bits(self.unwritten) + 1)
            candidates += EXTRA_CANDIDATES if self.unwritten.any() else EXTRA_CANDIDATES_WITHOUT
        self.mask = np.arange(size)[None, :] < lengths[:, None]  # (B, S)
        self.open_slots = np.full(batch, settings.beam)  # (B,)
        self.finished: list[list[_Finished]] = [[] for _ in range(batch)]
        self.history: list[_Step] = []
        # The live rows, sentence by sentence, each sentence's best first.
        self.sentence: Index = np.arange(batch)  # (N,)
        self.logp: Floats = np.zeros(batch)  # (N,)
        self.total_attention: FloatArray = np.zeros((batch, size), np.float32)  # (N, S)
        self.state: State = decoder.start(decoder.encode(ids, lengths), candidates)

    def run(self) -> list[list[Hypothesis]]:
        previous = np.full(len(self.sentence), BOS, np.int32)
        for step in range(1, int(self.max_lengths.max()) + 1):
            previous = self._advance(step, previous)
            if not len(previous):
                break
        assert not len(previous), "every sentence ends at its maximum length"
        return [
            [self._hypothesis(b, finished) for finished in self._best(b)]
            for b in range(len(self.finished))
        ]

    def _advance(self, step: int, previous: IntArray) -> IntArray:
        """Add a piece to every row; return the pieces of the rows that are live after it."""
        out, ids, piece_logp = self._step(step, previous)
        refuse_nan(piece_logp, out.weights)
        if self.settings.coverage_penalty:
            self.total_attention = self.total_attention + out.weights
        parent, piece, logp = self._select(ids, self.logp[:, None] + piece_logp)
        ended = piece == EOS
        self._finish(step, parent[ended], logp[ended])
        live = self._unpruned(parent, logp, ~ended)
        parent, piece, logp = parent[live], piece[live], logp[live]
        self.history.append(_Step(parent, piece, logp, out.weights if self.keep_weights else None))
        self.sentence, self.logp = self.sentence[parent], logp
        if self.copying is not None:
            self.unwritten = self.unwritten[parent]
            if self.unwritten.any():
                self.unwritten = self.copying.after(self.unwritten, piece)
        if len(parent):
            self.state = self.decoder.reorder(out.state, parent.astype(np.int32))
            if self.settings.coverage_penalty:
                self.total_attention = self.total_attention[parent]
        return piece

    def _step(self, step: int, previous: IntArray) -> tuple[StepOutput, IntArray, Floats]:
        """Step the network; return its output, and the candidates of each row: (N, C) pieces and
        their log-probabilities, -inf of forbidden ones."""
        steps_left = self.max_lengths[self.sentence] - step  # (N,)
        if self.copying is not None and self.unwritten.any():
            due = self.copying.next_of(self.unwritten)
            out = self.decoder.step(self.state, previous, due)
            return out, *self.copying.restrict(out, self.unwritten, due, steps_left)
        must_end = steps_left <= 0
        target = np.full(len(previous), EOS, np.int32) if must_end.any() else None
        out = self.decoder.step(self.state, previous, target)
        ids, logp = out.ids, out.logp.astype(np.float64)  # (N, C)
        if self.copying is not None and (banned := self.copying.banned_when_complete[ids]).any():
            logp = np.where(banned, -np.inf, logp)
            if (is_empty := ~np.isfinite(logp).any(1)).any():  # only EOS is left
                must_end = must_end | is_empty
                out = self.decoder.step(self.state, previous, np.full_like(previous, EOS))
        if out.target_logp is not None:
            ids, logp = ids.copy(), logp.copy()
            ids[must_end, 0], logp[must_end, 0] = EOS, out.target_logp[must_end]
            logp[must_end, 1:] = -np.inf
        return out, ids, logp

    def _select(self, ids: IntArray, logp: Floats) -> tuple[Index, IntArray, Floats]:
        """(N, C) candidates → the most probable of each sentence, one for each of its open slots.

        Returns their parent rows, pieces and log-probabilities, sentence by sentence, best first.
        """
        n, c = logp.shape
        flat = logp.reshape(-1)
        # Stable: by sentence, then by log-probability, then in the order of the candidates.
        order = np.lexsort((-flat, np.repeat(self.sentence, c)))
        sentence = self.sentence[order // c]
        first = np.searchsorted(sentence, sentence)  # the first candidate of each one's sentence
        rank = np.arange(n * c) - first
        top = order[(rank < self.open_slots[sentence]) & np.isfinite(flat[order])]
        return top // c, ids.reshape(-1)[top], flat[top]

    def _finish(self, step: int, parent: Index, logp: Floats) -> None:
        sentence = self.sentence[parent]
        score = logp / length_norm(step, self.settings.length_penalty)
        if self.settings.coverage_penalty:
            score = score + coverage(
                self.total_attention[parent], self.mask[sentence], self.settings.coverage_penalty
            )
        for b, row, s, lp in zip(sentence, parent, score, logp, strict=True):
            self.finished[b].append(_Finished(float(s), step, int(row), float(lp)))
        np.subtract.at(self.open_slots, sentence, 1)

    def _unpruned(self, parent: Index, logp: Floats, live: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which rows continue: those that can still enter the n-best of their sentence."""
        if not self.settings.stop_early:
            return live
        sentence = self.sentence[parent]
        n_best = min(self.settings.n_best, self.settings.beam)
        lowest = np.full(len(self.finished), -np.inf)  # score in the n-best
        for b in set(sentence.tolist()):  # np.unique would import numpy.ma
            if len(self.finished[b]) >= n_best:
                lowest[b] = sorted((f.score for f in self.finished[b]), reverse=True)[n_best - 1]
        bound = logp / length_norm(self.max_lengths[sentence], self.settings.length_penalty)
        # All rows of a sentence continue or none: without one row, its slot would go to another.
        best = np.full(len(self.finished), -np.inf)
        np.maximum.at(best, sentence[live], bound[live])
        return live & (best > lowest)[sentence]

    def _best(self, b: int) -> list[_Finished]:
        ranked = sorted(self.finished[b], key=lambda f: -f.score)
        return ranked[: min(self.settings.n_best, self.settings.beam)]

    def _hypothesis(self, b: int, finished: _Finished) -> Hypothesis:
        """Follow the backpointers from the end of a hypothesis."""
        pieces, totals = [EOS], [finished.logp]
        rows = [finished.parent]  # row of each step's input, latest first
        row = finished.parent
        for step in reversed(self.history[: finished.step - 1]):
            pieces.append(int(step.piece[row]))
            totals.append(float(step.logp[row]))
            row = int(step.parent[row])
            rows.append(row)
        weights = None
        if self.keep_weights:
            of_steps = [step.weights for step in self.history[: finished.step]]
            size = int(self.lengths[b])
            weights = np.stack(
                [
                    of_step[row, :size]
                    for of_step, row in zip(of_steps, reversed(rows), strict=True)
                    if of_step is not None
                ]
            )
        token_logp = np.diff(np.array(totals[::-1]), prepend=0.0).astype(np.float32)
        return Hypothesis(np.array(pieces[::-1], np.int32), finished.score, token_logp, weights)
