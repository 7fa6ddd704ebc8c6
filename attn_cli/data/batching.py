"""Batches of pairs of similar length under a token budget, in an order that a seed decides.

A batch is plain arrays.

An epoch shuffles the pairs and deals them into *pools*. A pool draws its segmentations, sorts its
pairs by length, cuts them into batches and shuffles those. Everything random in a pool comes from
(seed, epoch, pool), so a position is three small numbers, and the budget holds for the pieces that
were really drawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from attn_cli.data.arrays import LongArray, RaggedArray
from attn_cli.data.segmentation import Segmentation, SubwordCorpus
from attn_cli.errors import DataError
from attn_cli.types import BOS, EOS, PAD, IntArray

#: Sources are padded to a multiple of this, and a batch that can has a multiple of `ROW_MULTIPLE`
#: rows: a processor's library compiles its products anew for each shape, and keeps them all.
LENGTH_MULTIPLE, ROW_MULTIPLE = 4, 8

POOL_SIZE = 1 << 15  # pairs sorted together; a corpus of no more than this is one pool


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """B pairs as a network reads them, in int32; T is the longest target, EOS included.

    S is the longest source, rounded up to a multiple of `LENGTH_MULTIPLE`. `source` (B, S) and
    `target_out` (B, T) end each row with EOS, then PAD; `target_in` (B, T) is `target_out` one step
    later, BOS in front. Lengths (B,) count EOS. `source_word_ids` (B, S) and `target_word_ids` (B,
    T), the latter beside `target_out`, give each piece's word in the sentence, -1 for EOS and PAD.
    `indices` (B,) are the pairs' places in the corpus.
    """

    source: IntArray
    source_length: IntArray
    source_word_ids: IntArray
    target_in: IntArray
    target_out: IntArray
    target_length: IntArray
    target_word_ids: IntArray
    indices: IntArray

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True, eq=False, slots=True)
class WorkerBatch:
    """What one worker computes of a batch: micro-batches, one after the other.

    `n_pieces` counts the target pieces of the whole batch, EOS included, over all its shares. A
    batch of fewer pairs than there are shares leaves some without any: such a share holds one pair
    of the batch that another share counts, and `is_empty` says so.
    """

    micro_batches: tuple[Batch, ...]
    n_pieces: int
    is_empty: bool


class BatchIterator:
    """Training batches without end, epoch after epoch; `restore(state())` goes on where it was.

    A batch has at most `tokens` places in its padded target (rows x longest, EOS included), and at
    least one row. `epoch` is that of the batch given last.
    """

    def __init__(
        self, data: SubwordCorpus, *, tokens: int, seed: int, pool: int = POOL_SIZE
    ) -> None:
        assert len(data), "a corpus refuses to be empty"
        self._data = data
        self._tokens = tokens
        self._seed = seed
        self._n_pools = -(-len(data) // pool)
        self._pool = 0
        self._next = 0
        self._plan: _Plan | None = None
        self._order: tuple[int, IntArray] | None = None
        self.epoch = 0

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        drawn, rows = self._next_rows()
        return drawn.batch(rows)

    def next_for_worker(self, *, rank: int = 0, size: int = 1, parts: int = 1) -> WorkerBatch:
        """The share of worker `rank` of `size` in the next batch, in at most `parts` micro-batches.

        Pairs are dealt out in order of length, so that all shares are about as large.
        """
        drawn, rows = self._next_rows()
        dealt = [rows[part * size + rank :: parts * size] for part in range(parts)]
        filled = [part for part in dealt if len(part)]
        return WorkerBatch(
            tuple(drawn.batch(part) for part in filled or [rows[:1]]),
            drawn.count_target_pieces(rows),
            is_empty=not filled,
        )

    def _next_rows(self) -> tuple["_SampledPairs", LongArray]:
        plan = self._planned()
        while self._next >= len(plan.batches):
            self._advance()
            plan = self._planned()
        rows = plan.batches[self._next]
        self._next += 1
        return plan.drawn, rows

    def state(self) -> dict[str, int]:
        """The position: what has been given is not given again after `restore`."""
        return {
            "pairs": len(self._data),
            "epoch": self.epoch,
            "pool": self._pool,
            "batch": self._next,
        }

    def restore(self, state: dict[str, int]) -> None:
        """Go to a position. Raises DataError if it was taken in a corpus of another size."""
        if state["pairs"] != len(self._data):
            raise DataError(
                f"the position is one among {state['pairs']} pairs, "
                f"but the corpus has {len(self._data)}",
                "Continue with the text and the recipe that training began with.",
            )
        self.epoch, self._pool, self._next = state["epoch"], state["pool"], state["batch"]

    def _advance(self) -> None:
        self._pool, self._next = self._pool + 1, 0
        if self._pool == self._n_pools:
            self.epoch, self._pool = self.epoch + 1, 0

    def _planned(self) -> "_Plan":
        if self._plan is None or (self._plan.epoch, self._plan.pool) != (self.epoch, self._pool):
            pairs = np.array_split(self._epoch_order(), self._n_pools)[self._pool]
            rng = _generator(self._seed, self.epoch, 1 + self._pool)
            drawn = _SampledPairs(self._data, pairs, rng)
            batches = drawn.cut(self._tokens)
            rng.shuffle(batches)
            self._plan = _Plan(self.epoch, self._pool, drawn, batches)
        return self._plan

    def _epoch_order(self) -> IntArray:
        """The pairs in the order of this epoch: 4 bytes each, drawn once an epoch."""
        if self._order is None or self._order[0] != self.epoch:
            self._order = None  # frees the last one's memory first
            order = _generator(self._seed, self.epoch, 0).permutation(self._data.pairs)
            self._order = self.epoch, order
        return self._order[1]


def _generator(seed: int, epoch: int, stream: int) -> np.random.Generator:
    """Stream 0 deals an epoch's pairs into pools; each pool has one of those from 1."""
    return np.random.default_rng([seed, epoch, stream])


