"""Batches made by hand, and the comparison of two batches."""

from collections.abc import Sequence

import numpy as np

from attn_cli.data.batching import Batch


def make_batch(
    source_word_ids: Sequence[Sequence[int]],
    target_word_ids: Sequence[Sequence[int]],
    indices: Sequence[int] | None = None,
) -> Batch:
    """Return a batch with these words and indices of pairs; its other arrays are zeros."""
    source, target = (np.array(ids, np.int32) for ids in (source_word_ids, target_word_ids))
    rows = np.array(range(len(source)) if indices is None else indices, np.int32)
    src, tgt, lengths = source * 0, target * 0, rows * 0
    return Batch(src, lengths, source, tgt, tgt, lengths, target, rows)


def have_equal_arrays(one: Batch, other: Batch) -> bool:
    """Whether two batches have the same rows in the same order."""
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Batch.__slots__)
