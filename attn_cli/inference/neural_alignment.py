"""Pairs of lines become tables of what corresponds, from a word aligner.

Knows the Matcher and lines that are encoded; no file, no terminal and no torch.
"""

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
from attn_cli.types import PAD, DecodingMode, SoftAlignment, TokenizedLine

#: Pairs of words in a batch: bounds the memory of the pictures that the head makes of them.
CELLS = 400_000


def align_batch(
    matcher: AlignmentModel,
    sources: Sequence[TokenizedLine],
    targets: Sequence[TokenizedLine],
    *,
    mode: DecodingMode,
    level: Level = "word",
) -> list[SoftAlignment]:
    """The table of each pair, in order; pairs of like length are best given together.

    A word that owns no piece, of a sentence that was cut or of a blank one, corresponds to nothing.
    """
    pairs = [
        (label_units(source, level), label_units(target, level))
        for source, target in zip(sources, targets, strict=True)
    ]
    tables = [_nothing(*pair, level=level, mode=mode) for pair in pairs]
    owning = [place for place, pair in enumerate(pairs) if all(_size(side) for side in pair)]
    for places in _batches(owning, pairs):
        found = matcher.align(
            _side([sources[place].ids for place in places], [pairs[p][0] for p in places]),
            _side([targets[place].ids for place in places], [pairs[p][1] for p in places]),
        )
        refuse_nan(found.weights, found.unaligned, found.links)
        for row, place in enumerate(places):
            _fill(tables[place], found, row, *map(_size, pairs[place]))
    return tables


class Nothing:
    """An `AlignmentModel` without links: every word is unaligned."""

    def align(self, source: PaddedWords, target: PaddedWords) -> AlignmentOutput:
        """See `AlignmentModel.align`."""
        rows = len(source.ids)
        height, width = (int(side.word_ids.max()) + 1 for side in (target, source))
        nothing = np.zeros((rows, height, width), np.float32)
        return AlignmentOutput(nothing, np.ones((rows, height), np.float32), nothing)


def _size(side: UnitLabels) -> int:
    """Words up to the last that owns a piece."""
    last = max((each.word for each in side.crossing), default=-1)
    return max(int(side.unit_ids.max(initial=-1)), last) + 1


def _batches(places: list[int], pairs: list[tuple[UnitLabels, UnitLabels]]) -> Iterator[list[int]]:
    """The places in order, as many together as `CELLS` holds, at least one."""
    batch: list[int] = []
    widest = tallest = 0
    for place in places:
        width, height = map(_size, pairs[place])
        if batch and (len(batch) + 1) * max(widest, width) * max(tallest, height) > CELLS:
            yield batch
            batch, widest, tallest = [], 0, 0
        batch.append(place)
        widest, tallest = max(widest, width), max(tallest, height)
    if batch:
        yield batch


def _side(ids: Sequence[np.ndarray], labels: Sequence[UnitLabels]) -> PaddedWords:
    shape = (len(ids), max(map(len, ids)))
    crossing = tuple(each.crossing for each in labels)
    side = PaddedWords(
        np.full(shape, PAD, np.int32),
        np.full(shape, -1, np.int32),
        crossing if any(crossing) else (),
    )
    for row, (line, each) in enumerate(zip(ids, labels, strict=True)):
        side.ids[row, : len(line)] = line
        side.word_ids[row, : len(line)] = each.unit_ids
    return side


def _nothing(
    source: UnitLabels, target: UnitLabels, *, level: Level, mode: DecodingMode
) -> SoftAlignment:
    shape = (len(target.labels), len(source.labels))
    return SoftAlignment(
        source.labels,
        target.labels,
        np.zeros(shape, np.float32),
        np.ones(len(target.labels), np.float32),
        "alignment",
        level,
        mode,
        np.zeros(shape, np.float32),
    )


def _fill(table: SoftAlignment, found: AlignmentOutput, row: int, width: int, height: int) -> None:
    """Write what was found for one pair of `width` source and `height` target words."""
    assert table.link_probs is not None
    table.weights[:height, :width] = found.weights[row, :height, :width]
    table.unaligned[:height] = found.unaligned[row, :height]
    table.link_probs[:height, :width] = found.links[row, :height, :width]
