"""Pairs become tables by an alignment model; here a fake one that records its input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.inference import neural_alignment
from attn_cli.inference.engines.interface import AlignmentOutput
from attn_cli.inference.neural_alignment import NullAligner, align_batch
from attn_cli.types import EOS, PAD, TokenizedLine, Word

PADDING_WEIGHT = 9.0


class RecordingAligner:
    """An alignment model whose weights identify the pair and the words; 9 in the padding.

    The cell of target word t and source word s of the pair whose sides begin with the pieces x and
    y is x + y / 100 + t / 1000 + s / 10000. Its link probability is twice
    that; t is unaligned in row t.
    """

    def __init__(self):
        self.calls = []

    def align(self, source, target):
        self.calls.append((source, target))
        height, width = (int(side.word_ids.max()) + 1 for side in (target, source))
        rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
        first = source.ids[:, 0, None, None] + target.ids[:, 0, None, None] / 100
        weights = first + rows / 1000 + columns / 10000
        unaligned = np.broadcast_to(np.arange(height), (len(first), height)).astype(np.float32)
        for row, (target_ids, source_ids) in enumerate(
            zip(target.word_ids, source.word_ids, strict=True)
        ):
            weights[row, target_ids.max() + 1 :] = weights[row, :, source_ids.max() + 1 :] = (
                PADDING_WEIGHT
            )
        return AlignmentOutput(
            weights.astype(np.float32), unaligned, (2 * weights).astype(np.float32)
        )


def line(first, *sizes, cut=None):
    """Return words of `sizes` pieces each, numbered from `first`; only `cut` pieces are read."""
    word_of = np.repeat(np.arange(len(sizes)), sizes)[:cut]
    ids = np.arange(first, first + len(word_of) + 1)
    ids[-1] = EOS
    return TokenizedLine(
        "raw",
        ids.astype(np.int32),
        tuple(f"p{i}" for i in ids),
        np.append(word_of, -1).astype(np.int32),
        tuple(Word(f"w{n}", n, n + 1) for n in range(len(sizes))),
    )


def tables_of(*pairs, aligner=None, **options):
    sources, targets = zip(*pairs, strict=True)
    return align_batch(aligner or RecordingAligner(), sources, targets, mode="forced", **options)


def test_each_pair_gets_its_own_words_weights_and_links_in_order():
    tables = tables_of((line(10, 1, 1, 1), line(20, 1)), (line(30, 1), line(40, 1, 1)))
    assert [(table.target, table.source) for table in tables] == [
        (("w0",), ("w0", "w1", "w2")),
        (("w0", "w1"), ("w0",)),
    ]
    np.testing.assert_allclose(tables[0].weights, [[10.2, 10.2001, 10.2002]], rtol=1e-6)
    np.testing.assert_allclose(tables[1].weights, [[30.4], [30.401]], rtol=1e-6)
    np.testing.assert_allclose(tables[1].link_probs, 2 * tables[1].weights, rtol=1e-6)
    assert tables[1].unaligned.tolist() == [0, 1]


def test_a_table_has_its_kind_level_and_mode():
    (table,) = tables_of((line(10, 1), line(20, 1)))
    assert (table.kind, table.level, table.mode) == ("alignment", "word", "forced")


def test_pieces_have_the_index_of_their_word_and_padding_has_none():
    aligner = RecordingAligner()
    tables_of((line(10, 2, 1), line(20, 1)), (line(30, 1), line(40, 1)), aligner=aligner)
    ((source, _),) = aligner.calls
    assert source.ids.tolist() == [[10, 11, 12, EOS], [30, EOS, PAD, PAD]]
    assert source.word_ids.tolist() == [[0, 0, 1, -1], [0, -1, -1, -1]]


def test_at_piece_level_each_piece_is_aligned_by_itself():
    aligner = RecordingAligner()
    (table,) = tables_of((line(10, 2, 1), line(20, 2)), aligner=aligner, level="piece")
    assert (table.source, table.target) == (("p10", "p11", "p12"), ("p20", "p21"))
    assert aligner.calls[0][0].word_ids.tolist() == [[0, 1, 2, -1]]
    assert table.level == "piece"


def test_words_whose_pieces_are_not_read_have_no_weights_or_links():
    (table,) = tables_of((line(10, 1, 1, 1, cut=2), line(20, 1, 2, 2, cut=2)))
    assert table.weights.shape == (3, 3)
    assert table.weights[:2, :2].all()
    for each in (table.weights, table.link_probs):
        assert not each[2].any()
        assert not each[:, 2].any()
    assert table.unaligned[2] == 1


@pytest.mark.parametrize("blank", [line(9), line(9, 1, cut=0)], ids=["blank", "unread"])
def test_a_pair_with_an_empty_side_is_not_passed_to_the_aligner(blank):
    aligner = RecordingAligner()
    tables = tables_of((line(10, 1), blank), (blank, line(20, 1)), (blank, blank), aligner=aligner)
    assert not aligner.calls
    for table in tables:
        assert not table.weights.any()
        assert table.unaligned.tolist() == [1] * len(table.target)


def test_a_blank_pair_does_not_shift_the_other_tables():
    tables = tables_of((line(10, 1), line(20, 1)), (line(9), line(9)), (line(30, 1), line(40, 1)))
    assert [table.weights.tolist() for table in (tables[0], tables[2])] == [
        [[pytest.approx(10.2)]],
        [[pytest.approx(30.4)]],
    ]


def padded_cells(sizes):
    """Return the cells of a batch of these pairs, including padding."""
    return len(sizes) * max(width for width, _ in sizes) * max(height for _, height in sizes)


sizes = st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), max_size=12)


@settings(derandomize=True, deadline=None)
@given(sizes, st.integers(1, 60))
def test_pairs_are_aligned_once_in_order_in_batches_as_large_as_the_limit_allows(sizes, cells):
    pairs = [
        (line(10 * n, *[1] * width), line(10 * n + 5, *[1] * height))
        for n, (width, height) in enumerate(sizes, start=1)
    ]
    aligner = RecordingAligner()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neural_alignment, "BATCH_WORD_PAIRS", cells)
        tables = align_batch(
            aligner, *([p[side] for p in pairs] for side in (0, 1)), mode="decoded"
        )
    firsts = [int(first) for source, _ in aligner.calls for first in source.ids[:, 0]]
    assert firsts == [10 * n for n in range(1, len(sizes) + 1)]
    begin = 0
    for source, _ in aligner.calls:
        end = begin + len(source.ids)
        assert padded_cells(sizes[begin:end]) <= cells or end == begin + 1
        assert end == len(sizes) or padded_cells(sizes[begin : end + 1]) > cells
        begin = end
    for table, (source, target) in zip(tables, pairs, strict=True):
        assert table.weights[0, 0] == pytest.approx(source.ids[0] + target.ids[0] / 100)


def test_the_null_aligner_links_nothing():
    (table,) = tables_of((line(10, 1, 2), line(20, 1, 1)), aligner=NullAligner())
    assert not table.weights.any()
    assert not table.link_probs.any()
    assert table.unaligned.tolist() == [1, 1]
