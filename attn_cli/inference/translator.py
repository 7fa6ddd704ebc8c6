"""Lines become translations, lazily and in order. Knows no file, no terminal and no torch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli.alignment.merge import UnitLabels, build_alignment, label_units
from attn_cli.choices import Level, MatrixKind
from attn_cli.data import sentences
from attn_cli.data.casing import is_all_caps, uppercase
from attn_cli.data.sentencepiece_model import SPACE
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.copying import Copying
from attn_cli.inference.engines.interface import AlignmentModel
from attn_cli.inference.generation import Generator, SourceBatch
from attn_cli.inference.neural_alignment import align_batch
from attn_cli.inference.sentence_merging import merge_sentences
from attn_cli.types import (
    EOS,
    PAD,
    FloatArray,
    Hypothesis,
    InputLine,
    IntArray,
    SoftAlignment,
    TokenizedLine,
    Translation,
)

if TYPE_CHECKING:
    from attn_cli.inference.confidence import Calibration, Evidence

OnProblem = Callable[[int, str], None]

#: Source pieces of one line that are read; what is beyond is left out, and said.
LONGEST = 1024

#: Words of the longest line whose sentences share a table, which has a weight for every two words.
MAX_TABLE_WORDS = 2048

#: Source positions times beam in a batch: keeps a step's scores within a processor's cache.
BATCH_CELLS = 3000


@dataclass(frozen=True)
class _Line:
    """One line as it is read: whether it is `loud`, all in capitals, and the parts it is cut into,
    of which there is at least one."""

    input: InputLine
    loud: bool
    parts: Sequence[TokenizedLine]


class _Found(NamedTuple):
    """What was found for a line or a part of it; `evidence` where it is wanted and something was
    translated."""

    translation: Translation
    evidence: "Evidence | None" = None


class Translator:
    """A network, its two vocabularies and a way to search.

    With `align` each translation has its table: the decoder's attention, or with a `matcher` the
    word aligner's weights, which ask what corresponds to the words that were found.
    A line of more than `split_over` words, unless that is 0, is translated sentence by sentence.
    With `capitals` a line that is all in capitals is read as if it were not, and its translation
    is put in capitals. A target word of a probability below `unsure_below` is unsure, unless it was
    copied or is a mark. With a `calibration` each translation has its confidence.
    `on_problem(line, problem)` hears of each line that was not read to its end.
    """

    def __init__(
        self,
        generator: Generator,
        source: SubwordTokenizer,
        target: SubwordTokenizer,
        how: SearchConfig,
        *,
        align: bool = False,
        matcher: AlignmentModel | None = None,
        level: Level = "word",
        split_over: int = 0,
        capitals: bool = False,
        unsure_below: float = 0.0,
        calibration: "Calibration | None" = None,
        on_problem: OnProblem | None = None,
    ) -> None:
        self.generator, self.source, self.target = generator, source, target
        self.matcher = matcher
        self.how, self.align, self.level = how, align, level
        self.split_over, self.capitals = split_over, capitals
        self.unsure_below, self.calibration = unsure_below, calibration
        self.on_problem = on_problem

    def stream(self, chunks: Iterable[Sequence[InputLine]]) -> Iterator[Translation]:
        """The translation of every line, in order, chunk by chunk: no chunk waits for the next."""
        for chunk in chunks:
            yield from self.translate(chunk)

    def translate(self, lines: Sequence[InputLine]) -> list[Translation]:
        """The translations of `lines`, in order. Lines of like length share a batch inside."""
        found = self._found(lines, with_evidence=self.calibration is not None)
        if self.calibration is None:
            return [translation for translation, _ in found]
        return [
            replace(each, confidence=1.0 if evidence is None else self.calibration(evidence))
            for each, evidence in found
        ]

    def translate_with_evidence(
        self, lines: Sequence[InputLine]
    ) -> "list[tuple[Translation, Evidence | None]]":
        """The same without confidence, and what is known of each translation; None where nothing
        had to be translated."""
        return [(each, evidence) for each, evidence in self._found(lines, with_evidence=True)]

    def _found(self, lines: Sequence[InputLine], *, with_evidence: bool) -> "list[_Found]":
        read = [self._read(line) for line in lines]
        alone = [len(line.parts) == 1 for line in read for _ in line.parts]
        parts = [part for line in read for part in line.parts]
        found = iter(self._translated(parts, alone, with_evidence=with_evidence))
        return [self._reassemble(line, [next(found) for _ in line.parts]) for line in read]

    def _read(self, line: InputLine) -> "_Line":
        """A line as the network is to read it, whole or sentence by sentence."""
        loud = self.capitals and is_all_caps(line.source)
        parts = self.source.encode_parts(line.source, lowercase=loud)
        size = sum(len(part.words) for part in parts)
        if size > MAX_TABLE_WORDS and self.align:  # one table would be too large
            if len(parts) > 1 or parts[0].has_only_literals:
                whole = self.source.encode(line.source, lowercase=loud)
                parts = [replace(whole, has_only_literals=False)]
        elif len(parts) > 1 or (0 < self.split_over < size and not parts[0].has_only_literals):
            parts = [
                part
                for start, end in self._sentences(line.source)
                for part in self.source.encode_parts(
                    line.source[start:end], lowercase=loud, is_whole=False
                )
            ]
        return _Line(line, loud, [truncate(part, line.line, self.on_problem) for part in parts])

    def encode(self, line: InputLine) -> Sequence[TokenizedLine]:
        """The line as the network reads it: one part, or several that are translated one by one."""
        return self._read(line).parts

    def _sentences(self, text: str) -> list[tuple[int, int]]:
        """Where the sentences of a line are; no literal is in two of them."""
        spans = list(sentences.split(text))
        if self.source.literals is None or len(spans) == 1:
            return spans
        literals = iter(self.source.find_literals(text))
        literal = next(literals, None)
        merged = spans[:1]
        for start, end in spans[1:]:
            while literal is not None and literal.end <= start:
                literal = next(literals, None)
            if literal is not None and literal.start < start:  # it begins within a literal
                merged[-1] = (merged[-1][0], end)
            else:
                merged.append((start, end))
        return merged

    def _translated(
        self, parts: Sequence[TokenizedLine], alone: Sequence[bool], *, with_evidence: bool
    ) -> list[_Found]:
        """The translation of each part, in order; their lines are for `_reassemble` to say.

        `alone` tells which parts are their line.
        """
        found = [_Found(Translation(0, part.raw, "")) for part in parts]
        to_translate = {}
        for place, part in enumerate(parts):
            if part.has_only_literals:
                found[place] = _Found(self._copy(part, rewritten=not alone[place]))
            elif part.words:
                to_translate[place] = len(part.ids)
        for places in length_batches(to_translate, self.how):
            sources = [parts[place] for place in places]
            rows = self.generator.generate(
                SourceBatch(*padded([part.ids for part in sources])),
                self.how,
                keep_weights=self.align and self.matcher is None,
                copying=self._copying(sources),
            )
            said = [
                self.detokenize(hypotheses[0], source)
                for hypotheses, source in zip(rows, sources, strict=True)
            ]
            tables = self._tables(sources, said, [hypotheses[0] for hypotheses in rows])
            for row, place in enumerate(places):
                found[place] = _Found(
                    self._translation(sources[row], said[row], rows[row], tables[row]),
                    self._evidence(sources[row], said[row], rows[row][0])
                    if with_evidence
                    else None,
                )
        return found

    def _translation(
        self,
        source: TokenizedLine,
        said: TokenizedLine,
        hypotheses: Sequence[Hypothesis],
        table: SoftAlignment | None,
    ) -> Translation:
        rows = label_units(said, self.level)
        word_logp = sum_logp(hypotheses[0], rows)
        return Translation(
            line=0,
            source=source.raw,
            text=said.raw,
            source_words=label_units(source, self.level).labels,
            target_words=rows.labels,
            hypotheses=tuple(hypotheses),
            texts=(said.raw, *(self.target.decode(h.ids, source).text for h in hypotheses[1:])),
            alignment=table,
            word_logp=word_logp,
            unsure=self._unsure(said, rows, word_logp),
        )

    def _is_copied(self, ids: IntArray) -> NDArray[np.bool_]:
        """(T,) which pieces are placeholders."""
        pieces = self.target.placeholders
        return (ids >= pieces.start) & (ids < pieces.stop)

    def _unsure(
        self, said: TokenizedLine, rows: UnitLabels, word_logp: Sequence[float]
    ) -> tuple[int, ...]:
        """The rows of low probability, but for what was copied and for marks."""
        if not self.unsure_below:
            return ()
        copied = set(rows.unit_ids[self._is_copied(said.ids)].tolist())
        bound = log(self.unsure_below)
        return tuple(
            row
            for row, (label, logp) in enumerate(zip(rows.labels, word_logp, strict=True))
            if logp < bound and row not in copied and any(map(str.isalnum, label))
        )

    def _evidence(self, source: TokenizedLine, said: TokenizedLine, best: Hypothesis) -> "Evidence":
        from attn_cli.inference.confidence import Evidence

        words = label_units(said, "word")
        copied = self._is_copied(best.ids)
        is_translated = np.ones(len(words.labels), bool)
        is_translated[words.unit_ids[copied & (words.unit_ids >= 0)]] = False
        word_logp = np.array(sum_logp(best, words), np.float32)
        literals = {copied.word for copied in source.literals}
        own = [word not in literals for word in source.word_ids[:-1].tolist()]  # without the end
        return Evidence(
            best.token_logp[~copied],
            word_logp[is_translated],
            source_words=len(source.words) - len(literals),
            source_pieces=sum(own),
            source_letters=sum(
                len(piece.strip(SPACE))
                for piece, is_own in zip(source.pieces, own, strict=False)
                if is_own
            ),
        )

    def _reassemble(self, line: "_Line", parts: Sequence[_Found]) -> _Found:
        """The translation of a line from those of its parts."""
        whole, *others = (part.translation for part in parts)
        if others:
            whole = merge_sentences([whole, *others], n_best=self.how.n_best)
        whole = replace(whole, line=line.input.line, source=line.input.source)
        evidence = [part.evidence for part in parts if part.evidence is not None]
        return _Found(
            uppercase(whole, level=self.level) if line.loud else whole,
            evidence[0].join(evidence) if evidence else None,
        )

    def _copying(self, sources: Sequence[TokenizedLine]) -> Copying | None:
        """What the search has to copy, None for a model that copies nothing."""
        pieces = self.target.placeholders
        if self.source.literals is None or not pieces:
            return None
        required = np.zeros(len(sources), np.int64)
        for row, source in enumerate(sources):
            there = set(source.ids.tolist()) if source.literals else set()
            for copied in source.literals:
                if copied.id in there:  # not cut off
                    required[row] |= 1 << (copied.id - pieces[0])
        return Copying(pieces[0], len(pieces), required, self.target.forbidden_pieces)

    def _copy(self, source: TokenizedLine, *, rewritten: bool) -> Translation:
        """The translation of what has nothing to translate: itself, word for word, with literals
        `rewritten` in the target's way where it is a part of a line."""
        size = len(source.ids)
        hypothesis = Hypothesis(source.ids, 0.0, np.zeros(size, np.float32))
        rows = label_units(source, self.level)
        table = None
        if self.align:
            kind: MatrixKind = "alignment" if self.matcher else "attention"
            same = np.eye(size, dtype=np.float32)
            table = build_alignment(
                same, source, source, kind=kind, mode="decoded", level=self.level
            )
            if self.matcher:
                table = replace(table, link_probs=table.weights)
        text, target = source.raw.strip(), rows.labels
        if rewritten:
            text, words = _rewritten(source)
            if self.level == "word":
                target = words
                table = table and replace(table, target=words)
        return Translation(
            line=0,
            source=source.raw,
            text=text,
            source_words=rows.labels,
            target_words=target,
            hypotheses=(hypothesis,),
            texts=(text,),
            alignment=table,
            word_logp=(0.0,) * len(rows.labels),
        )

    def detokenize(self, best: Hypothesis, source: TokenizedLine) -> TokenizedLine:
        """A hypothesis as a line that was read."""
        decoded = self.target.decode(best.ids, source)
        pieces = tuple(self.target.piece(int(i)) for i in best.ids)
        return TokenizedLine(
            decoded.text,
            best.ids,
            pieces,
            decoded.word_ids,
            decoded.words,
            crossing=decoded.crossing,
        )

    def _tables(
        self,
        sources: Sequence[TokenizedLine],
        said: Sequence[TokenizedLine],
        best: Sequence[Hypothesis],
    ) -> Sequence[SoftAlignment | None]:
        """The table of each line and its best translation, where tables are wanted."""
        if not self.align:
            return [None] * len(sources)
        if self.matcher is not None:
            return align_batch(self.matcher, sources, said, mode="decoded", level=self.level)
        return [
            build_alignment(
                weights_of(hypothesis), *lines, kind="attention", mode="decoded", level=self.level
            )
            for *lines, hypothesis in zip(sources, said, best, strict=True)
        ]


