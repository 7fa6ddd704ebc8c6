"""The layout of beam rows by sentence: each row has one slot, in its own sentence."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.inference.beam_layout import COMPACT_BELOW, BeamRows


@st.composite
def beam_rows(draw):
    """Rows in any order; some sentences may have none."""
    sentences = draw(st.integers(1, 9))
    owners = draw(st.lists(st.integers(0, sentences - 1), min_size=1, max_size=30))
    return BeamRows(np.array(owners, np.int32), sentences)


deterministic = settings(derandomize=True, deadline=None)


@deterministic
@given(beam_rows())
def test_each_row_has_one_slot_in_its_own_sentence(rows):
    row_at_slot, slot_of_row = rows.layout()
    assert row_at_slot.shape[0] == rows.sentences
    assert (row_at_slot.reshape(-1)[slot_of_row] == np.arange(len(rows.sentence))).all()
    assert (slot_of_row // row_at_slot.shape[1] == rows.sentence).all()
    assert len(set(slot_of_row.tolist())) == len(slot_of_row)


@deterministic
@given(beam_rows())
def test_sentences_have_as_many_slots_as_the_largest_one_needs_in_row_order(rows):
    row_at_slot, slot_of_row = rows.layout()
    assert row_at_slot.shape[1] == max(np.bincount(rows.sentence))
    assert ((row_at_slot >= 0) & (row_at_slot < len(rows.sentence))).all()
    for sentence in set(rows.sentence.tolist()):
        slots = slot_of_row[rows.sentence == sentence]
        assert slots.tolist() == [sentence * row_at_slot.shape[1] + n for n in range(len(slots))]


def test_the_layout_of_three_rows_equals_the_one_worked_by_hand():
    row_at_slot, slot_of_row = BeamRows(np.array([2, 0, 2], np.int32), 3).layout()
    assert row_at_slot.tolist() == [[1, 0], [0, 0], [0, 2]]
    assert slot_of_row.tolist() == [4, 0, 5]


@deterministic
@given(beam_rows(), st.data())
def test_rows_reordered_keep_their_sentences(rows, data):
    order = data.draw(st.lists(st.integers(0, len(rows.sentence) - 1), min_size=1, max_size=12))
    reordered = rows.reordered(np.array(order, np.int32))
    assert reordered.sentence.tolist() == [rows.sentence[n] for n in order]
    assert reordered.sentences == rows.sentences


@deterministic
@given(beam_rows())
def test_sentences_without_rows_are_removed_once_they_are_many(rows):
    sentences_with_rows = sorted(set(rows.sentence.tolist()))
    live_sentences = rows.live_sentences()
    assert (live_sentences is None) == (len(sentences_with_rows) >= COMPACT_BELOW * rows.sentences)
    if live_sentences is not None:
        restricted = rows.restrict_to(live_sentences)
        assert live_sentences.tolist() == sentences_with_rows
        assert (live_sentences[restricted.sentence] == rows.sentence).all()
        assert restricted.sentences == len(sentences_with_rows)


def test_only_one_row_for_each_sentence_in_order_is_the_identity():
    initial = BeamRows.initial(3)
    assert initial.is_identity()
    for order in ([1, 0, 2], [0, 1], [0, 1, 2, 2], [0, 0, 2]):
        assert not initial.reordered(np.array(order, np.int32)).is_identity()
