"""Where the rows of a search stand in their sentences: every row once, and in its own."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.inference.beam_layout import COMPACT_BELOW, BeamRows


@st.composite
def rows_of_searches(draw):
    """Rows in any order over sentences of which some may have none."""
    sentences = draw(st.integers(1, 9))
    owners = draw(st.lists(st.integers(0, sentences - 1), min_size=1, max_size=30))
    return BeamRows(np.array(owners, np.int32), sentences)


quickly = settings(derandomize=True, deadline=None)


@quickly
@given(rows_of_searches())
def test_every_row_has_one_place_and_it_is_in_its_own_sentence(rows):
    row, place = rows.layout()
    assert row.shape[0] == rows.sentences
    assert (row.reshape(-1)[place] == np.arange(len(rows.sentence))).all()
    assert (place // row.shape[1] == rows.sentence).all()
    assert len(set(place.tolist())) == len(place)


@quickly
@given(rows_of_searches())
def test_there_are_as_many_places_as_the_fullest_sentence_needs_in_the_order_of_the_rows(rows):
    row, place = rows.layout()
    assert row.shape[1] == max(np.bincount(rows.sentence))
    assert ((row >= 0) & (row < len(rows.sentence))).all()
    for sentence in set(rows.sentence.tolist()):
        own = place[rows.sentence == sentence]
        assert own.tolist() == [sentence * row.shape[1] + n for n in range(len(own))]


def test_places_of_a_case_worked_by_hand():
    row, place = BeamRows(np.array([2, 0, 2], np.int32), 3).layout()
    assert row.tolist() == [[1, 0], [0, 0], [0, 2]]
    assert place.tolist() == [4, 0, 5]


@quickly
@given(rows_of_searches(), st.data())
def test_rows_reordered_keep_their_sentences(rows, data):
    moved = data.draw(st.lists(st.integers(0, len(rows.sentence) - 1), min_size=1, max_size=12))
    after = rows.reordered(np.array(moved, np.int32))
    assert after.sentence.tolist() == [rows.sentence[n] for n in moved]
    assert after.sentences == rows.sentences


@quickly
@given(rows_of_searches())
def test_sentences_without_a_row_leave_once_they_are_many(rows):
    alive = sorted(set(rows.sentence.tolist()))
    kept = rows.live_sentences()
    assert (kept is None) == (len(alive) >= COMPACT_BELOW * rows.sentences)
    if kept is not None:
        within = rows.restrict_to(kept)
        assert kept.tolist() == alive
        assert (kept[within.sentence] == rows.sentence).all()
        assert within.sentences == len(alive)


def test_one_for_each_is_only_said_of_all_in_order():
    begun = BeamRows.initial(3)
    assert begun.is_identity()
    for moved in ([1, 0, 2], [0, 1], [0, 1, 2, 2], [0, 0, 2]):
        assert not begun.reordered(np.array(moved, np.int32)).is_identity()
