"""Batches of pairs of similar length, with a maximum of tokens, in an order that a seed decides.

An epoch shuffles the pairs and divides them into *pools*. In a pool, segmentations are sampled,
pairs are sorted by length and cut into batches, and batches are shuffled. The random numbers of a
pool depend on (seed, epoch, pool), so a position is three numbers. The maximum holds for the
sampled pieces.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from attn_cli.data.arrays import LongArray, RaggedArray
from attn_cli.data.segmentation import Segmentation, SubwordCorpus
from attn_cli.errors import DataError
from attn_cli.types import BOS, EOS, PAD, IntArray

#: Sources are padded to a multiple of the first; the number of rows above the second is a multiple
#: of it: libraries for CPUs compile and cache matrix products for each shape.
LENGTH_MULTIPLE, ROW_MULTIPLE = 4, 8

POOL_SIZE = 1 << 15  # pairs sorted together; a corpus of no more than this is one pool


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """B pairs as a network reads them, in int32; T is the longest target with EOS.

    S is the longest source, rounded up to a multiple of `LENGTH_MULTIPLE`. `source` (B, S) and
    `target_out` (B, T) end each row with EOS, then PAD; `target_in` (B, T) is `target_out` one step
    later, BOS in front. Lengths (B,) count EOS. `source_word_ids` (B, S) and `target_word_ids` (B,
    T), the latter of `target_out`, give each piece's word in the sentence, -1 for EOS and PAD.
    `indices` (B,) are the pairs' indices in the corpus.
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
    """The part of a batch that one worker computes: micro-batches, in order.

    `n_pieces` counts the target pieces of the whole batch with EOS, over all workers. If a batch
    has fewer pairs than there are workers, `is_empty` is True for some of them, and their part is a
    pair that belongs to another worker.
    """

    micro_batches: tuple[Batch, ...]
    n_pieces: int
    is_empty: bool


class BatchIterator:
    """Yields training batches without end, epoch after epoch; `restore` continues from a `state`.

    A padded target has at most `tokens` positions (rows x longest, with EOS) unless it has one row.
    `epoch` is that of the last batch.
    """

    def __init__(
        self, data: SubwordCorpus, *, tokens: int, seed: int, pool: int = POOL_SIZE
    ) -> None:
        assert len(data), "a corpus is never empty"
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
        sample, rows = self._next_rows()
        return sample.batch(rows)

    def next_for_worker(self, *, rank: int = 0, size: int = 1, parts: int = 1) -> WorkerBatch:
        """Return worker `rank`'s part, of `size`, of the next batch in up to `parts` micro-batches.

        Pairs go to workers by turns in order of length, so that parts have similar sizes.
        """
        sample, rows = self._next_rows()
        strided = [rows[part * size + rank :: parts * size] for part in range(parts)]
        filled = [part for part in strided if len(part)]
        return WorkerBatch(
            tuple(sample.batch(part) for part in filled or [rows[:1]]),
            sample.count_target_pieces(rows),
            is_empty=not filled,
        )

    def _next_rows(self) -> tuple["_SampledPairs", LongArray]:
        plan = self._current_plan()
        while self._next >= len(plan.batches):
            self._advance()
            plan = self._current_plan()
        rows = plan.batches[self._next]
        self._next += 1
        return plan.sample, rows

    def state(self) -> dict[str, int]:
        """Return the position: `restore` continues with the next batch."""
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

    def _current_plan(self) -> "_Plan":
        if self._plan is None or (self._plan.epoch, self._plan.pool) != (self.epoch, self._pool):
            pairs = np.array_split(self._epoch_order(), self._n_pools)[self._pool]
            rng = _generator(self._seed, self.epoch, 1 + self._pool)
            sample = _SampledPairs(self._data, pairs, rng)
            batches = sample.cut(self._tokens)
            rng.shuffle(batches)
            self._plan = _Plan(self.epoch, self._pool, sample, batches)
        return self._plan

    def _epoch_order(self) -> IntArray:
        """Return the pairs in the order of this epoch, 4 bytes each, shuffled once an epoch."""
        if self._order is None or self._order[0] != self.epoch:
            self._order = None  # frees the memory of the previous order first
            order = _generator(self._seed, self.epoch, 0).permutation(self._data.pairs)
            self._order = self.epoch, order
        return self._order[1]


