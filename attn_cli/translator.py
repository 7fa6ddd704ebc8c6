"""Lines become translations, lazily and in order. Knows no file, no terminal and no torch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import NamedTuple

import numpy as np

from attn_cli.align.merge import soft_alignment
from attn_cli.decode.beam import Search, search
from attn_cli.engine.base import Stepper
from attn_cli.text.tokenizer import Decoded, Tokenizer
from attn_cli.values import (
    EOS,
    PAD,
    Encoded,
    Hypothesis,
    IntArray,
    Level,
    SoftAlignment,
    Translation,
)

OnProblem = Callable[[int, str], None]

#: Source pieces of one line that are read; what is beyond is left out, and said.
LONGEST = 1024

#: Source positions times beam in a batch: keeps a step's scores within a processor's cache.
BUDGET = 6000


@dataclass(frozen=True)
class Job:
    """One line to translate: its number, from 1, and its text."""

    line: int
    text: str


class Translator:
    """A network, its two vocabularies and a way to search.

    `on_problem(line, problem)` hears of each line that was not read to its end.
    """

    def __init__(
        self,
        stepper: Stepper,
        source: Tokenizer,
        target: Tokenizer,
        how: Search,
        *,
        align: bool = False,
        level: Level = "word",
        on_problem: OnProblem | None = None,
    ) -> None:
        self.stepper, self.source, self.target = stepper, source, target
        self.how, self.align, self.level = how, align, level
        self.on_problem = on_problem

    def stream(self, chunks: Iterable[Sequence[Job]]) -> Iterator[Translation]:
        """The translation of every job, in order, chunk by chunk: no chunk waits for the next."""
        for chunk in chunks:
            yield from self.translate(chunk)

    def translate(self, jobs: Sequence[Job]) -> list[Translation]:
        """The translations of `jobs`, in order. Lines of like length share a batch inside."""
        found: dict[int, Translation] = {}
        encoded: dict[int, Encoded] = {}
        for place, job in enumerate(jobs):
            line = self.source.encode(job.text)
            if line.words:
                encoded[place] = shortened(line, job.line, self.on_problem)
            else:
                found[place] = Translation(job.line, job.text, "")
        for places in by_length(
            {place: len(line.ids) for place, line in encoded.items()}, self.how
        ):
            sources = [encoded[place] for place in places]
            ids, lengths = padded([line.ids for line in sources])
            rows = search(self.stepper, ids, lengths, self.how, keep_weights=self.align)
            for place, source, hypotheses in zip(places, sources, rows, strict=True):
                found[place] = self._translation(jobs[place], source, hypotheses)
        return [found[place] for place in range(len(jobs))]

    def _translation(
        self, job: Job, source: Encoded, hypotheses: Sequence[Hypothesis]
    ) -> Translation:
        decoded = [self.target.decode(h.ids) for h in hypotheses]
        best, said = hypotheses[0], decoded[0]
        target = self._encoded(best, said)
        rows = labelled(source, self.level), labelled(target, self.level)
        return Translation(
            line=job.line,
            source=job.text,
            text=said.text,
            source_words=rows[0].words,
            target_words=rows[1].words,
            hypotheses=tuple(hypotheses),
            texts=tuple(d.text for d in decoded),
            alignment=self._alignment(source, best, target) if self.align else None,
            word_logp=summed_logp(best, rows[1]),
        )

    def _encoded(self, best: Hypothesis, said: Decoded) -> Encoded:
        pieces = tuple(self.target.piece(int(i)) for i in best.ids)
        return Encoded(said.text, best.ids, pieces, said.word_of, said.words)

    def _alignment(self, source: Encoded, best: Hypothesis, target: Encoded) -> SoftAlignment:
        assert best.weights is not None
        return soft_alignment(
            best.weights, source, target, kind="attention", origin="decoded", level=self.level
        )


class Labelled(NamedTuple):
    """What the rows or columns of a table are: their names, and the row of each piece or -1."""

    words: tuple[str, ...]
    row_of: IntArray


def labelled(line: Encoded, level: Level) -> Labelled:
    """The words of a line, or the pieces that are of some word."""
    if level == "word":
        return Labelled(tuple(word.text for word in line.words), line.word_of)
    of_word = line.word_of >= 0
    row_of = np.where(of_word, of_word.cumsum() - 1, -1).astype(np.int32)
    return Labelled(tuple(compress(line.pieces, of_word)), row_of)


def shortened(line: Encoded, number: int, on_problem: OnProblem | None = None) -> Encoded:
    """The line, cut to `LONGEST` pieces where it is longer. Its words stay; some own no piece."""
    if len(line.ids) <= LONGEST:
        return line
    if on_problem:
        on_problem(number, f"longer than {LONGEST} pieces, read up to there")
    ids = np.append(line.ids[: LONGEST - 1], np.int32(EOS))
    word_of = np.append(line.word_of[: LONGEST - 1], np.int32(-1))
    return replace(
        line, ids=ids, pieces=(*line.pieces[: LONGEST - 1], line.pieces[-1]), word_of=word_of
    )


def by_length(lengths: dict[int, int], how: Search) -> Iterator[list[int]]:
    """Places grouped so that a batch holds like lengths and fits the budget, longest first."""
    order = sorted(lengths, key=lambda place: -lengths[place])
    sizes = [lengths[place] * how.beam for place in order]
    start = 0
    while start < len(order):
        rows = max(1, BUDGET // sizes[start])
        yield order[start : start + rows]
        start += rows


def padded(rows: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """Rows of ids → (B, S) with PAD behind, and their lengths (B,)."""
    lengths = np.array([len(row) for row in rows], np.int32)
    ids = np.full((len(rows), int(lengths.max())), PAD, np.int32)
    for row, given in zip(ids, rows, strict=True):
        row[: len(given)] = given
    return ids, lengths


def summed_logp(hypothesis: Hypothesis, rows: Labelled) -> tuple[float, ...]:
    """The log-probability of each row: the sum over its pieces."""
    total = np.zeros(len(rows.words))
    inside = rows.row_of >= 0
    np.add.at(total, rows.row_of[inside], hypothesis.token_logp[inside])
    return tuple(total.tolist())