def _rewritten(source: TokenizedLine) -> tuple[str, tuple[str, ...]]:
    """A line with its literals as the target writes them, and its words."""
    said = {copied.word: copied.text for copied in source.literals}
    words = tuple(said.get(place, word.text) for place, word in enumerate(source.words))
    text, end = "", 0
    for word, own in zip(source.words, words, strict=True):
        text += source.raw[end : word.start] + own
        end = word.end
    return (text + source.raw[end:]).strip(), words


def weights_of(hypothesis: Hypothesis | None) -> FloatArray:
    """The weights that a search kept, or that were asked for."""
    assert hypothesis is not None
    assert hypothesis.weights is not None
    return hypothesis.weights


def truncate(
    line: TokenizedLine, number: int, on_problem: OnProblem | None = None
) -> TokenizedLine:
    """Cut a line of more than `LONGEST` pieces to so many, and to the words that these are of."""
    if len(line.ids) <= LONGEST:
        return line
    ids = np.append(line.ids[: LONGEST - 1], np.int32(EOS))
    word_of = np.append(line.word_ids[: LONGEST - 1], np.int32(-1))
    crossing = tuple(each for each in line.crossing if each.piece < LONGEST - 1)
    count = 1 + max([int(word_of.max(initial=-1)), *(each.word for each in crossing)])
    if on_problem:
        on_problem(number, f"longer than {LONGEST} pieces, read up to there: {count} of its words")
    return replace(
        line,
        ids=ids,
        pieces=(*line.pieces[: LONGEST - 1], line.pieces[-1]),
        word_ids=word_of,
        crossing=crossing,
        words=line.words[:count],
        literals=tuple(each for each in line.literals if each.word < count),
    )


def length_batches(lengths: dict[int, int], how: SearchConfig) -> Iterator[list[int]]:
    """Places grouped so that a batch holds like lengths and fits the budget, longest first."""
    order = sorted(lengths, key=lambda place: -lengths[place])
    sizes = [lengths[place] * how.beam for place in order]
    start = 0
    while start < len(order):
        rows = max(1, BATCH_CELLS // sizes[start])
        yield order[start : start + rows]
        start += rows


def padded(rows: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """Rows of ids → (B, S) with PAD behind, and their lengths (B,)."""
    lengths = np.array([len(row) for row in rows], np.int32)
    ids = np.full((len(rows), int(lengths.max())), PAD, np.int32)
    for row, given in zip(ids, rows, strict=True):
        row[: len(given)] = given
    return ids, lengths


def sum_logp(hypothesis: Hypothesis, rows: UnitLabels) -> tuple[float, ...]:
    """The log-probability of each row: the sum over its pieces, or its shares of them."""
    total = hypothesis.token_logp.astype(np.float64) @ rows.membership
    return tuple(total.tolist())
