"""Lists of pieces against lists made by hand, and files that say something else."""

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


def listed(row):
    return [piece for piece in row.tolist() if piece != NO_PIECE]


def test_a_sentence_has_what_its_pieces_are_linked_to_and_what_all_have():
    ids = np.array([[3, 4, EOS], [5, EOS, PAD], [4, 4, EOS]], np.int32)
    found = shortlist().select(ids)
    assert [listed(row) for row in found] == [[EOS, 5, 6, 7, 9], [EOS, 6], [EOS, 5, 6, 9]]
    assert found.shape == (3, MULTIPLE)
    assert found.dtype == np.int32


def test_pieces_come_first_and_nothing_behind_them():
    (row,) = shortlist().select(np.array([[3]], np.int32))
    assert (row[4:] == NO_PIECE).all()


def test_a_list_is_the_same_in_company_whatever_a_file_says_of_padding():
    ids = np.array([[3, EOS, PAD], [4, 5, EOS]], np.int32)
    made = shortlist({PAD: [8], **ROWS})
    assert listed(made.select(ids)[0]) == listed(made.select(ids[:1, :2])[0]) == [EOS, 5, 6, 7]


def test_a_long_list_fills_another_multiple():
    rows = {3: list(range(3, 3 + MULTIPLE))}
    found = shortlist(rows, (EOS,), 6, 200).select(np.array([[3], [4]], np.int32))
    assert found.shape == (2, 2 * MULTIPLE)
    assert listed(found[0]) == [EOS, *rows[3]]


@pytest.mark.parametrize("target_vocab", [10, 1 << 16, (1 << 16) + 1])
def test_a_file_gives_back_what_was_written(tmp_path, target_vocab):
    written = shortlist(target_vocab=target_vocab)
    (tmp_path / "list").write_bytes(written.to_bytes())
    read = Shortlist.load(tmp_path / "list", source_vocab=6, target_vocab=target_vocab)
    assert read.to_bytes() == written.to_bytes()
    for name in ("always", "linked", "starts"):
        assert (getattr(read, name) == getattr(written, name)).all()


def test_a_file_is_as_small_as_its_numbers():
    assert len(shortlist().to_bytes()) == 8 + 16 + 2 * 2 + 6 + 2 * 4


def changed(place, value):
    data = bytearray(shortlist().to_bytes())
    data[place] = value
    return bytes(data)


ALWAYS, COUNTS, LINKED = 24, 28, 34


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MAGIC,
        shortlist().to_bytes()[:-1],
        shortlist().to_bytes() + b"\0",
        changed(0, 0),
        changed(8, 7),  # another source vocabulary
        changed(12, 11),  # another target vocabulary
        changed(16, 3),  # more pieces for every sentence
        changed(19, 255),  # so many that it would take gigabytes
        changed(23, 255),
        changed(ALWAYS, 3),  # no EOS
        changed(ALWAYS + 2, EOS),  # twice the same
        changed(ALWAYS + 2, 10),  # beyond the vocabulary
        changed(COUNTS + 3, 1),  # a row too short
        changed(LINKED, 10),
        changed(LINKED + 1, 255),
        changed(LINKED, PAD),
    ],
)
def test_a_damaged_file_is_refused(data):
    with pytest.raises(ModelError, match="is not the shortlist of this model"):
        Shortlist.parse(data, where="list", **SIZES)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match="list"):
        Shortlist.load(tmp_path / "list", **SIZES)


def test_of_an_endless_file_no_more_is_read_than_a_shortlist_may_have(tmp_path):
    with (tmp_path / "list").open("wb") as file:
        file.write(shortlist().to_bytes())
        file.truncate(1 << 40)
    with pytest.raises(ModelError):
        Shortlist.load(tmp_path / "list", **SIZES)
