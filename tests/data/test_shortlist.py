"""Shortlists equal lists computed by hand; damaged files are refused."""

import numpy as np
import pytest

from attn_cli.data.shortlist import MAGIC, MULTIPLE, NO_PIECE, Shortlist
from attn_cli.errors import ModelError
from attn_cli.types import EOS, PAD

#: Of six source pieces and ten target pieces: 3 is linked to 7 and 5, 4 to 5 and 9, 5 to nothing.
ROWS = {3: [7, 5], 4: [5, 9]}
SIZES = {"source_vocab": 6, "target_vocab": 10}


def shortlist(rows=ROWS, always=(EOS, 6), source_vocab=6, target_vocab=10):
    counts = [len(rows.get(piece, ())) for piece in range(source_vocab)]
    linked = [piece for row in sorted(rows) for piece in rows[row]]
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return Shortlist(np.array(always, np.int32), np.array(linked, np.int32), starts, target_vocab)


def pieces_of(row):
    return [piece for piece in row.tolist() if piece != NO_PIECE]


def test_a_sentence_gets_the_pieces_linked_to_its_own_and_those_always_listed():
    ids = np.array([[3, 4, EOS], [5, EOS, PAD], [4, 4, EOS]], np.int32)
    selection = shortlist().select(ids)
    assert [pieces_of(row) for row in selection] == [[EOS, 5, 6, 7, 9], [EOS, 6], [EOS, 5, 6, 9]]
    assert selection.shape == (3, MULTIPLE)
    assert selection.dtype == np.int32


def test_pieces_come_first_in_a_row_and_padding_last():
    (row,) = shortlist().select(np.array([[3]], np.int32))
    assert (row[4:] == NO_PIECE).all()


def test_the_list_of_a_sentence_depends_neither_on_its_batch_nor_on_padding():
    ids = np.array([[3, EOS, PAD], [4, 5, EOS]], np.int32)
    with_padding_row = shortlist({PAD: [8], **ROWS})
    assert (
        pieces_of(with_padding_row.select(ids)[0])
        == pieces_of(with_padding_row.select(ids[:1, :2])[0])
        == [EOS, 5, 6, 7]
    )


def test_a_long_list_is_padded_to_the_next_multiple():
    rows = {3: list(range(3, 3 + MULTIPLE))}
    selection = shortlist(rows, (EOS,), 6, 200).select(np.array([[3], [4]], np.int32))
    assert selection.shape == (2, 2 * MULTIPLE)
    assert pieces_of(selection[0]) == [EOS, *rows[3]]


@pytest.mark.parametrize("target_vocab", [10, 1 << 16, (1 << 16) + 1])
def test_a_shortlist_read_from_a_file_equals_the_one_written(tmp_path, target_vocab):
    original = shortlist(target_vocab=target_vocab)
    (tmp_path / "list").write_bytes(original.to_bytes())
    loaded = Shortlist.load(tmp_path / "list", source_vocab=6, target_vocab=target_vocab)
    assert loaded.to_bytes() == original.to_bytes()
    for name in ("always", "linked", "starts"):
        assert (getattr(loaded, name) == getattr(original, name)).all()


def test_a_file_has_no_bytes_besides_its_header_and_numbers():
    assert len(shortlist().to_bytes()) == 8 + 16 + 2 * 2 + 6 + 2 * 4


def replace_byte(position, value):
    data = bytearray(shortlist().to_bytes())
    data[position] = value
    return bytes(data)


ALWAYS, COUNTS, LINKED = 24, 28, 34


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MAGIC,
        shortlist().to_bytes()[:-1],
        shortlist().to_bytes() + b"\0",
        replace_byte(0, 0),
        replace_byte(8, 7),  # another source vocabulary
        replace_byte(12, 11),  # another target vocabulary
        replace_byte(16, 3),  # more pieces for every sentence
        replace_byte(19, 255),  # so many that it would take gigabytes
        replace_byte(23, 255),
        replace_byte(ALWAYS, 3),  # no EOS
        replace_byte(ALWAYS + 2, EOS),  # twice the same
        replace_byte(ALWAYS + 2, 10),  # beyond the vocabulary
        replace_byte(COUNTS + 3, 1),  # a row too short
        replace_byte(LINKED, 10),
        replace_byte(LINKED + 1, 255),
        replace_byte(LINKED, PAD),
    ],
)
def test_a_damaged_file_is_refused(data):
    with pytest.raises(ModelError, match="is not the shortlist of this model"):
        Shortlist.parse(data, where="list", **SIZES)


def test_the_error_of_a_missing_file_names_it(tmp_path):
    with pytest.raises(ModelError, match="list"):
        Shortlist.load(tmp_path / "list", **SIZES)


def test_a_file_larger_than_any_shortlist_is_refused_without_reading_it_all(tmp_path):
    with (tmp_path / "list").open("wb") as file:
        file.write(shortlist().to_bytes())
        file.truncate(1 << 40)
    with pytest.raises(ModelError):
        Shortlist.load(tmp_path / "list", **SIZES)
