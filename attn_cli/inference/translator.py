"""Translate lines, lazily and in order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli.alignment.merge import UnitLabels, label_units
from attn_cli.choices import Case, Level, MatrixKind
from attn_cli.data import clauses, sentences
from attn_cli.data.casing import (
    ORIGINAL_CASE,
    CaseRules,
    begins_with_capital,
    capitalize,
    capitalize_words,
    lowercase_first_word,
    uppercase,
)
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.copying import Copying
from attn_cli.inference.engines.interface import AlignmentModel
from attn_cli.inference.generation import Generator, SourceBatch
from attn_cli.inference.hypothesis_tables import build_tables, sum_logp
from attn_cli.inference.line_batches import OnProblem, length_batches, pad_rows, truncate
from attn_cli.inference.sentence_merging import merge_sentences
from attn_cli.types import (
    Hypothesis,
    InputLine,
    IntArray,
    SoftAlignment,
    TokenizedLine,
    Translation,
)

if TYPE_CHECKING:
    from attn_cli.inference.confidence import Calibration, Evidence

#: Words of the longest line whose sentences share a table, which has a weight for every two words.
MAX_TABLE_WORDS = 2048


class _Part(NamedTuple):
    """A part of a line that is translated by itself, and the number of the line.

    It may be all of the line (`is_whole`), or continue the sentence of the part before.
    """

    source: TokenizedLine
    line: int
    is_whole: bool
    continues: bool = False


@dataclass(frozen=True)
class _Line:
    """An input line, the case in which it was read, and its one or more parts."""

    input: InputLine
    case: Case
    parts: Sequence[_Part]


class _Result(NamedTuple):
    """The translation of a line or a part, and the evidence of its confidence.

    `evidence` is None if it was not requested or nothing had to be translated.
    """

    translation: Translation
    evidence: "Evidence | None" = None


class Translator:
    """A network, its two vocabularies and the settings of the search.

    With `align` each translation has its table: the decoder's attention, or the weights of the
    `aligner` between the source and the translation.
    A line of more than `split_over` words, unless that is 0, is translated sentence by sentence,
    and a sentence of more than `clauses_over` words clause by clause.
    Lines are read in the case of the `case_rules`; the translation of a line in capitals is in
    capitals, and with `case_rules.truecase` one begins with a capital if its source does. A target
    word of a probability below `unsure_below` is unsure, unless it was copied or is punctuation.
    With a `calibration` each translation has its confidence. `on_problem(line, problem)` is called
    for each line that is not read to its end.
    """

    def __init__(
        self,
        generator: Generator,
        source: SubwordTokenizer,
        target: SubwordTokenizer,
        search: SearchConfig,
        *,
        align: bool = False,
        aligner: AlignmentModel | None = None,
        level: Level = "word",
        split_over: int = 0,
        clauses_over: int = 0,
        case_rules: CaseRules = ORIGINAL_CASE,
        unsure_below: float = 0.0,
        calibration: "Calibration | None" = None,
        on_problem: OnProblem | None = None,
    ) -> None:
        self.generator, self.source, self.target = generator, source, target
        self.aligner = aligner
        self.search, self.align, self.level = search, align, level
        self.split_over, self.clauses_over = split_over, clauses_over
        self.case_rules = case_rules
        self.unsure_below, self.calibration = unsure_below, calibration
        self.on_problem = on_problem

    def stream(self, chunks: Iterable[Sequence[InputLine]]) -> Iterator[Translation]:
        """Yield the translation of every line, in order; each chunk before the next one is read."""
        for chunk in chunks:
            yield from self.translate(chunk)

    def translate(self, lines: Sequence[InputLine]) -> list[Translation]:
        """Return the translations of `lines`, in order. Lines of like length share a batch."""
        results = self._translate_lines(lines, with_evidence=self.calibration is not None)
        if self.calibration is None:
            return [translation for translation, _ in results]
        return [
            replace(each, confidence=1.0 if evidence is None else self.calibration(evidence))
            for each, evidence in results
        ]

    def translate_with_evidence(
        self, lines: Sequence[InputLine]
    ) -> "list[tuple[Translation, Evidence | None]]":
        """Return the translations without confidence, each with the evidence for it.

        The evidence is None where nothing had to be translated.
        """
        results = self._translate_lines(lines, with_evidence=True)
        return [(each, evidence) for each, evidence in results]

    def _translate_lines(
        self, lines: Sequence[InputLine], *, with_evidence: bool
    ) -> "list[_Result]":
        encoded = [self._encode(line) for line in lines]
        parts = [part for line in encoded for part in line.parts]
        results = iter(self._translate_parts(parts, with_evidence=with_evidence))
        return [self._reassemble(line, [next(results) for _ in line.parts]) for line in encoded]

    def _encode(self, line: InputLine) -> "_Line":
        """Encode a line: whole, sentence by sentence, or clause by clause."""
        case = self.case_rules.case(line.source)
        parts = self.source.encode_parts(line.source, case=case)
        continued: Sequence[bool] = [False] * len(parts)
        size = sum(len(part.words) for part in parts)
        if size > MAX_TABLE_WORDS and self.align:  # one table would be too large
            if len(parts) > 1 or parts[0].has_only_literals:
                whole = self.source.encode(line.source, case=case)
                parts, continued = [replace(whole, has_only_literals=False)], [False]
        elif spans := self._spans(line.source, parts, size):
            encoded = [
                (part, continues)
                for start, end, continues in spans
                for part in self.source.encode_parts(
                    line.source[start:end], case=case, is_whole=False
                )
            ]
            parts, continued = [part for part, _ in encoded], [each for _, each in encoded]
        parts = [truncate(part, line.line, self.on_problem) for part in parts]
        is_whole = len(parts) == 1
        return _Line(
            line,
            case,
            [
                _Part(part, line.line, is_whole, continues)
                for part, continues in zip(parts, continued, strict=True)
            ],
        )

    def encode(self, line: InputLine) -> Sequence[TokenizedLine]:
        """Return the line as the network reads it: its parts, which are translated one by one."""
        return [part.source for part in self._encode(line).parts]

    def _spans(
        self, text: str, parts: Sequence[TokenizedLine], size: int
    ) -> list[tuple[int, int, bool]]:
        """Return the span of each part in which a line of `size` words is translated, and whether
        it continues a sentence; [] for a line that is translated as its `parts`."""
        is_one = len(parts) == 1
        if is_one and (
            parts[0].has_only_literals
            or not (0 < self.split_over < size or 0 < self.clauses_over < size)
        ):
            return []
        is_split = not is_one or 0 < self.split_over < size
        spans = self._sentences(text) if is_split else [(0, len(text))]
        if not (is_one and 0 < self.clauses_over < size):
            return [(*span, False) for span in spans]
        return [
            (*clause, number > 0)
            for start, end in spans
            for number, clause in enumerate(
                clauses.split(
                    [word for word in parts[0].words if start <= word.start < end],
                    self.clauses_over,
                )
            )
        ]

    def _sentences(self, text: str) -> list[tuple[int, int]]:
        """Return the spans of the sentences of a line; no literal is in two of them."""
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

    def _translate_parts(self, parts: Sequence[_Part], *, with_evidence: bool) -> list[_Result]:
        """Return the translation of each part, in order."""
        results = [_Result(Translation(part.line, part.source.raw, "")) for part in parts]
        to_translate = {}
        for index, part in enumerate(parts):
            if part.source.has_only_literals:
                results[index] = _Result(self._copy(part))
            elif part.source.words:
                to_translate[index] = len(part.source.ids)
        for indices in length_batches(to_translate, beam=self.search.beam):
            sources = [parts[index].source for index in indices]
            batch = SourceBatch(
                *pad_rows([part.ids for part in sources]),
                keep_weights=self.align and self.aligner is None,
                copying=self._copying(sources),
            )
            rows = self.generator.generate(batch, self.search)
            targets = [
                self._detokenize(hypotheses[0], parts[index])
                for hypotheses, index in zip(rows, indices, strict=True)
            ]
            tables: Sequence[SoftAlignment | None] = [None] * len(indices)
            if self.align:
                tables = build_tables(
                    sources,
                    targets,
                    [hypotheses[0] for hypotheses in rows],
                    aligner=self.aligner,
                    mode="decoded",
                    level=self.level,
                )
            for row, index in enumerate(indices):
                results[index] = _Result(
                    self._translation(parts[index], targets[row], rows[row], tables[row]),
                    self._evidence(sources[row], targets[row], rows[row][0])
                    if with_evidence
                    else None,
                )
        return results

    def _translation(
        self,
        part: _Part,
        target: TokenizedLine,
        hypotheses: Sequence[Hypothesis],
        table: SoftAlignment | None,
    ) -> Translation:
        source, rows = part.source, label_units(target, self.level)
        word_logp = sum_logp(hypotheses[0], rows)
        return Translation(
            line=part.line,
            source=source.raw,
            text=target.raw,
            source_words=label_units(source, self.level).labels,
            target_words=rows.labels,
            hypotheses=tuple(hypotheses),
            texts=(target.raw, *(self._detokenize(each, part).raw for each in hypotheses[1:])),
            alignment=table,
            word_logp=word_logp,
            unsure=self._unsure(target, rows, word_logp),
        )

    def _is_copied(self, ids: IntArray) -> NDArray[np.bool_]:
        """Return which of the pieces (T,) are placeholders."""
        pieces = self.target.placeholders
        return (ids >= pieces.start) & (ids < pieces.stop)

    def _unsure(
        self, target: TokenizedLine, rows: UnitLabels, word_logp: Sequence[float]
    ) -> tuple[int, ...]:
        """Return the rows of low probability, without literals and punctuation."""
        if not self.unsure_below:
            return ()
        copied = set(rows.unit_ids[self._is_copied(target.ids)].tolist())
        bound = log(self.unsure_below)
        return tuple(
            row
            for row, (label, logp) in enumerate(zip(rows.labels, word_logp, strict=True))
            if logp < bound and row not in copied and any(map(str.isalnum, label))
        )

    def _evidence(
        self, source: TokenizedLine, target: TokenizedLine, best: Hypothesis
    ) -> "Evidence":
        from attn_cli.inference.confidence import Evidence

        return Evidence.of(source, target, best, is_copied=self._is_copied(best.ids))

    def _reassemble(self, line: "_Line", parts: Sequence[_Result]) -> _Result:
        """Join the translations of the parts of a line."""
        whole, *others = (part.translation for part in parts)
        if others:
            whole = merge_sentences([whole, *others], n_best=self.search.n_best)
        whole = replace(whole, source=line.input.source)  # with the space around its parts
        evidence = [part.evidence for part in parts if part.evidence is not None]
        return _Result(
            uppercase(whole, level=self.level) if line.case == "lowercase" else whole,
            evidence[0].join(evidence) if evidence else None,
        )

    def _copying(self, sources: Sequence[TokenizedLine]) -> Copying | None:
        """Return the placeholders to copy, None for a model that copies none."""
        pieces = self.target.placeholders
        if self.source.literals is None or not pieces:
            return None
        required = np.zeros(len(sources), np.int64)
        for row, source in enumerate(sources):
            ids = set(source.ids.tolist()) if source.literals else set()
            for copied in source.literals:
                if copied.id in ids:  # not cut off
                    required[row] |= 1 << (copied.id - pieces[0])
        return Copying(pieces[0], len(pieces), required, self.target.forbidden_pieces)

    def _copy(self, part: _Part) -> Translation:
        from attn_cli.inference.literal_lines import copy_line

        kind: MatrixKind | None = None
        if self.align:
            kind = "alignment" if self.aligner else "attention"
        return copy_line(
            part.source, part.line, level=self.level, kind=kind, rewritten=not part.is_whole
        )

    def detokenize(self, best: Hypothesis, source: TokenizedLine) -> TokenizedLine:
        """Return a hypothesis as a line of text with its pieces and words."""
        decoded = self.target.decode(best.ids, source)
        pieces = tuple(self.target.piece(int(i)) for i in best.ids)
        text, words = decoded.text, decoded.words
        if self.case_rules.truecase and self._gets_capital(source, best.ids, pieces):
            text, words = capitalize(text), capitalize_words(words)
        return TokenizedLine(
            text, best.ids, pieces, decoded.word_ids, words, crossing=decoded.crossing
        )

    def _detokenize(self, best: Hypothesis, part: _Part) -> TokenizedLine:
        """Return a hypothesis of a part as a line, without a capital if it continues a sentence."""
        line = self.detokenize(best, part.source)
        if not part.continues or begins_with_capital(part.source.words):
            return line
        text, words = lowercase_first_word(
            line.raw, line.words, lambda form: len(self.target.segment(form))
        )
        return replace(line, raw=text, words=words)

    def _gets_capital(self, source: TokenizedLine, ids: IntArray, pieces: Sequence[str]) -> bool:
        """Return whether a translation begins with a word, as its source does with a capital."""
        if not begins_with_capital(source.words):
            return False
        begins = (
            not is_copied
            for is_copied, piece in zip(self._is_copied(ids), pieces, strict=True)
            if is_copied or any(map(str.isalnum, piece))
        )
        return next(begins, False)