def sequential_batches(
    data: SubwordCorpus, indices: IntArray, *, tokens: int, rank: int = 0, size: int = 1
) -> Iterator[Batch]:
    """The pairs at `indices` once, deterministic pieces, shortest first: for validation.

    Batches hold at most `tokens` padded target places, as in `BatchIterator`. Worker `rank` of
    `size` gets each `size`-th of them.
    """
    drawn = _SampledPairs(data, indices, None)
    return (drawn.batch(rows) for rows in drawn.cut(tokens)[rank::size])


class _SampledPairs:
    """Some pairs with a segmentation chosen for each of their words; a *row* is one of them.

    With `rng` they are varied and their segmentations drawn, as the text allows.
    """

    def __init__(
        self, data: SubwordCorpus, pairs: IntArray, rng: np.random.Generator | None
    ) -> None:
        self._pairs = pairs
        source = data.corpus.source.sentences.gather(pairs)
        target = data.corpus.target.sentences.gather(pairs)
        for side in (data.corpus.source, data.corpus.target):
            side.sentences.release()
        if rng is not None and data.augmentation is not None:
            source, target = data.augmentation.sample(source, target, pairs, rng)
        self._source = _SampledSide(
            source, data.source, rng, multiple=LENGTH_MULTIPLE, prefix=data.source_prefix
        )
        self._target = _SampledSide(target, data.target, rng)

    def cut(self, tokens: int) -> list[LongArray]:
        """Rows of similar length together, in lists whose padded target fits into `tokens`.

        By target length, and within one by source length: rising in even ones and falling in odd
        ones, so that a batch that spans two has sources that are alike.
        """
        source, target = self._source.lengths, self._target.lengths
        order = np.lexsort((np.where(target % 2, -source, source), target))
        batches: list[LongArray] = []
        begin = 0
        for end, places in enumerate((target[order] + 1).tolist()):  # 1 for EOS
            if end > begin and _rounded(end + 1 - begin) * places > tokens:
                batches.append(order[begin:end])
                begin = end
        if begin < len(order):
            batches.append(order[begin:])
        return batches

    def count_target_pieces(self, rows: LongArray) -> int:
        """The target pieces of these rows, an EOS each included."""
        return int(self._target.lengths[rows].sum()) + len(rows)

    def batch(self, rows: LongArray) -> Batch:
        source, source_length, source_word = self._source.padded(rows)
        target, target_length, target_word = self._target.padded(rows)
        shifted = np.roll(target, 1, axis=1)
        shifted[:, 0] = BOS
        shifted[shifted == EOS] = PAD
        return Batch(
            source=source,
            source_length=source_length,
            source_word_ids=source_word,
            target_in=shifted,
            target_out=target,
            target_length=target_length,
            target_word_ids=target_word,
            indices=self._pairs[rows].astype(np.int32),
        )


def _rounded(rows: int) -> int:
    """A number of rows rounded up to a multiple of `ROW_MULTIPLE`, and as it is where that is
    smaller."""
    return rows if rows <= ROW_MULTIPLE else -(-rows // ROW_MULTIPLE) * ROW_MULTIPLE


@dataclass(frozen=True, eq=False, slots=True)
class _Plan:
    """A pool ready to be given out: the rows of each of its batches, in order."""

    epoch: int
    pool: int
    drawn: _SampledPairs
    batches: list[LongArray]


class _SampledSide:
    """One side of them: `lengths` (rows,) counts each sentence's pieces without prefix and EOS."""

    def __init__(
        self,
        words: RaggedArray,
        segmentation: Segmentation,
        rng: np.random.Generator | None,
        *,
        multiple: int = 1,
        prefix: tuple[int, ...] = (),
    ) -> None:
        self._pieces, self._multiple, self._prefix = segmentation.pieces, multiple, prefix
        self._choice = RaggedArray(segmentation.sample_rows(words.values, rng), words.starts)
        self.lengths = np.add.reduceat(
            self._pieces.lengths_of(self._choice.values), words.starts[:-1]
        )

    def padded(self, rows: LongArray) -> tuple[IntArray, IntArray, IntArray]:
        """Ids (B, S) with EOS and PAD, lengths (B,) with EOS, and word of each piece (B, S)."""
        choice = self._choice.gather(rows)  # B sentences of candidates
        pieces = self._pieces.gather(choice.values)  # as many rows as words
        word = np.arange(len(pieces)) - np.repeat(choice.starts[:-1], choice.lengths)
        starts = pieces.starts[choice.starts]  # (B+1,) where each sentence's pieces begin
        lengths = np.diff(starts)
        row = np.repeat(np.arange(len(rows)), lengths)
        before = len(self._prefix)
        column = before + np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
        lengths = lengths + before

        longest = int(lengths.max()) + 1
        shape = (len(rows), -(-longest // self._multiple) * self._multiple)
        ids = np.full(shape, PAD, np.int32)
        word_of = np.full(shape, -1, np.int32)
        ids[:, :before] = self._prefix
        ids[row, column] = pieces.values
        ids[np.arange(len(rows)), lengths] = EOS
        word_of[row, column] = np.repeat(word, pieces.lengths)
        return ids, (lengths + 1).astype(np.int32), word_of