def _generator(seed: int, epoch: int, stream: int) -> np.random.Generator:
    """Return a generator: stream 0 shuffles the pairs of an epoch, stream 1 + p is for pool p."""
    return np.random.default_rng([seed, epoch, stream])


def sequential_batches(
    data: SubwordCorpus, indices: IntArray, *, tokens: int, rank: int = 0, size: int = 1
) -> Iterator[Batch]:
    """Yield batches of the pairs at `indices`, once, shortest first, for validation.

    Pieces are deterministic. Batches are limited by `tokens` as in `BatchIterator`. Worker `rank`
    gets every `size`-th batch.
    """
    sample = _SampledPairs(data, indices, None)
    return (sample.batch(rows) for rows in sample.cut(tokens)[rank::size])


class _SampledPairs:
    """Pairs with one segmentation of each word; a *row* is the index of a pair among them.

    With `rng`, sentences are augmented and segmentations sampled, if the text has any to sample.
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
        """Cut the rows into lists of similar length, each of at most `tokens` padded positions.

        Rows are sorted by target length, then by source length: ascending for even target lengths,
        descending for odd ones, so that a batch of two target lengths has similar sources.
        """
        source, target = self._source.lengths, self._target.lengths
        order = np.lexsort((np.where(target % 2, -source, source), target))
        batches: list[LongArray] = []
        begin = 0
        for end, length in enumerate((target[order] + 1).tolist()):  # 1 for EOS
            if end > begin and _round_up(end + 1 - begin) * length > tokens:
                batches.append(order[begin:end])
                begin = end
        if begin < len(order):
            batches.append(order[begin:])
        return batches

    def count_target_pieces(self, rows: LongArray) -> int:
        """Return the number of target pieces of these rows, with EOS."""
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


def _round_up(rows: int) -> int:
    """Return `rows`, rounded up to a multiple of `ROW_MULTIPLE` if it is larger."""
    return rows if rows <= ROW_MULTIPLE else -(-rows // ROW_MULTIPLE) * ROW_MULTIPLE


@dataclass(frozen=True, eq=False, slots=True)
class _Plan:
    """The batches of a pool: the rows of each, in order."""

    epoch: int
    pool: int
    sample: _SampledPairs
    batches: list[LongArray]


class _SampledSide:
    """One side of the pairs; `lengths` (rows,) are its pieces, without the prefix and EOS."""

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
        """Return ids (B, S) with EOS and PAD, lengths (B,) with EOS, and words of pieces (B, S)."""
        choice = self._choice.gather(rows)  # (B, words) indices of segmentations
        pieces = self._pieces.gather(choice.values)  # a row for each word
        word = np.arange(len(pieces)) - np.repeat(choice.starts[:-1], choice.lengths)
        starts = pieces.starts[choice.starts]  # (B + 1,) the start of each sentence's pieces
        lengths = np.diff(starts)
        row = np.repeat(np.arange(len(rows)), lengths)
        before = len(self._prefix)
        column = before + np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
        lengths = lengths + before

        longest = int(lengths.max()) + 1
        shape = (len(rows), -(-longest // self._multiple) * self._multiple)
        ids = np.full(shape, PAD, np.int32)
        word_ids = np.full(shape, -1, np.int32)
        ids[:, :before] = self._prefix
        ids[row, column] = pieces.values
        ids[np.arange(len(rows)), lengths] = EOS
        word_ids[row, column] = np.repeat(word, pieces.lengths)
        return ids, (lengths + 1).astype(np.int32), word_ids
