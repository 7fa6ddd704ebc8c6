"""Cut lines that are too long, and group lines of like length into padded batches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from attn_cli.types import EOS, PAD, IntArray, TokenizedLine

#: Receives the number of a line that is not read to its end, and the problem.
OnProblem = Callable[[int, str], None]

#: Most source pieces of a line; the rest is left out, with a warning.
MAX_PIECES = 1024

#: Source positions times beam in a batch: keeps a step's scores within a processor's cache.
BATCH_CELLS = 3000


def truncate(
    line: TokenizedLine, number: int, on_problem: OnProblem | None = None
) -> TokenizedLine:
    """Cut a line of more than `MAX_PIECES` pieces to so many, and to the words of these pieces."""
    if len(line.ids) <= MAX_PIECES:
        return line
    ids = np.append(line.ids[: MAX_PIECES - 1], np.int32(EOS))
    word_ids = np.append(line.word_ids[: MAX_PIECES - 1], np.int32(-1))
    crossing = tuple(each for each in line.crossing if each.piece < MAX_PIECES - 1)
    count = 1 + max([int(word_ids.max(initial=-1)), *(each.word for each in crossing)])
    if on_problem:
        on_problem(
            number, f"longer than {MAX_PIECES} pieces: only its first {count} words are read"
        )
    return replace(
        line,
        ids=ids,
        pieces=(*line.pieces[: MAX_PIECES - 1], line.pieces[-1]),
        word_ids=word_ids,
        crossing=crossing,
        words=line.words[:count],
        literals=tuple(each for each in line.literals if each.word < count),
    )


def length_batches(lengths: Mapping[int, int], *, beam: int) -> Iterator[list[int]]:
    """Yield the keys in batches of like lengths within `BATCH_CELLS`, longest first."""
    order = sorted(lengths, key=lambda key: -lengths[key])
    start = 0
    while start < len(order):
        rows = max(1, BATCH_CELLS // (lengths[order[start]] * beam))
        yield order[start : start + rows]
        start += rows


def pad_rows(rows: Sequence[IntArray], *, fill: int = PAD) -> tuple[IntArray, IntArray]:
    """Rows of ids → (B, S), each followed by `fill`, and their lengths (B,)."""
    lengths = np.array([len(row) for row in rows], np.int32)
    ids = np.full((len(rows), int(lengths.max())), fill, np.int32)
    for padded, row in zip(ids, rows, strict=True):
        padded[: len(row)] = row
    return ids, lengths
