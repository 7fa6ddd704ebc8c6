"""Align batches of encoded pairs with a word aligner."""

from collections.abc import Iterator, Sequence

import numpy as np

from attn_cli.alignment.merge import UnitLabels, label_units
from attn_cli.choices import Level
from attn_cli.inference.engines.interface import (
    AlignmentModel,
    AlignmentOutput,
    PaddedWords,
    refuse_nan,
)
from attn_cli.inference.line_batches import pad_rows
from attn_cli.types import DecodingMode, IntArray, SoftAlignment, TokenizedLine

#: Pairs of words in a batch: bounds the memory of the features that the word aligner has of each.
BATCH_WORD_PAIRS = 400_000


def align_batch(
    aligner: AlignmentModel,
    sources: Sequence[TokenizedLine],
    targets: Sequence[TokenizedLine],
    *,
    mode: DecodingMode,
    level: Level = "word",
) -> list[SoftAlignment]:
    """Return the table of each pair, in order; fastest for pairs of like length.

    A word without pieces, beyond the end of a truncated line, is unaligned.
    """
    pairs = [
        (label_units(source, level), label_units(target, level))
        for source, target in zip(sources, targets, strict=True)
    ]
    tables = [
        SoftAlignment.without_links(
            source.labels, target.labels, kind="alignment", level=level, mode=mode
        )
        for source, target in pairs
    ]
    nonempty = [index for index, pair in enumerate(pairs) if all(map(_count_words, pair))]
    for batch in _batches(nonempty, pairs):
        output = aligner.align(
            _pad_words([sources[index].ids for index in batch], [pairs[i][0] for i in batch]),
            _pad_words([targets[index].ids for index in batch], [pairs[i][1] for i in batch]),
        )
        refuse_nan(output.weights, output.unaligned, output.links)
        for row, index in enumerate(batch):
            _copy_into(tables[index], output, row, *map(_count_words, pairs[index]))
    return tables


class NullAligner:
    """An `AlignmentModel` without links: every word is unaligned."""

    def align(self, source: PaddedWords, target: PaddedWords) -> AlignmentOutput:
        """See `AlignmentModel.align`."""
        rows = len(source.ids)
        height, width = (int(side.word_ids.max()) + 1 for side in (target, source))
        zeros = np.zeros((rows, height, width), np.float32)
        return AlignmentOutput(zeros, np.ones((rows, height), np.float32), zeros)


def _count_words(side: UnitLabels) -> int:
    """Return the number of words up to the last that has a piece."""
    last = max((each.word for each in side.crossing), default=-1)
    return max(int(side.unit_ids.max(initial=-1)), last) + 1


def _batches(indices: list[int], pairs: list[tuple[UnitLabels, UnitLabels]]) -> Iterator[list[int]]:
    """Yield the indices in order, in batches of at most `BATCH_WORD_PAIRS` or one pair."""
    batch: list[int] = []
    widest = tallest = 0
    for index in indices:
        width, height = map(_count_words, pairs[index])
        cells = (len(batch) + 1) * max(widest, width) * max(tallest, height)
        if batch and cells > BATCH_WORD_PAIRS:
            yield batch
            batch, widest, tallest = [], 0, 0
        batch.append(index)
        widest, tallest = max(widest, width), max(tallest, height)
    if batch:
        yield batch


def _pad_words(ids: Sequence[IntArray], labels: Sequence[UnitLabels]) -> PaddedWords:
    crossing = tuple(each.crossing for each in labels)
    return PaddedWords(
        pad_rows(ids)[0],
        pad_rows([each.unit_ids for each in labels], fill=-1)[0],
        crossing if any(crossing) else (),
    )


def _copy_into(
    table: SoftAlignment, output: AlignmentOutput, row: int, width: int, height: int
) -> None:
    """Copy the output for a pair of `width` source and `height` target words into its table."""
    assert table.link_probs is not None
    table.weights[:height, :width] = output.weights[row, :height, :width]
    table.unaligned[:height] = output.unaligned[row, :height]
    table.link_probs[:height, :width] = output.links[row, :height, :width]
