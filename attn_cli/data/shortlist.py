"""A shortlist of the vocabulary: the target pieces that the output layer scores for a sentence.

They are the target pieces that were linked to the sentence's source pieces in training, and the
most frequent ones (Jean et al. 2015, "On Using Very Large Target Vocabulary for NMT", section 3.2;
L'Hostis et al. 2016, "Vocabulary Selection Strategies for NMT"): a few hundred instead of
thousands. Each sentence has its own list, so that a batch does not change its translation. Pieces
are ids.

In a file, all numbers little-endian:

    magic    8 bytes, MAGIC
    sizes    4 uint32: source pieces, target pieces, entries of `always`, of all rows of `linked`
    always   uint16 each, ascending
    counts   uint8 for each source piece: entries of its row
    linked   uint16 each, row by row

Pieces are uint32 if the target vocabulary has more than 65,536.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attn_cli.data.arrays import RaggedArray
from attn_cli.errors import ModelError
from attn_cli.types import EOS, PAD, IntArray

MAGIC = b"attnSL1\n"

#: The length of a list is a multiple of this. A processor sums a row in lanes: with padding to a
#: multiple of their number, the sum does not depend on the amount of padding.
MULTIPLE = 64

#: The padding of a list.
NO_PIECE = -1

#: Maximum entries of a row: their number is a uint8.
MAX_ROW_LENGTH = 255

_HEADER = np.dtype([("magic", "S8"), ("sizes", "<u4", 4)])
_DAMAGED = "Make it again with attn export --pairs, or copy the model again."


@dataclass(frozen=True, eq=False)
class Shortlist:
    """The target pieces of every sentence, and those of each source piece.

    `always` (A,) int32 is ascending and begins with EOS, the lowest id of any output. The row of
    source piece p is `linked[starts[p]:starts[p + 1]]`, int32. `target_vocab` is V.
    """

    always: IntArray
    linked: IntArray
    starts: NDArray[np.int64]
    target_vocab: int

    def __post_init__(self) -> None:
        assert len(self.always), "EOS is always one"
        assert self.always[0] == EOS

    @property
    def source_vocab(self) -> int:
        """The number of source pieces, which have a row each."""
        return len(self.starts) - 1

    def select(self, ids: IntArray) -> IntArray:
        """Return (B, L) the target pieces for (B, S) source pieces, which are padded with PAD.

        They are ascending, padded with `NO_PIECE`; L is a multiple of `MULTIPLE`.
        """
        chosen = np.zeros((len(ids), self.target_vocab), np.bool_)
        chosen[:, self.always] = True
        sentence, place = np.nonzero(ids != PAD)
        pieces = ids[sentence, place]
        rows = RaggedArray(self.linked, self.starts).gather(pieces)
        chosen[np.repeat(sentence, rows.lengths), rows.values] = True
        row, piece = np.nonzero(chosen)
        counts = np.bincount(row, minlength=len(ids))
        size = -(-int(counts.max(initial=1)) // MULTIPLE) * MULTIPLE
        listed = np.full((len(ids), size), NO_PIECE, np.int32)
        listed[row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)] = piece
        return listed

    def to_bytes(self) -> bytes:
        """Return the shortlist as bytes, which `parse` reads."""
        kind = _piece_type(self.target_vocab)
        sizes = (self.source_vocab, self.target_vocab, len(self.always), len(self.linked))
        header = np.array((MAGIC, sizes), _HEADER)
        counts = np.diff(self.starts)
        assert counts.max(initial=0) <= MAX_ROW_LENGTH
        parts = (header, self.always.astype(kind), counts.astype("u1"), self.linked.astype(kind))
        return b"".join(part.tobytes() for part in parts)

    @classmethod
    def load(cls, path: Path, *, source_vocab: int, target_vocab: int) -> "Shortlist":
        """Read a shortlist from a file. Raises ModelError if it cannot be read, and as `parse`."""
        longest = _HEADER.itemsize + source_vocab * (1 + 4 * MAX_ROW_LENGTH) + 4 * target_vocab
        try:
            with path.open("rb") as file:
                data = file.read(longest + 1)
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror}", _DAMAGED) from error
        return cls.parse(data, source_vocab=source_vocab, target_vocab=target_vocab, where=path)

    @classmethod
    def parse(
        cls, data: bytes, *, source_vocab: int, target_vocab: int, where: Path | str
    ) -> "Shortlist":
        """Return the shortlist in these bytes, for vocabularies of these sizes.

        Raises ModelError, naming `where`, for other content.
        """
        kind = _piece_type(target_vocab)
        if len(data) < _HEADER.itemsize or not data.startswith(MAGIC):
            raise _damaged(where, "its first bytes are not those of a shortlist")
        sizes = np.frombuffer(data, _HEADER, 1)["sizes"][0].astype(np.int64)
        if tuple(sizes[:2]) != (source_vocab, target_vocab):
            raise _damaged(
                where,
                f"it is for vocabularies of {sizes[0]} and {sizes[1]} pieces, "
                f"not {source_vocab} and {target_vocab}",
            )
        n_always, n_linked = map(int, sizes[2:])
        begin = _HEADER.itemsize
        rows = begin + n_always * kind.itemsize
        if len(data) != rows + source_vocab + n_linked * kind.itemsize:
            raise _damaged(where, f"it has {len(data)} bytes, which does not agree with its header")
        always = np.frombuffer(data, kind, n_always, begin).astype(np.int64)
        counts = np.frombuffer(data, "u1", source_vocab, rows).astype(np.int64)
        linked = np.frombuffer(data, kind, n_linked, rows + source_vocab).astype(np.int64)
        if counts.sum() != n_linked:
            raise _damaged(where, "its rows have another number of pieces than its header")
        if not n_always or always[0] != EOS or (np.diff(always) <= 0).any():
            raise _damaged(where, "its first pieces are not in ascending order from EOS")
        if always[-1] >= target_vocab or ((linked < EOS) | (linked >= target_vocab)).any():
            raise _damaged(where, "it contains pieces that no translation has")
        starts = np.concatenate(([0], np.cumsum(counts)))
        return cls(always.astype(np.int32), linked.astype(np.int32), starts, target_vocab)


def _piece_type(vocab: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype("<u2" if vocab <= 1 << 16 else "<u4")


def _damaged(where: Path | str, problem: str) -> ModelError:
    return ModelError(f"{where} is not the shortlist of this model: {problem}", _DAMAGED)
