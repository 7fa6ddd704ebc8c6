"""Read the word links of training pairs from a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from attn_cli.alignment.link_table import LinkTable
from attn_cli.alignment.pharaoh import parse_links
from attn_cli.data.corpus import Corpus
from attn_cli.data.text_input import Lines, open_lines
from attn_cli.errors import DataError

#: The last word position that a `LinkTable` can hold.
MAX_POSITION = 0xFFFF

#: A link of a pair: 12 bytes.
_LINK = np.dtype([("pair", "i4"), ("source", "u2"), ("target", "u2"), ("weight", "f4")])


def read_links(
    file: str | Path, corpus: Corpus, *, n_lines: int, stdin: BinaryIO | None = None
) -> LinkTable:
    """Read the links of the pairs of `corpus`; line n belongs to line n of its text.

    The text has `n_lines` lines; the file may end earlier. Raises DataError if the file cannot be
    read, has more lines than the text, a link outside its sentence, or no link at all.
    """
    with open_lines(file, stdin=stdin) as lines:
        links = np.fromiter(_parse_lines(lines, corpus, n_lines), _LINK)
        if not len(links):
            raise DataError(
                f"{lines.name} has no link for any pair that is trained on",
                "Give one line of links, such as 0-0 2-1, for each line of the training text.",
            )
    return LinkTable.from_arrays(
        links["pair"],
        links["source"],
        links["target"],
        links["weight"],
        n_pairs=len(corpus.lines),
    )


def _parse_lines(
    lines: Lines, corpus: Corpus, n_lines: int
) -> Iterator[tuple[int, int, int, float]]:
    """Yield the links of the pairs of `corpus`: pair, source, target, weight."""
    pair_of_line = np.full(n_lines + 1, -1, np.int32)
    pair_of_line[corpus.lines[corpus.pairs]] = corpus.pairs
    n_source, n_target = corpus.source.sentences.lengths, corpus.target.sentences.lengths
    for line in lines:
        if line.number > n_lines:
            raise DataError(
                f"{lines.name} has more lines than the {n_lines} of the training text",
                "Line n of the links must belong to line n of the text.",
            )
        if (pair := int(pair_of_line[line.number])) < 0:
            continue
        shape = int(n_source[pair]), int(n_target[pair])
        for (s, t), weight in _parse_links(
            line.text, shape, f"{lines.name} line {line.number}"
        ).items():
            if weight and max(s, t) <= MAX_POSITION:
                yield pair, s, t, weight


def _parse_links(text: str, shape: tuple[int, int], where: str) -> dict[tuple[int, int], float]:
    """Return the links of one line and their weights, 1 by default.

    Raises DataError, naming `where`, if a link is malformed or outside the sentence, or a weight is
    not between 0 and 1.
    """
    parsed = parse_links(text, where=where)
    for s, t in parsed.links:
        if s >= shape[0] or t >= shape[1]:
            raise DataError(
                f"{where} links words {s}-{t} of a pair with {shape[0]} source and {shape[1]} "
                "target words",
                "Words are attn's own, and count from 0: attn align prints such links.",
            )
    weights = {link: parsed.scores.get(link, 1.0) for link in parsed.links}
    if not all(0 <= weight <= 1 for weight in weights.values()):
        raise DataError(
            f"{where} has a weight that is not between 0 and 1",
            "Write a weight as in 0-0:0.9, or leave it out.",
        )
    return weights
